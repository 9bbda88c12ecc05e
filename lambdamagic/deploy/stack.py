"""One CloudFormation stack: read, create, update, delete, and wait."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.aws_errors import missing_right
from lambdamagic.aws.proxies import is_loopback
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.model import STACK_TAG, TAG
from lambdamagic.errors import AwsBusyError, NotOursError, StackFailedError

_POLL_S = 2.0
_LOCAL_POLL_S = 0.05
_DEADLINE_S = 15 * 60.0


@dataclass(frozen=True)
class StackEvent:
    """An event of a resource of the stack.

    Attributes:
        id: CloudFormation's id of the event.
        at: When.
        resource: The resource's logical id, or the stack's name.
        kind: Its type, such as `AWS::S3::Bucket`.
        status: Such as `CREATE_COMPLETE`.
        reason: Why, where AWS says so.
    """

    id: str
    at: datetime
    resource: str
    kind: str
    status: str
    reason: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether this resource failed by itself, and not because another one did."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()

    @property
    def done(self) -> str:
        """The resource's state in a word such as `created`; empty while it begins, and for the stack."""
        if self.status.endswith("_IN_PROGRESS") or self.kind == "AWS::CloudFormation::Stack":
            return ""
        if self.status.endswith("_FAILED"):
            return "failed"
        done = self.status.removesuffix("_COMPLETE").lower()
        return {"create": "created", "update": "updated", "delete": "deleted"}.get(done, done)


@dataclass(frozen=True)
class StackState:
    """The stack at one moment."""

    id: str
    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_ours(self) -> bool:
        """Whether lambdamagic made it."""
        return TAG in self.tags


_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")  # API reference, CreateStack
OnEvent = Callable[[StackEvent], None]


class Stack:
    """A stack by its name.

    Args:
        access: The account.
        name: The stack's name.
        on_event: Called with the events while it is waited for.
        clock: The time.
    """

    def __init__(
        self, access: AwsAccess, name: str, *, on_event: OnEvent | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._access = access
        self.name = name
        self._on_event = on_event or (lambda event: None)
        self._clock = clock
        self._seen: set[str] = set()

    def state(self, stack_id: str | None = None) -> StackState | None:
        """Return its state, or None if it does not exist.

        Raises:
            NotOursError: There is one of this name that lambdamagic has not made.
        """
        if stack_id is None and not _NAME.fullmatch(self.name):
            return None  # no stack can have this name; a function may
        with client(self._access, "cloudformation") as cloudformation:
            return self._look(cloudformation, stack_id or self.name)

    def _look(self, cloudformation: Any, stack: str) -> StackState | None:
        from botocore.exceptions import ClientError

        with explained(f"look at the stack {self.name}"):
            try:
                found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
            except ClientError as error:
                if is_code(error, "ValidationError") and "does not exist" in str(error):
                    return None
                raise
        state = StackState(
            id=found["StackId"],
            name=found["StackName"],
            status=found["StackStatus"],
            reason=found.get("StackStatusReason", ""),
            outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
            parameters={each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])},
            tags={each["Key"]: each["Value"] for each in found.get("Tags", [])},
        )
        if not state.is_ours:
            raise NotOursError(
                f"a stack {self.name!r} exists that lambdamagic did not create; nothing was changed",
                hint="Choose another name: `lambdamagic deploy NAME`",
            )
        return state

    def template(self) -> dict[str, Any]:
        """Return its current template."""
        with (
            explained(f"read the template of the stack {self.name}"),
            client(self._access, "cloudformation") as cloudformation,
        ):
            body = cloudformation.get_template(StackName=self.name)["TemplateBody"]
        return dict(json.loads(body) if isinstance(body, str) else body)

    def create(self, body: str, parameters: Mapping[str, str]) -> bool:
        """Begin to create it; return False if another process has created it in the meantime."""
        from botocore.exceptions import ClientError

        with explained(f"create the stack {self.name}"), client(self._access, "cloudformation") as cloudformation:
            self._skip_old_events(cloudformation)
            try:
                cloudformation.create_stack(**self._arguments(body, parameters), OnFailure="ROLLBACK")
            except ClientError as error:
                if is_code(error, "AlreadyExistsException"):
                    return False
                raise
        return True

    def update(self, body: str, parameters: Mapping[str, str]) -> bool | None:
        """Begin to change it; return False if nothing differs, None if it cannot be changed in its present state."""
        from botocore.exceptions import ClientError

        with explained(f"update the stack {self.name}"), client(self._access, "cloudformation") as cloudformation:
            self._skip_old_events(cloudformation)
            try:
                cloudformation.update_stack(**self._arguments(body, parameters))
            except ClientError as error:
                if is_code(error, "ValidationError") and "No updates are to be performed" in str(error):
                    return False
                if is_code(error, "ValidationError") and "can not be updated" in str(error):
                    return None
                raise
        return True

    def delete(self) -> None:
        """Begin to delete it; it may be gone, or being deleted, already."""
        with explained(f"delete the stack {self.name}"), client(self._access, "cloudformation") as cloudformation:
            self._skip_old_events(cloudformation)
            cloudformation.delete_stack(StackName=self.name)

    def continue_rollback(self) -> None:
        """Begin to repair a stack whose rollback failed."""
        with explained(f"repair the stack {self.name}"), client(self._access, "cloudformation") as cloudformation:
            self._skip_old_events(cloudformation)
            cloudformation.continue_update_rollback(StackName=self.name)

    def replacements(self, body: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return which resources CloudFormation would replace (`True`, `False`, `Conditional`), by a change set.

        The change set is deleted again; nothing is changed.
        """
        name = f"lambdamagic-plan-{int(self._clock.time() * 1000)}"
        with explained(f"plan a change of {self.name}"), client(self._access, "cloudformation") as cloudformation:
            cloudformation.create_change_set(
                **self._arguments(body, parameters), ChangeSetName=name, ChangeSetType="UPDATE"
            )
            try:
                found = cloudformation.describe_change_set(StackName=self.name, ChangeSetName=name)
                deadline = self._clock.monotonic() + 60
                while found["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                    if self._clock.monotonic() > deadline:
                        break
                    self._clock.sleep(self._poll_s())
                    found = cloudformation.describe_change_set(StackName=self.name, ChangeSetName=name)
            finally:
                cloudformation.delete_change_set(StackName=self.name, ChangeSetName=name)
        changes = [change["ResourceChange"] for change in found.get("Changes", []) if "ResourceChange" in change]
        return {change["LogicalResourceId"]: change.get("Replacement", "") for change in changes}

    def wait(self, stack_id: str | None = None) -> StackState | None:
        """Wait until CloudFormation has done its work; return how the stack is then, None if it is gone.

        Raises:
            AwsBusyError: It takes longer than a quarter of an hour.
        """
        began = self._clock.monotonic()
        state = self.state(stack_id)
        if state is not None and not state.is_busy and not self._seen:
            return state  # nothing was begun, and what happened long ago is no news
        with client(self._access, "cloudformation") as cloudformation:
            while state is not None:
                self._report_events(cloudformation, state.id)
                if state.status == "DELETE_COMPLETE":
                    return None
                if not state.is_busy:
                    return state
                waited_s = self._clock.monotonic() - began
                if waited_s > _DEADLINE_S:
                    raise AwsBusyError(
                        f"the stack {self.name} is still in {state.status} after {_DEADLINE_S / 60:.0f} minutes",
                        hint="Check `lambdamagic status`, and run the command again: it continues from there",
                    )
                # Each look costs the embedded Lambda as much as a resource of the stack: the longer, the fewer.
                self._clock.sleep(min(_POLL_S, max(self._poll_s(), waited_s / 4)))
                state = self._look(cloudformation, state.id)
        return None

    def events(self, stack_id: str | None = None) -> list[StackEvent]:
        """Return its events, the oldest first."""
        with explained(f"look at the stack {self.name}"), client(self._access, "cloudformation") as cloudformation:
            return self._events(cloudformation, stack_id or self.name)

    def failure(self, doing: str, state: StackState | None) -> StackFailedError:
        """Return the error for a failed stack, with the resource that failed first."""
        status = state.status if state is not None else "deleted"
        failed = [event for event in self.events(state.id if state else None) if event.is_failure]
        latest = failed[-3:]
        what = "; ".join(f"{event.resource} ({event.kind}): {event.reason}" for event in latest)
        hint = "Fix the cause above and run the command again: it continues from the current state"
        if missing_right(what) is not None:
            hint = "Ask for the policy that `lambdamagic policy deployer` prints, and run the command again"
        return StackFailedError(
            f"could not {doing} the stack {self.name}: it ended as {status}" + (f". {what}" if what else ""), hint=hint
        )

    def _arguments(self, body: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return {
            "StackName": self.name,
            "TemplateBody": body,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": [{"Key": key, "Value": value} for key, value in STACK_TAG.items()],
        }

    def _poll_s(self) -> float:
        url = self._access.endpoint_url or ""
        return _LOCAL_POLL_S if is_loopback(url) else _POLL_S

    def _skip_old_events(self, cloudformation: Any) -> None:
        from botocore.exceptions import ClientError

        try:
            self._seen |= {event.id for event in self._events(cloudformation, self.name)}
        except ClientError as error:
            if not is_code(error, "ValidationError"):  # there is no such stack
                raise

    def _report_events(self, cloudformation: Any, stack_id: str) -> None:
        with explained(f"look at the stack {self.name}"):
            events = self._events(cloudformation, stack_id)
        for event in events:
            if event.id not in self._seen:
                self._seen.add(event.id)
                self._on_event(event)

    def _events(self, cloudformation: Any, stack: str) -> list[StackEvent]:
        # The last hundred are enough: a run makes about forty.
        answer = cloudformation.describe_stack_events(StackName=stack)
        events = [
            StackEvent(
                id=found["EventId"],
                at=found["Timestamp"],
                resource=found["LogicalResourceId"],
                kind=found["ResourceType"],
                status=found["ResourceStatus"],
                reason=found.get("ResourceStatusReason", ""),
            )
            for found in answer["StackEvents"]
        ]
        return events[::-1]
