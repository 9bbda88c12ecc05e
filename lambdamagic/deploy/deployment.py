"""Reconcile the stack with its spec; idempotent and resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.differences import Change, differences
from lambdamagic.deploy.model import TAG, StackSpec
from lambdamagic.deploy.stack import OnEvent, Stack, StackState
from lambdamagic.deploy.template import template, to_text
from lambdamagic.deploy.unused_packages import remove_unused_packages
from lambdamagic.errors import AwsBusyError, LambdaMagicError, NotOursError

_ROUNDS = 8
_UNUSABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


class Code(Protocol):
    """The function's code, ready to be uploaded."""

    def parameters(self) -> dict[str, str]:
        """Return the template's parameters that say where it is, but for the bucket."""
        ...

    def environment(self) -> dict[str, str]:
        """Return the environment variables that belong to it."""
        ...

    def layers(self) -> tuple[str, ...]:
        """Return which of lambdamagic's layers it has."""
        ...

    def upload(self, access: AwsAccess, bucket: str) -> None:
        """Upload the objects that the bucket does not have yet."""
        ...


@dataclass(frozen=True)
class Plan:
    """The changes that a deployment would make.

    Attributes:
        changes: To resources; empty if all is as wanted.
        is_new: Whether there is nothing yet.
        note: What is peculiar about the stack's present state.
    """

    changes: tuple[Change, ...]
    is_new: bool
    note: str = ""


@dataclass(frozen=True)
class Deployed:
    """The result of a deployment.

    Attributes:
        has_changed: Whether anything was made or changed.
        is_first: Whether there was no function of this deployment before.
        function: The function's name.
        bucket: The bucket's name.
        outputs: All outputs of the stack.
    """

    has_changed: bool
    is_first: bool
    function: str
    bucket: str
    outputs: Mapping[str, str] = field(default_factory=dict)


class Deployment:
    """Reconciles a stack with its spec.

    Whatever was done already is found and kept, so that a run that was killed anywhere is finished by the next.

    Args:
        access: The account.
        spec: The requested state.
        code: What the function is made of; None for one from an image.
        on_event: Called with CloudFormation's events.
        on_note: Called with other progress, as a line of text.
        clock: The time.
    """

    def __init__(
        self,
        access: AwsAccess,
        spec: StackSpec,
        *,
        code: Code | None,
        on_event: OnEvent | None = None,
        on_note: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._access = access
        self._spec = spec.with_code(code.layers(), code.environment()) if code is not None else spec
        self._code = code
        self._note = on_note or (lambda line: None)
        self._stack, self._clock = Stack(access, spec.name, on_event=on_event, clock=clock), clock

    def plan(self, *, with_replacements: bool = True) -> Plan:
        """Return the changes that `apply` would make. Changes nothing.

        Args:
            with_replacements: Whether to find what is replaced, with a change set that is then deleted.

        Raises:
            NotOursError: A resource of this name is not lambdamagic's.
        """
        wanted = template(self._spec)
        state = self._stack.state()
        if state is None or state.status in _UNUSABLE:
            self._check_names()
            note = "" if state is None else f"The remains of an earlier run ({state.status}) are deleted first."
            return Plan(tuple(differences({}, wanted, {}, {})), is_new=True, note=note)
        bucket = state.outputs.get("Bucket", "")
        parameters = self._parameters(bucket)
        found = self._stack.template()
        if "Function" not in found.get("Resources", {}):
            self._check_names()
        elif "InvokerFunction" not in found["Resources"]:
            self._check_invokers_name()
        changes = differences(found, wanted, state.parameters, parameters)
        replaced: dict[str, str] = {}
        if changes and with_replacements and not state.is_busy:
            with suppress(LambdaMagicError):  # without the right to make change sets the plan is as good, but for this
                replaced = self._stack.replacements(to_text(wanted), parameters)
        note = f"Another process is changing it right now ({state.status})." if state.is_busy else ""
        return Plan(tuple(change.with_replacement(replaced) for change in changes), is_new=False, note=note)

    @staticmethod
    def remembered(access: AwsAccess, name: str) -> dict[str, Any]:
        """Return the stored spec of the last deployment of this name; empty if there is none.

        Raises:
            NotOursError: There is a stack of this name that lambdamagic has not made.
        """
        stack = Stack(access, name)
        state = stack.state()
        if state is None or state.status in _UNUSABLE:
            return {}
        return dict(stack.template().get("Metadata", {}).get("lambdamagic", {}))

    def apply(self) -> Deployed:
        """Reconcile the stack with the spec.

        Raises:
            NotOursError: A resource of this name is not lambdamagic's; nothing was changed.
            StackFailedError: CloudFormation failed and rolled back.
            AwsBusyError: Others keep changing it, or AWS takes too long.
        """
        has_changed = is_first = False
        wanted = to_text(template(self._spec))
        for _ in range(_ROUNDS):
            state = self._settled()
            if state is None:
                if self._make_first(wanted):
                    has_changed = True
                continue
            bucket = state.outputs.get("Bucket") or self._spec.bucket or ""
            is_first = is_first or "FunctionName" not in state.outputs
            if self._code is not None:
                self._code.upload(self._access, bucket)
            if "FunctionName" not in state.outputs and not self._has_names():
                continue
            if "InvokerName" not in state.outputs and not self._has_invokers_name():
                continue
            began = self._stack.update(wanted, self._parameters(bucket))
            if began is None:
                continue  # another process began to change it
            if began:
                has_changed = True
                state = self._stack.wait()
                if state is None or state.status != "UPDATE_COMPLETE":
                    raise self._stack.failure("change", state)
            elif "FunctionName" not in state.outputs:
                continue  # another process is creating it right now
            if has_changed:
                self._remove_unused_packages(state.outputs["Bucket"])
            return Deployed(
                has_changed, is_first, state.outputs["FunctionName"], state.outputs["Bucket"], state.outputs
            )
        raise AwsBusyError(
            f"the stack {self._spec.name} is repeatedly changed by other processes", hint="Try again later"
        )

    def _settled(self) -> StackState | None:
        """Return the stack once it is idle and can be changed; None if it does not exist."""
        state = self._stack.state()
        if state is not None and state.is_busy:
            self._note(f"CloudFormation is already changing {state.name} ({state.status}); waiting for it to finish.")
            state = self._stack.wait()
        if state is None:
            return None
        if state.status in _UNUSABLE:
            self._note(f"An earlier run was left as {state.status}; deleting it first.")
            self._stack.delete()
            left = self._stack.wait(state.id)
            if left is not None:
                raise self._stack.failure("delete the remains of", left)
            return None
        if state.status == "DELETE_FAILED":
            error = self._stack.failure("use", state)
            error.hint = "Finish deleting it first: `lambdamagic destroy`"
            raise error
        if state.status == "UPDATE_ROLLBACK_FAILED":
            self._note("An earlier rollback is incomplete; completing it.")
            self._stack.continue_rollback()
            state = self._stack.wait()
            if state is None or state.status != "UPDATE_ROLLBACK_COMPLETE":
                raise self._stack.failure("repair", state)
        return state

    def _make_first(self, wanted: str) -> bool:
        """Make the stack: with its bucket only, where the package must be put there before the function is made."""
        if not self._has_names():
            return False
        needs_bucket = self._code is not None and self._spec.bucket is None
        if needs_bucket:
            body, parameters = to_text(template(self._spec, with_function=False)), {}
        else:
            if self._code is not None and self._spec.bucket is not None:
                self._code.upload(self._access, self._spec.bucket)
            body, parameters = wanted, self._parameters(self._spec.bucket or "")
        if not self._stack.create(body, parameters):
            return False
        state = self._stack.wait()
        if state is None or state.status != "CREATE_COMPLETE":
            raise self._stack.failure("make", state)
        return True

    def _parameters(self, bucket: str) -> dict[str, str]:
        return {} if self._code is None else {"CodeBucket": bucket, **self._code.parameters()}

    def _remove_unused_packages(self, bucket: str) -> None:
        """Delete old packages in the stack's own bucket; without the permission they are kept."""
        if self._spec.bucket is None:
            used = self._parameters(bucket).values()
            with suppress(LambdaMagicError):
                remove_unused_packages(self._access, bucket, used={*used}, now=self._clock.time())

    def _has_names(self) -> bool:
        """Return whether the names are free; False if another run of this deployment has taken them.

        Raises:
            NotOursError: A resource that is not lambdamagic's has.
        """
        return self._is_free(self._check_names, "FunctionName")

    def _has_invokers_name(self) -> bool:
        """Return the same for the invoker's name."""
        return self._is_free(self._check_invokers_name, "InvokerName")

    def _is_free(self, check: Callable[[], None], output: str) -> bool:
        try:
            check()
        except NotOursError:
            state = self._stack.state()
            if state is None or not (state.is_busy or output in state.outputs):
                raise
            return False
        return True

    def _check_names(self) -> None:
        """Check that the stack's resources do not exist yet, since CloudFormation would fail half-way."""
        self._check_name(self._spec.name)
        self._check_invokers_name()

    def _check_invokers_name(self) -> None:
        if self._spec.has_invoker:
            self._check_name(self._spec.invoker_name)

    def _check_name(self, name: str) -> None:
        """Check that neither a function nor a log group of this name exists."""
        tags = function_tags(self._access, name)
        if tags is not None:
            whose = "`lambdamagic create` created" if TAG in tags else "lambdamagic did not create"
            raise NotOursError(
                f"a function {name!r} exists that {whose}; nothing was changed",
                hint="Choose another name: `lambdamagic deploy NAME`"
                + ("" if TAG not in tags else f", or delete it: `lambdamagic delete {name}`"),
            )
        group = f"/aws/lambda/{name}"
        with explained(f"look for the log group {group}"), client(self._access, "logs") as logs:
            found: list[dict[str, Any]] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if any(each["logGroupName"] == group for each in found):
            raise NotOursError(
                f"the log group {group} exists already, from a deleted function of this name; nothing was changed",
                hint=f"Delete it with `aws logs delete-log-group --log-group-name {group}`, or choose another name",
            )


def function_tags(access: AwsAccess, name: str) -> dict[str, str] | None:
    """Return a function's tags, or None if there is no such function."""
    from botocore.exceptions import ClientError

    with explained(f"look at the function {name}", function=name), client(access, "lambda") as lambda_:
        try:
            return dict(lambda_.get_function(FunctionName=name).get("Tags", {}))
        except ClientError as error:
            if is_code(error, "ResourceNotFoundException"):
                return None
            raise
