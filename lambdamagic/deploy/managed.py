"""Create, list, update and delete single functions. Functions of others are never changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.functions import FunctionFacts, wait_until_ready
from lambdamagic.deploy.model import FUNCTION_TAG, HANDLER, INVOKER_SUFFIX, INVOKER_TAG, TAG, FunctionSpec
from lambdamagic.deploy.packages import Package, code_argument, publish_holdings, publish_layer
from lambdamagic.deploy.pushed import image_variables
from lambdamagic.deploy.variants import TAG as VARIANT_TAG
from lambdamagic.errors import FunctionMissingError, NotOursError
from lambdamagic.protocol.bounds import EVENT_AGE_S

_IMAGE_CHANGE = "lambdamagic update {name} --image URI"
_STACK_TAG = "aws:cloudformation:stack-name"

_REFERENCE = re.compile(r"[A-Za-z0-9_:$-]{1,170}")  # a name or ARN; "GetFunction", API reference


@dataclass(frozen=True)
class ManagedFunction:
    """A function that lambdamagic created.

    Attributes:
        facts: Lambda's facts about it.
        tags: Its tags.
        image: The image that it is made of, by its digest where that is known; None for a package.
    """

    facts: FunctionFacts
    tags: Mapping[str, str]
    image: str | None = None

    @property
    def made_by(self) -> str:
        """The command that created it: `deploy`, `create`, `variant of NAME`, or `invoker of NAME`."""
        if self.tags.get(TAG) == INVOKER_TAG[TAG]:
            return f"invoker of {self.facts.name.removesuffix(INVOKER_SUFFIX)}"
        if VARIANT_TAG in self.tags:
            return f"variant of {self.tags[VARIANT_TAG]}"
        return "deploy" if _STACK_TAG in self.tags else "create"


@dataclass(frozen=True)
class Surroundings:
    """Role, bucket and log group of functions.

    Attributes:
        role: The ARN of the role that they run with.
        bucket: Where packages go through; None to send them directly.
        log_group: Where they log; None for separate groups.
    """

    role: str
    bucket: str | None
    log_group: str | None = None


class Functions:
    """The functions of an account that lambdamagic created.

    Args:
        access: The account.
        clock: The time.
    """

    def __init__(self, access: AwsAccess, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._access, self._clock = access, clock

    def find(self, name: str) -> ManagedFunction:
        """Return a function.

        Raises:
            FunctionMissingError: There is none of this name.
            NotOursError: lambdamagic has not made it.
        """
        from botocore.exceptions import ClientError

        missing = FunctionMissingError(
            f"no function {name!r} in {self._access.region}",
            hint=f"Choose one from `lambdamagic list`, or run `lambdamagic create {name}`",
        )
        if not _REFERENCE.fullmatch(name):
            raise missing
        with explained(f"look at the function {name}", function=name), client(self._access, "lambda") as lambda_:
            try:
                found = lambda_.get_function(FunctionName=name)
            except ClientError as error:
                if is_code(error, "ResourceNotFoundException", "ValidationException"):  # no function has such a name
                    raise missing from error
                raise
        tags = dict(found.get("Tags", {}))
        if TAG not in tags:
            raise NotOursError(
                f"the function {name!r} was not created by lambdamagic; nothing was changed",
                hint="Choose one from `lambdamagic list`",
            )
        code = found.get("Code", {})
        image = code.get("ImageUri")
        if image and "@" not in image:  # a tag, which may have moved on since
            image = code.get("ResolvedImageUri", image)
        return ManagedFunction(FunctionFacts.read(name, found["Configuration"]), tags, image)

    def all(self) -> list[ManagedFunction]:
        """Return all, by name."""
        found = []
        with explained("list the functions"), client(self._access, "lambda") as lambda_:
            for page in lambda_.get_paginator("list_functions").paginate():
                for each in page["Functions"]:
                    tags = lambda_.list_tags(Resource=each["FunctionArn"]).get("Tags", {})
                    if TAG in tags:
                        found.append(ManagedFunction(FunctionFacts.read(each["FunctionName"], each), tags))
        return sorted(found, key=lambda function: function.facts.name)

    def create(self, spec: FunctionSpec, package: Package | None, around: Surroundings) -> FunctionFacts:
        """Make a function, with Lambda's own retries turned off, and wait until it is active.

        Args:
            spec: The requested state.
            package: What it holds; None if `spec.image` says.
            around: Role, bucket and log group.

        Raises:
            NotOursError: There is a function of this name already.
            DeployError: It does not become active.
        """
        from botocore.exceptions import ClientError

        wanted = self._wanted(spec, package, around)
        with (
            explained(f"create the function {spec.name}", function=spec.name),
            client(self._access, "lambda") as lambda_,
        ):
            try:
                lambda_.create_function(
                    **wanted,
                    Role=around.role,
                    PackageType="Image" if spec.image else "Zip",
                    Code=self._code(spec, package, around.bucket),
                    Architectures=[spec.arch],
                    Tags=FUNCTION_TAG,
                    **({"LoggingConfig": {"LogGroup": around.log_group}} if around.log_group else {}),
                )
            except ClientError as error:
                if is_code(error, "ResourceConflictException"):
                    raise NotOursError(
                        f"the function {spec.name!r} exists already; nothing was changed",
                        hint="Choose another name; if `lambdamagic list` shows it as created by create, "
                        f"run `lambdamagic update {spec.name}`",
                    ) from error
                raise
            facts = wait_until_ready(lambda_, spec.name, self._clock)
            lambda_.put_function_event_invoke_config(
                FunctionName=spec.name, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=EVENT_AGE_S
            )
        return facts

    def update(
        self, spec: FunctionSpec, package: Package | None, around: Surroundings, *, with_code: bool
    ) -> tuple[str, ...]:
        """Reconcile a function with its spec; return what has changed: `code`, `configuration`, both or nothing.

        Args:
            spec: The requested state.
            package: What it is to hold; None to leave that as it is.
            around: The bucket; role and log group stay.
            with_code: Whether the package's own code (not only its layers) is to be replaced.

        Raises:
            NotOursError: lambdamagic has not made it, or it is part of a deployment.
        """
        found = self.find(spec.name)
        self._refuse_parts(found, "deploy")
        changed = []
        with (
            explained(f"update the function {spec.name}", function=spec.name),
            client(self._access, "lambda") as lambda_,
        ):
            code = self._code(spec, package, around.bucket) if with_code or spec.image else None
            if code and not self._has_code(found, spec, package):
                lambda_.update_function_code(FunctionName=spec.name, Architectures=[spec.arch], **code)
                wait_until_ready(lambda_, spec.name, self._clock)
                changed.append("code")
            wanted = self._wanted(spec, package, around)
            if package is None:
                wanted.pop("Layers", None)
            if _differs(found.facts.configuration, wanted):
                lambda_.update_function_configuration(**wanted)
                wait_until_ready(lambda_, spec.name, self._clock)
                changed.append("configuration")
                if "Layers" in wanted:
                    self._delete_layers(lambda_, found, keep=wanted["Layers"])
        return tuple(changed)

    def check_deletable(self, name: str) -> ManagedFunction:
        """Return a function that `delete` would delete.

        Raises:
            FunctionMissingError: There is none of that name.
            NotOursError: lambdamagic has not made it, or it is part of a deployment.
        """
        found = self.find(name)
        self._refuse_parts(found, "destroy")
        return found

    def delete(self, name: str) -> list[str]:
        """Delete a function, its variants and its own layers; return what was deleted.

        Raises:
            NotOursError: lambdamagic has not made it, or it is part of a deployment.
        """
        found = self.check_deletable(name)
        deleted = delete_variants(self._access, name)
        with explained(f"delete the function {name}", function=name), client(self._access, "lambda") as lambda_:
            lambda_.delete_function(FunctionName=name)
            deleted.append(name)
            deleted += self._delete_layers(lambda_, found)
        return deleted

    @staticmethod
    def _delete_layers(lambda_: Any, found: ManagedFunction, *, keep: Sequence[str] = ()) -> list[str]:
        """Delete a function's own layers that it no longer uses: they count for the account's 75 GB of code.

        A variant that still has one keeps its access ("Deleting a layer version", Lambda Developer Guide).
        """
        name, deleted = found.facts.name, []
        for layer in found.facts.configuration.get("Layers") or ():
            arn, _, version = layer["Arn"].rpartition(":")
            is_own = arn.rpartition(":")[2].startswith((f"{name}-agent-", f"{name}-packages-"))
            if is_own and layer["Arn"] not in keep:
                lambda_.delete_layer_version(LayerName=arn, VersionNumber=int(version))
                deleted.append(layer["Arn"])
        return deleted

    def _wanted(self, spec: FunctionSpec, package: Package | None, around: Surroundings) -> dict[str, Any]:
        variables = dict(spec.environment)
        wanted: dict[str, Any] = {
            "FunctionName": spec.name,
            "Description": "Runs notebook code sent by lambdamagic",
            "MemorySize": spec.memory_mb,
            "Timeout": spec.timeout_s,
            "EphemeralStorage": {"Size": spec.ephemeral_mb},
        }
        if spec.image is None:
            wanted |= {"Runtime": spec.runtime, "Handler": HANDLER}
        if package is not None:
            own = [
                publish_layer(self._access, layer, package.platform, bucket=around.bucket) for layer in package.layers
            ]
            wanted["Layers"] = [*own, *spec.layers]
            variables |= publish_holdings(self._access, package.holdings, bucket=around.bucket)
        elif spec.image is not None:
            variables |= spec.own_environment
            variables |= image_variables(spec.image, made_by=_IMAGE_CHANGE.format(name=spec.name))
        wanted["Environment"] = {"Variables": variables}
        if spec.subnets:
            wanted["VpcConfig"] = {"SubnetIds": [*spec.subnets], "SecurityGroupIds": [*spec.security_groups]}
        return wanted

    def _code(self, spec: FunctionSpec, package: Package | None, bucket: str | None) -> dict[str, Any]:
        if spec.image is not None:
            return {"ImageUri": spec.image}
        assert package is not None
        return code_argument(self._access, package.code, bucket=bucket)

    @staticmethod
    def _has_code(found: ManagedFunction, spec: FunctionSpec, package: Package | None) -> bool:
        configuration = found.facts.configuration
        if spec.image is not None:  # a tag may have moved on since
            return spec.image == found.image and spec.arch == found.facts.arch
        if spec.arch != found.facts.arch or package is None:
            return False
        return bool(configuration.get("CodeSha256") == package.code.code_sha256)

    @staticmethod
    def _refuse_parts(found: ManagedFunction, command: str) -> None:
        name = found.facts.name
        if VARIANT_TAG in found.tags:
            base = found.tags[VARIANT_TAG]
            raise NotOursError(
                f"{name} is a variant of {base} and follows it; nothing was changed",
                hint=f"Change or delete {base}",
            )
        if _STACK_TAG in found.tags:
            stack = found.tags[_STACK_TAG]
            raise NotOursError(
                f"{name} is part of the deployment {stack}; nothing was changed",
                hint=f"`lambdamagic {command} {stack}`",
            )


def spec_of(found: ManagedFunction, given: Mapping[str, Any]) -> FunctionSpec:
    """Return a function's spec with the given values replaced; for `Functions.update`.

    Raises:
        ConfigError: What is given is not as AWS takes it.
    """
    from lambdamagic.protocol.holdings import VARIABLE

    deployed = found.facts.configuration
    variables = dict((deployed.get("Environment") or {}).get("Variables", {}))
    held = variables.pop(VARIABLE, None)
    own = (f"{found.facts.name}-agent-", f"{found.facts.name}-packages-")
    layers = [layer["Arn"] for layer in deployed.get("Layers") or ()]
    network = deployed.get("VpcConfig") or {}
    was: dict[str, Any] = {
        "name": found.facts.name,
        "python": (found.facts.runtime or "python3.12").removeprefix("python"),
        "arch": found.facts.arch,
        "memory_mb": found.facts.memory_mb,
        "timeout_s": found.facts.timeout_s,
        "ephemeral_mb": (deployed.get("EphemeralStorage") or {}).get("Size", 512),
        "layers": tuple(arn for arn in layers if not arn.split(":")[6].startswith(own)),
        "environment": variables,
        "own_environment": {VARIABLE: held} if held else {},
        "subnets": tuple(network.get("SubnetIds") or ()),
        "security_groups": tuple(network.get("SecurityGroupIds") or ()),
    }
    if found.image is not None:
        was |= {"layers": (), "image": found.image}
        if given.get("image") not in (None, found.image):
            was["own_environment"] = {}  # what the other image held
    return FunctionSpec(**{**was, **{key: value for key, value in given.items() if value is not None}})


def delete_variants(access: AwsAccess, name: str) -> list[str]:
    """Delete the variants of a function; return their names."""
    from lambdamagic.deploy.variants import variants_of

    found = variants_of(access, name)
    with explained(f"delete the variants of {name}"), client(access, "lambda") as lambda_:
        for variant in found:
            lambda_.delete_function(FunctionName=variant)
    return found


def _differs(has: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a configuration differs from the spec."""
    for name, value in wanted.items():
        found = has.get(name)
        if name == "Layers":
            found = [layer["Arn"] for layer in found or ()]
        elif name == "Environment":
            found = {"Variables": (found or {}).get("Variables", {})}
        elif name == "VpcConfig":
            found = {key: (found or {}).get(key) for key in value}
        elif name == "EphemeralStorage" and found is None:
            found = {"Size": 512}
        if found != value:
            return True
    return False
