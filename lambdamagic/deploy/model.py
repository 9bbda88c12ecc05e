"""Specs of a deployment as data: a function, and the stack around it. Validated when created; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lambdamagic.deploy import checks
from lambdamagic.deploy.platforms import Arch, LambdaPlatform
from lambdamagic.errors import ConfigError
from lambdamagic.protocol.batch import INVOKER_VARIABLE
from lambdamagic.protocol.keys import PREFIX

HANDLER = "lambdamagic.worker.handler.handler"
INVOKER_HANDLER = "lambdamagic.worker.invoker.handler"
#: The suffix of the invoker's name, after the function's.
INVOKER_SUFFIX = "-invoker"
#: The alias of the version that has a snapshot: SnapStart is for published versions only.
LIVE_ALIAS = "live"
TAG = "lambdamagic"
FUNCTION_TAG = {TAG: "function"}
INVOKER_TAG = {TAG: "invoker"}
STACK_TAG = {TAG: "stack"}
CODE_PREFIX = f"{PREFIX}/packages/"
TRIGGER_PREFIX = f"{PREFIX}/trigger/"
#: The function's environment variable that says that its role may run graphs.
GRAPHS_VARIABLE = "LAMBDAMAGIC_GRAPHS"
_NOTHING: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """The requested state of a function.

    Attributes:
        name: Its name.
        python: Its Python, such as `3.12`.
        arch: Its architecture.
        memory_mb: Its memory.
        timeout_s: How long one invocation may take.
        ephemeral_mb: The size of its /tmp.
        layers: ARNs of layer versions.
        environment: Environment variables.
        image: URI of an image in ECR; None for a zip package.
        subnets: Subnets of a VPC to run in.
        security_groups: Its security groups there.
        reserved_concurrency: Executions that only this function may use, and the most that it may use; None for no
            own limit.
        has_snapstart: Whether its environments continue from a snapshot of an initialized one (SnapStart); None, as
            False, for no.
        own_layers: Kinds of layer that its code brings along, such as `agent`; made with it.
        own_environment: Variables that its code brings along.

    Raises:
        ConfigError: Something is not as AWS takes it.
    """

    name: str
    python: str
    arch: Arch = "x86_64"
    memory_mb: int = 2048
    timeout_s: int = 300
    ephemeral_mb: int = 512
    layers: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    image: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    reserved_concurrency: int | None = None
    has_snapstart: bool | None = None
    own_layers: tuple[str, ...] = ()
    own_environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        checks.check_function_name(self.name)
        LambdaPlatform(self.python, self.arch)  # reports what Lambda does not have
        checks.check_memory(self.memory_mb)
        checks.check_timeout(self.timeout_s)
        checks.check_ephemeral(self.ephemeral_mb)
        checks.check_layers(self.layers, more=len(self.own_layers))
        checks.check_environment({**self.environment, **self.own_environment})
        if self.image is not None:
            checks.check_image(self.image)
            if self.layers:
                raise ConfigError(
                    "a function from an image cannot have layers", hint="Put their content into the image"
                )
        if self.has_snapstart:
            checks.check_snapstart(python=self.python, image=self.image, ephemeral_mb=self.ephemeral_mb)
        checks.check_network(self.subnets, self.security_groups)
        if self.reserved_concurrency is not None and self.reserved_concurrency < 1:
            raise ConfigError("a reserved concurrency below 1 stops the function", hint="Give 1 or more, or none")

    @property
    def runtime(self) -> str:
        """Lambda's name of its runtime."""
        return f"python{self.python}"


@dataclass(frozen=True, kw_only=True)
class StackSpec:
    """The requested state of a deployment.

    Attributes:
        function: The function; the stack has its name.
        bucket: An existing bucket, to be used instead of one that the stack creates.
        kms_key: ARN of the key that the stack's bucket is encrypted with; None for S3's own keys.
        log_days: After how many days log events are deleted.
        job_days: After how many days what a job left in the bucket is deleted.
        blob_days: After how many days values kept to be used again are deleted.
        has_trigger: Whether objects put under `lambdamagic/trigger/` invoke the function.
        has_repository: Whether there is an ECR repository for images.
        has_invoker: Whether there is a function that hands many events to Lambda's queue in one request.
        has_graphs: Whether graphs run in the function without their client: its role may then invoke the function
            itself, and use one prefix of the bucket.
        data_buckets: Buckets that the user's code may read, as `name`, or read and write, as `name:write`.
        permissions_boundary: ARN of a policy that bounds the role, if the organization requires one.
        requirements: The function's packages in addition to lambdamagic, as pip takes them.
        versions: What that was resolved to, as `name==version`, so that a repetition gives the same.

    Raises:
        ConfigError: Something is not as AWS takes it.
    """

    function: FunctionSpec
    bucket: str | None = None
    kms_key: str | None = None
    log_days: int = 14
    job_days: int = 7
    blob_days: int = 30
    has_trigger: bool = False
    has_repository: bool = False
    has_invoker: bool = False
    has_graphs: bool = False
    data_buckets: tuple[str, ...] = ()
    permissions_boundary: str | None = None
    requirements: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.check_stack_name(self.function.name)
        checks.check_retention(self.log_days)
        if self.kms_key is not None:
            checks.check_kms_key(self.kms_key)
        if self.permissions_boundary is not None:
            checks.check_boundary(self.permissions_boundary)
        for data_bucket in self.data_buckets:
            checks.check_data_bucket(data_bucket)
        if self.bucket is not None:
            checks.check_bucket(self.bucket)
            if self.kms_key:
                raise ConfigError("an existing bucket keeps its own KMS key", hint="Leave out --kms-key")
            if self.has_trigger:
                raise ConfigError(
                    "a trigger changes the bucket's notifications, but this bucket is not the stack's own",
                    hint="Leave out --bucket or --trigger",
                )
        if self.function.has_snapstart:
            for option in ("trigger", "invoker", "graphs"):
                if getattr(self, f"has_{option}"):
                    raise ConfigError(
                        f"SnapStart is for the published version, and --{option} sends events to the function itself",
                        hint=f"Leave out --{option} or --snapstart",
                    )
        checks.check_environment(self.variables)
        for what, days in (("--job-days", self.job_days), ("--blob-days", self.blob_days)):
            if days < 1:
                raise ConfigError(f"{what} {days} would delete objects in use", hint="Give 1 or more")

    @property
    def name(self) -> str:
        """The stack's name, which is the function's."""
        return self.function.name

    @property
    def invoker_name(self) -> str:
        """The name that the invoker has, where there is one."""
        return self.name + INVOKER_SUFFIX

    @property
    def variables(self) -> dict[str, str]:
        """The function's environment variables, including those of its code and its invoker."""
        invoker = {INVOKER_VARIABLE: self.invoker_name} if self.has_invoker else {}
        graphs = {GRAPHS_VARIABLE: "1"} if self.has_graphs else {}
        return {**self.function.environment, **self.function.own_environment, **invoker, **graphs}

    def with_code(self, layers: tuple[str, ...], environment: Mapping[str, str]) -> StackSpec:
        """Return this spec with the layers and variables of the function's code."""
        function = replace(self.function, own_layers=layers, own_environment=environment)
        return replace(self, function=function)

    def remembered(self) -> dict[str, Any]:
        """Return the spec as the template stores it, so that the next deployment keeps what is not given again."""
        values = asdict(self)
        function = {key: value for key, value in values.pop("function").items() if not key.startswith("own_")}
        function["environment"] = dict(self.function.environment)
        # A template takes no nulls, and what is empty is what it is when nothing is said.
        return {**_said(values), "function": _said(function)}

    @classmethod
    def changed(cls, remembered: Mapping[str, Any], **given: Any) -> StackSpec:
        """Return the stored spec with the given values replaced; None means not given.

        Args:
            remembered: What `remembered` returned, perhaps of another version; empty for a first deployment.
            given: Fields of this class and of `FunctionSpec`.
        """
        own = {each.name for each in fields(FunctionSpec)}
        around = {each.name for each in fields(cls)} - {"function"}
        wanted = {key: value for key, value in given.items() if value is not None}
        was = dict(remembered.get("function", {}))
        function = {**_known(was, own), **_known(wanted, own)}
        return cls(function=FunctionSpec(**function), **{**_known(remembered, around), **_known(wanted, around)})


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, (), {})}


def _known(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in names}
