"""What moto's Lambda lacks for SnapStart: it is remembered, refused where AWS refuses it, and makes versions wait."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.local.control.moto_patches import put
from lambdamagic.pythons import python_here

_FUNCTION = "moto.awslambda.models:LambdaFunction"
_APPLIES = "PublishedVersions"


def is_restored(function: Any) -> bool:
    """Return whether environments of a version, as moto has it, continue from a snapshot."""
    return getattr(function, "snap_start", "None") == _APPLIES and str(function.version) != "$LATEST"


def install(on_published: Callable[[str, str], None]) -> None:
    """Teach moto's functions SnapStart.

    Args:
        on_published: Called in moto's threads with name and number of a version that is `Pending` until its snapshot
            is there.
    """

    def make(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        self.snap_start = spec.get("SnapStart", {}).get("ApplyOn", "None")
        made(self, account_id, spec, *args, **kwargs)
        _check(self)

    def update(self: Any, changes: dict[str, Any]) -> Any:
        changed = copy.copy(self)
        changed.snap_start = changes.get("SnapStart", {}).get("ApplyOn", self.snap_start)
        changed.run_time = changes.get("Runtime", self.run_time)
        _check(changed)
        self.snap_start = changed.snap_start
        return updated(self, changes)

    def configuration(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = described(self, *args, **kwargs)
        status = "On" if is_restored(self) and self.state == "Active" else "Off"
        found["SnapStart"] = {"ApplyOn": self.snap_start, "OptimizationStatus": status}
        if self.state == "Failed":
            found |= {"StateReason": self.state_reason, "StateReasonCode": "FunctionError"}
        elif self.state == "Pending":
            found |= {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
        return found

    def publish(self: Any, name_or_arn: str, description: str = "") -> Any:
        latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        versions = self._functions[latest.function_name]["versions"]
        if versions and not latest.code_or_config_updated:
            return versions[-1]
        version = copy.copy(latest)
        latest.published = getattr(latest, "published", 0) + 1  # a number is never given twice
        latest.code_or_config_updated = False
        version.set_version(latest.published)
        version.description = description or version.description
        version.state = "Pending" if is_restored(version) else "Active"
        versions.append(version)
        self._arns[version.function_arn] = version
        if version.state == "Pending":
            on_published(version.function_name, str(version.version))
        return version

    made = put(f"{_FUNCTION}.__init__", make)
    updated = put(f"{_FUNCTION}.update_configuration", update)
    described = put(f"{_FUNCTION}.get_configuration", configuration)
    put("moto.awslambda.models:LambdaStorage.publish_version", publish)


def _check(function: Any) -> None:
    """Refuse what cannot have SnapStart ("Improving startup performance with Lambda SnapStart", limitations).

    This Python's runtime may, whatever its version: there is no other one to try SnapStart with.
    """
    from moto.awslambda.exceptions import InvalidParameterValueException

    if function.snap_start != _APPLIES:
        return
    what = ""
    runtimes = [f"python{each}" for each in (*AWS_LAMBDA.snap_start_pythons, python_here())]
    if function.package_type == "Image":
        what = "ContainerImage is"
    elif function.run_time not in runtimes:
        what = f"{function.run_time} is"
    elif function.ephemeral_storage > AWS_LAMBDA.snap_start_ephemeral_mb.most:
        what = f"Ephemeral storage of {function.ephemeral_storage} MB is"
    if what:
        raise InvalidParameterValueException(f"{what} not supported for SnapStart enabled functions.")
