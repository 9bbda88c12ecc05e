"""Find the function that runs jobs, or create it in the requested size."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.proxies import is_loopback
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.model import FUNCTION_TAG, GRAPHS_VARIABLE, HANDLER, INVOKER_HANDLER, INVOKER_SUFFIX
from lambdamagic.errors import (
    AwsBusyError,
    BucketMissingError,
    DeployError,
    FunctionMissingError,
    NotOursError,
    TargetError,
)
from lambdamagic.limits import AWS_LAMBDA, AWS_MANAGED_INSTANCES, ComputeLimits
from lambdamagic.protocol.batch import INVOKER_VARIABLE
from lambdamagic.protocol.bounds import EVENT_AGE_S
from lambdamagic.protocol.holdings import VARIABLE
from lambdamagic.protocol.keys import variant_prefix

ROLE_NAME = "lambdamagic-function"
_READY_TIMEOUT_S = 180.0

# On this machine a function may do what its user may, so also all of the embedded Lambda's services.
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_ASSUME_ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def variant_name(base: str, memory_mb: int, timeout_s: int, python: str) -> str:
    """Return the name of the function of one size; pure, so that every session finds the same one."""
    return f"{variant_prefix(base)}-py{python.replace('.', '')}-{memory_mb}mb-{timeout_s}s"


class FunctionMaker:
    """Creates functions whose environment already has lambdamagic, each once. Thread-safe.

    That is the embedded Lambda's case: its execution environments run this very Python with all that is installed.

    Args:
        access: The account.
    """

    def __init__(self, access: AwsAccess) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._role_arn: str | None = None

    def ensure(self, name: str, *, memory_mb: int, timeout_s: int, python: str) -> str:
        """Return the name of a function of this size, created if it does not exist; waits until it is active.

        Raises:
            TargetError: It could not be made.
        """
        with self._lock:
            if name not in self._known:
                self._make(name, memory_mb, timeout_s, python)
                self._known.add(name)
        return name

    def _make(self, name: str, memory_mb: int, timeout_s: int, python: str) -> None:
        with explained(f"create the function {name}"), closing(self._access.client("lambda")) as client:
            role = self._role()
            try:
                client.create_function(
                    FunctionName=name,
                    Runtime=f"python{python}",
                    Role=role,
                    Handler=HANDLER,
                    Code={"ZipFile": _marker_zip()},
                    MemorySize=memory_mb,
                    Timeout=timeout_s,
                    Environment={"Variables": {GRAPHS_VARIABLE: "1"}},  # its role may do everything
                    Tags=FUNCTION_TAG,
                )
            except client.exceptions.ResourceConflictException:
                return  # another session made it
            wait_until_ready(client, name)

    def _role(self) -> str:
        if self._role_arn is None:
            with closing(self._access.client("iam")) as iam:
                try:
                    made = iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(_ASSUME_ROLE))
                except iam.exceptions.EntityAlreadyExistsException:
                    made = iam.get_role(RoleName=ROLE_NAME)
                iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING))
            self._role_arn = str(made["Role"]["Arn"])
        return self._role_arn


def _marker_zip() -> bytes:
    """Return a package with nothing but a note: the code is already in the environment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("lambdamagic.txt", date_time=(1980, 1, 1, 0, 0, 0))
        archive.writestr(info, "This function's environment holds lambdamagic itself.\n")
    return buffer.getvalue()


def forbid_event_retries(access: AwsAccess, name: str) -> None:
    """Let Lambda run each event of a function at most once: by default it runs failed ones three times.

    Raises:
        TargetError: These credentials may not say so.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    with closing(access.client("lambda")) as client:
        try:
            # `lambdamagic deploy` has said so already; who only uses the function may look, and need not be able to set
            if client.get_function_event_invoke_config(FunctionName=name).get("MaximumRetryAttempts") == 0:
                return
        except (BotoCoreError, ClientError):
            pass  # there is none, or these credentials may not look
        try:
            client.put_function_event_invoke_config(
                FunctionName=name, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=EVENT_AGE_S
            )
        except (BotoCoreError, ClientError) as error:
            raise TargetError(
                f"could not turn off Lambda's retries of events of {name}: {error}",
                hint="Allow lambda:PutFunctionEventInvokeConfig, or run with --mode sync",
            ) from error


@dataclass(frozen=True)
class FunctionFacts:
    """Lambda's facts about a function.

    Attributes:
        name: As it was asked for.
        memory_mb: Its memory.
        timeout_s: Its timeout.
        runtime: Such as `python3.12`; empty for an image.
        arch: `x86_64` or `arm64`.
        state: `Active`, or what Lambda says instead.
        held: The variable that describes what it holds; None if it is missing or may not be read.
        handler: What Lambda calls in it; empty for an image, which may say it itself.
        invoker: The function that sends it many events at once, as it is to be asked for; empty where there is none.
        runs_graphs: Whether its role was given what graphs need.
        configuration: Everything.
    """

    name: str
    memory_mb: int
    timeout_s: int
    runtime: str
    arch: str
    state: str
    held: str | None
    handler: str
    invoker: str
    runs_graphs: bool
    configuration: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, name: str, configuration: Mapping[str, Any]) -> FunctionFacts:
        """Read what GetFunctionConfiguration answered."""
        variables = (configuration.get("Environment") or {}).get("Variables", {})
        return cls(
            name=name,
            memory_mb=configuration["MemorySize"],
            timeout_s=configuration["Timeout"],
            runtime=str(configuration.get("Runtime") or ""),
            arch=(configuration.get("Architectures") or ["x86_64"])[0],
            state=str(configuration.get("State") or "Active"),
            held=variables.get(VARIABLE),
            handler="" if configuration.get("PackageType") == "Image" else str(configuration.get("Handler") or ""),
            invoker=_invoker_next_to(name, variables.get(INVOKER_VARIABLE, "")),
            runs_graphs=variables.get(GRAPHS_VARIABLE) == "1",
            configuration=configuration,
        )

    @property
    def limits(self) -> ComputeLimits:
        """What its kind of compute takes."""
        return AWS_MANAGED_INSTANCES if self.configuration.get("CapacityProviderConfig") else AWS_LAMBDA

    @property
    def is_restored(self) -> bool:
        """Whether its environments continue from a snapshot (SnapStart): those of published versions do."""
        return has_snapstart(self.configuration) and self.configuration.get("Version") != "$LATEST"

    def check_ours(self) -> None:
        """Reject a function whose other handler would receive code, a job's key and presigned URLs.

        An image's handler is unknown; such a function shows by its first answer whether it is lambdamagic's.

        Raises:
            NotOursError: It has another handler; nothing was sent.
        """
        if self.handler == INVOKER_HANDLER:
            raise NotOursError(
                f"the function {self.name} is an invoker, which runs no code itself; nothing was sent",
                hint=f"Use the function that it invokes: {self.name.removesuffix(INVOKER_SUFFIX)}",
            )
        if self.handler and self.handler != HANDLER:
            raise NotOursError(
                f"the function {self.name} is not lambdamagic's: its handler is {self.handler}, not {HANDLER}; "
                "nothing was sent",
                hint="Set LAMBDAMAGIC_FUNCTION to one from `lambdamagic list`, or run `lambdamagic deploy`; "
                "to send it your own event, use `lambdamagic invoke NAME --payload JSON`",
            )


def has_snapstart(configuration: Mapping[str, Any]) -> bool:
    """Return whether versions of a function get a snapshot."""
    return (configuration.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions"


def bare_name(reference: str) -> str:
    """Return a function's name alone, from a name or ARN with or without a version or an alias."""
    return reference.rpartition(":function:")[2].partition(":")[0]


def _invoker_next_to(name: str, invoker: str) -> str:
    """Return an invoker's name in the account and region of its function.

    An event for a version or an alias must go to just that; an invoker's right is on the function.
    """
    before, separator, bare = name.rpartition(":function:")
    return f"{before}{separator}{invoker}" if invoker and ":" not in bare else ""


def describe_function(access: AwsAccess, name: str) -> FunctionFacts:
    """Return the facts of a function.

    Raises:
        FunctionMissingError: There is no such function.
        TargetError: These credentials may not look, or Lambda cannot be reached.
    """
    with explained(f"look at the function {name}", function=name), closing(access.client("lambda")) as client:
        try:
            found = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException as error:
            raise FunctionMissingError(
                f"no function {name!r} in this account and region",
                hint="Create it with `lambdamagic deploy`, or choose one from `lambdamagic list`",
            ) from error
    return FunctionFacts.read(name, found)


def wait_until_ready(client: Any, name: str, clock: Clock = SYSTEM_CLOCK) -> FunctionFacts:
    """Wait until a new or updated function can be used, and return its facts; polls, since Lambda has no other way.

    Raises:
        DeployError: AWS could not make or change it.
        AwsBusyError: It took too long.
    """
    deadline = clock.monotonic() + _READY_TIMEOUT_S
    while True:
        found = client.get_function_configuration(FunctionName=name)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if "Failed" in (state, update):
            why = found.get("StateReason") or found.get("LastUpdateStatusReason") or "AWS gives no reason"
            raise DeployError(f"the function {name} did not become active: {why}")
        if state != "Pending" and update != "InProgress":
            return FunctionFacts.read(name, found)
        if clock.monotonic() > deadline:
            raise AwsBusyError(f"the function {name} is still {state}, {update} after {_READY_TIMEOUT_S:.0f} s")
        clock.sleep(0.05 if is_loopback(client.meta.endpoint_url) else 1.0)


def ensure_bucket(access: AwsAccess, name: str) -> str:
    """Return a bucket's name; create the bucket if it does not exist.

    Raises:
        BucketMissingError: The name belongs to another account.
    """
    with explained(f"create the bucket {name}"), closing(access.client("s3")) as client:
        try:
            client.create_bucket(Bucket=name)
        except client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except client.exceptions.BucketAlreadyExists as error:
            raise BucketMissingError(
                f"the bucket {name!r} belongs to another account", hint="Choose another name"
            ) from error
    return name


def account_concurrency(access: AwsAccess) -> int | None:
    """Return how many invocations may run at once in this account and region, or None where that may not be asked.

    One request ("GetAccountSettings", Lambda API reference), which is not tried again and not waited for long.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    config = {"retries": {"total_max_attempts": 1}, "connect_timeout": 3, "read_timeout": 3}
    with closing(access.client("lambda", **config)) as client:
        try:
            limit = client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
        except (BotoCoreError, ClientError, KeyError):
            return None
    return int(limit)
