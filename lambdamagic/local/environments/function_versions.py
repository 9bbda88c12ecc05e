"""A snapshot of a function, read from moto's control plane once and not at every invocation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lambdamagic.local.control import snapshots
from lambdamagic.local.server.error_bodies import AwsError, broken_constraint

_FUNCTION_REFERENCE = re.compile(
    r"(?:(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?P<account>\d{12}):function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
_REFERENCE = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer version's package."""

    arn: str
    digest: str
    package: bytes


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """A function's version as environments are made from it.

    Equality of `fingerprint` decides whether an environment that was made earlier may still be used.
    """

    name: str
    version: str
    arn: str
    invoked_arn: str
    handler: str
    runtime: str
    memory_mb: int
    timeout_s: int
    variables: tuple[tuple[str, str], ...]
    code_digest: str
    package: bytes
    layers: tuple[Layer, ...]
    package_type: str
    reserved_concurrency: int | None
    max_retries: int
    max_event_age_s: int
    on_failure_arn: str | None
    on_success_arn: str | None
    region: str
    ephemeral_mb: int = 512
    is_restored: bool = False
    state: str = "Active"

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """All that an environment bakes in when it starts."""
        return (
            self.name,
            self.version,
            self.handler,
            self.runtime,
            self.memory_mb,
            self.timeout_s,
            self.ephemeral_mb,
            self.variables,
            self.code_digest,
            tuple(layer.arn for layer in self.layers),
            self.is_restored,
        )

    @property
    def key(self) -> tuple[str, str]:
        """Name and version: what has a pool of environments."""
        return (self.name, self.version)


def not_found(arn: str) -> AwsError:
    """Return Lambda's error for a function that does not exist."""
    return AwsError(404, "ResourceNotFoundException", f"Function not found: {arn}")


class FunctionCatalog:
    """Reads functions from moto. Its methods load moto and run in moto's threads."""

    def __init__(self, *, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    def parse(self, reference: str, qualifier: str | None, *, action: str = "InvokeFunction") -> tuple[str, str | None]:
        """Return name and qualifier of a function named by name, partial ARN or ARN; a refusal names the action.

        Raises:
            AwsError: It is none of these, it is not in this account and region, or its two qualifiers disagree.
        """
        match = _FUNCTION_REFERENCE.fullmatch(reference)
        if match is None or len(reference) > 170:
            raise broken_constraint(
                reference,
                "functionName",
                f"Member must satisfy regular expression pattern: {_REFERENCE}",
            )
        if qualifier is not None and not 1 <= len(qualifier) <= 128:
            bound = "less than or equal to 128" if qualifier else "greater than or equal to 1"
            raise broken_constraint(qualifier, "qualifier", f"Member must have length {bound}")
        if qualifier is not None and re.fullmatch(_QUALIFIER, qualifier) is None:
            raise broken_constraint(
                qualifier, "qualifier", f"Member must satisfy regular expression pattern: {_QUALIFIER}"
            )
        if match["account"] not in (None, self._account_id):
            arn = f"arn:aws:lambda:{match['region'] or self._region}:{match['account']}:function:{match['name']}"
            text = (
                f"User: arn:aws:iam::{self._account_id}:root is not authorized to perform: lambda:{action} on "
                f"resource: {arn} because no resource-based policy allows the lambda:{action} action"
            )
            raise AwsError(403, "AccessDeniedException", text)
        if match["region"] not in (None, self._region):
            text = f"Functions from '{match['region']}' are not reachable in this region ('{self._region}')"
            raise AwsError(404, "ResourceNotFoundException", text)
        own = match["qualifier"]
        if own and qualifier and own != qualifier:
            text = "The derived qualifier from the function name does not match the specified qualifier."
            raise AwsError(400, "InvalidParameterValueException", text)
        return match["name"], qualifier or own

    def read(self, name: str, qualifier: str | None) -> FunctionVersion:
        """Return the version that a qualifier means now.

        Raises:
            AwsError: There is none.
        """
        from moto.awslambda.exceptions import LambdaClientError
        from moto.awslambda.utils import get_backend

        backend = get_backend(self._account_id, self._region)
        try:
            function = backend.get_function(name, qualifier)
        except LambdaClientError:
            function = None
        arn = f"arn:aws:lambda:{self._region}:{self._account_id}:function:{name}"
        invoked_arn = f"{arn}:{qualifier}" if qualifier else arn
        if function is None:
            raise not_found(invoked_arn)
        layers = []
        for entry in function.layers:
            layer = backend.layers_versions_by_arn(entry["Arn"])
            if layer is not None:
                layers.append(Layer(entry["Arn"], layer.code_digest, layer.code_bytes))
        latest = backend.get_function(name, None)
        retry_config = _invoke_config(latest, function, qualifier)
        destinations = retry_config.get("DestinationConfig") or {}
        is_image = function.package_type == "Image"
        try:
            memory_mb, timeout_s, ephemeral_mb = map(
                int, (function.memory_size, function.timeout, function.ephemeral_storage)
            )
        except (TypeError, ValueError):  # of a template: requests are checked before moto takes them
            text = f"The configuration of {name} is not numbers where Lambda has numbers."
            raise AwsError(400, "InvalidParameterValueException", text) from None
        return FunctionVersion(
            name=name,
            version=str(function.version),
            arn=arn,
            invoked_arn=invoked_arn,
            handler=(function.image_config.cmd or [""])[0] if is_image else function.handler or "",
            runtime="" if is_image else function.run_time or "",
            memory_mb=memory_mb,
            timeout_s=timeout_s,
            variables=tuple(sorted((function.environment_vars or {}).items())),
            code_digest=function.code_sha_256 if is_image else getattr(function, "code_digest", ""),
            package=b"" if is_image else getattr(function, "code_bytes", b""),
            layers=tuple(layers),
            package_type=function.package_type,
            reserved_concurrency=_as_int(latest.reserved_concurrency),
            max_retries=retry_config.get("MaximumRetryAttempts", 2),
            max_event_age_s=retry_config.get("MaximumEventAgeInSeconds", 21600),
            on_failure_arn=(destinations.get("OnFailure") or {}).get("Destination"),
            on_success_arn=(destinations.get("OnSuccess") or {}).get("Destination"),
            region=self._region,
            ephemeral_mb=ephemeral_mb,
            is_restored=snapshots.is_restored(function),
            state=str(function.state),
        )

    def settle(self, name: str, version: str, failure: str | None) -> None:
        """Let a version be `Active` whose snapshot is there, or `Failed` for a reason."""
        from moto.awslambda.utils import get_backend

        backend = get_backend(self._account_id, self._region)
        for found in backend.list_versions_by_function(name):
            if str(found.version) == version:
                found.state_reason = failure
                found.state = "Active" if failure is None else "Failed"

    def names(self) -> set[str]:
        """Return the names of all functions."""
        from moto.awslambda.utils import get_backend

        return set(get_backend(self._account_id, self._region)._lambdas._functions)

    def has(self, name: str) -> bool:
        """Return whether there is a function of this name."""
        return name in self.names()

    def role_name(self, name: str) -> str:
        """Return the name of the role that a function has now; empty if the function is gone."""
        from moto.awslambda.utils import get_backend

        function = get_backend(self._account_id, self._region)._lambdas._functions.get(name)
        return "" if function is None else str(function["latest"].role).rpartition("/")[2]

    def reserved_total(self) -> dict[str, int]:
        """Return the reserved concurrency of every function that has one."""
        from moto.awslambda.utils import get_backend

        functions = get_backend(self._account_id, self._region).list_functions()
        reserved = {f.function_name: _as_int(f.reserved_concurrency) for f in functions}
        return {name: value for name, value in reserved.items() if value is not None}


def _invoke_config(latest: Any, function: Any, qualifier: str | None) -> dict[str, Any]:
    del function, qualifier  # moto keeps one configuration a function, whatever the qualifier
    configs = latest.event_invoke_config
    # moto appends each put and answers the first; AWS's put replaces, so the last one is meant.
    return dict(configs[-1].config) if configs else {}


def _as_int(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None  # of a template: requests are checked before moto takes them
