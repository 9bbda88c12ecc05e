"""Faults by script: what AWS does on a bad day, on demand, so that a client's retries can be tested.

A rule applies to the next `count` requests, or to a seeded fraction of them. `Faults` is the client:

    faults = Faults(server.connection)
    faults.throttle(count=3)
    faults.slow_s3(delay_s=0.5, fraction=0.1, seed=7)
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.local.local_server import LocalConnection, signed_request
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import Loss
from lambdamagic.local.server.observing import FAULTS_PATH, HELD_PATH, STATS_PATH, Fault

LOSSES = {"cut_head": "head", "cut_body": "body", "hole": "all"}
INVOKE_KINDS = ("throttle", "error", "drop_before", "drop_after", "kill", "duplicate", *LOSSES)
S3_KINDS = ("s3_error", "s3_delay", "s3_drop", *(f"s3_{kind}" for kind in LOSSES))
SESSION_KINDS = ("session",)
FREEZE_KINDS = ("frozen",)
API_KINDS = ("api_error", "api_hold", "stack_delete_error", "stack_error")


@dataclass
class FaultRule:
    """One fault.

    Attributes:
        kind: `throttle` (429), `error` (a 5xx), `drop_before` and `drop_after` (the connection closes before or
            after the function ran), `kill` (the environment dies in the middle of the task), `duplicate` (the
            event is run twice), `cut_head`, `cut_body` and `hole` (it runs, and the answer breaks off within its
            head or body, or never comes while the line stays open), `s3_error` (503 SlowDown unless `status` says
            otherwise), `s3_delay`, `s3_drop`, `s3_cut_head`, `s3_cut_body`, `s3_hole`, `api_error` (any service's
            operation answers `status` and `code`), `frozen` (the connections of an environment that was frozen for
            `delay_s` and is now used again are dead without a word), `api_hold` (it is carried out, but its answer is
            held back until the rules are replaced or cleared), `stack_error` (CloudFormation cannot make or change
            the resource whose logical id is `operation`), `stack_delete_error` (nor delete it).
        count: How many requests it hits; None is every one.
        fraction: Hit only this share of the requests, drawn from `seed`.
        seed: Makes the draws repeatable.
        function: Only invocations of this function; None is all.
        skip: Let as many requests pass that it would hit.
        service: For `api_error` and `api_hold`: only this service, by the name that it is signed with, e.g.
            `cloudformation`.
        operation: Only this operation, e.g. `GetObject`; None is all. Lambda's are `PUT /2015-03-31/...`: method and
            beginning of the path.
        code: AWS's error code, for `error`, `api_error` and `s3_error`; by default one that fits.
        text: The message, for the same.
        status: The HTTP status of `error` and `s3_error`.
        delay_s: For `s3_delay`: how long the answer waits; for `kill`: how long the task may run before; for
            `duplicate` of an event: how long the second delivery waits; for `frozen`: the shortest freeze.
    """

    kind: str
    count: int | None = 1
    fraction: float = 1.0
    seed: int = 0
    function: str | None = None
    operation: str | None = None
    skip: int = 0
    service: str | None = None
    code: str = ""
    text: str = ""
    status: int = 500
    delay_s: float = 0.0


@dataclass(slots=True)
class _Armed:
    rule: FaultRule
    draws: random.Random = field(default_factory=random.Random)
    since: float = 0.0

    def hits(self) -> bool:
        if self.rule.fraction < 1.0 and self.draws.random() >= self.rule.fraction:
            return False
        if self.rule.skip > 0:
            self.rule.skip -= 1
            return False
        if self.rule.count is not None:
            self.rule.count -= 1
        return True

    def loss(self, kind: str) -> Loss | None:
        return Loss(LOSSES[kind], self.draws.random()) if kind in LOSSES else None


class FaultPlan:
    """The server's side: the rules that are armed. Lives in the event loop."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._is_held = asyncio.Event()
        self._is_released = asyncio.Event()

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """Arm these rules instead of what was armed.

        Raises:
            AwsError: A rule is not one.
        """
        armed = []
        for values in rules:
            try:
                rule = FaultRule(**values)
            except TypeError as error:
                raise AwsError(400, "ValidationException", f"not a fault rule: {error}") from None
            kinds = (*INVOKE_KINDS, *S3_KINDS, *API_KINDS, *SESSION_KINDS, *FREEZE_KINDS)
            if rule.kind not in kinds:
                known = ", ".join(kinds)
                raise AwsError(400, "ValidationException", f"unknown fault {rule.kind!r}; there are {known}")
            armed.append(_Armed(rule, random.Random(rule.seed), time.time()))
        self._armed = armed
        self._is_released.set()  # what was held continues; what comes is held by what is armed now
        self._is_held, self._is_released = asyncio.Event(), asyncio.Event()

    def session_is_over(self, since: float) -> bool:
        """Return whether a session that was first seen at a moment is taken for expired."""
        rules = [armed for armed in self._armed if armed.rule.kind == "session"]
        return any(since <= armed.since and time.time() >= armed.since + armed.rule.delay_s for armed in rules)

    def as_list(self) -> list[dict[str, Any]]:
        """Return what is armed, counts as they stand now."""
        return [dataclasses.asdict(armed.rule) for armed in self._armed]

    def draw_invoke(self, function_name: str) -> Fault | None:
        """Return the fault that hits this invocation, if one does."""
        for armed in self._armed:
            rule = armed.rule
            if rule.kind in INVOKE_KINDS and rule.function in (None, function_name) and armed.hits():
                self._forget_spent()
                fault = _invoke_fault(rule)
                fault.loss = armed.loss(rule.kind)
                return fault
        return None

    def draw_event(self, function_name: str) -> Fault | None:
        """Return the fault that hits an invocation without a waiting request: it dies, or comes twice."""
        for armed in self._armed:
            rule = armed.rule
            if rule.kind in ("kill", "duplicate") and rule.function in (None, function_name) and armed.hits():
                self._forget_spent()
                return _invoke_fault(rule)
        return None

    def draw_s3(self, operation: str) -> Fault | None:
        """Return the fault that hits this S3 request, if one does."""
        for armed in self._armed:
            rule = armed.rule
            if rule.kind in S3_KINDS and rule.operation in (None, operation) and armed.hits():
                self._forget_spent()
                raises = None
                if rule.kind == "s3_error":
                    status = 503 if rule.status == 500 else rule.status
                    code = rule.code or ("SlowDown" if status == 503 else "InternalError")
                    text = rule.text or "Please reduce your request rate."
                    raises = AwsError(status, code, text)
                return Fault(rule.kind, rule.delay_s, raises, armed.loss(rule.kind.removeprefix("s3_")))
        return None

    def draw_api(self, service: str, operation: str) -> AwsError | None:
        """Return the error that hits this request of any service, if one does."""
        for armed in self._armed:
            rule = armed.rule
            if (
                rule.kind == "api_error"
                and rule.service in (None, service)
                and operation.startswith(rule.operation or "")
                and armed.hits()
            ):
                self._forget_spent()
                code = rule.code or "Throttling"
                text = rule.text or ("Rate exceeded" if "hrottl" in code else "scripted")
                return AwsError(rule.status, code, text)
        return None

    def draw_thaw(self, function_name: str, frozen_s: float) -> bool:
        """Return whether the connections of an environment died while it was frozen."""
        for armed in self._armed:
            rule = armed.rule
            if (
                rule.kind == "frozen"
                and frozen_s >= rule.delay_s
                and rule.function in (None, function_name)
                and armed.hits()
            ):
                self._forget_spent()
                return True
        return False

    async def hold_back(self, service: str, operation: str) -> None:
        """Wait, if a rule holds back the answer to this request, until the rules are replaced."""
        for armed in self._armed:
            rule = armed.rule
            if (
                rule.kind == "api_hold"
                and rule.service in (None, service)
                and operation.startswith(rule.operation or "")
                and armed.hits()
            ):
                self._forget_spent()
                self._is_held.set()
                await self._is_released.wait()
                return

    async def until_held(self) -> None:
        """Wait until an answer is held back."""
        await self._is_held.wait()

    def draw_stack(self, logical_id: str, doing: str) -> str | None:
        """Return why CloudFormation cannot do this to a resource, if a rule says so. Called in its threads."""
        kind = "stack_delete_error" if doing == "DELETE" else "stack_error"
        for armed in self._armed:
            if armed.rule.kind == kind and armed.rule.operation in (None, logical_id) and armed.hits():
                self._forget_spent()
                return "Resource handler returned message: scripted failure"
        return None

    def _forget_spent(self) -> None:
        self._armed = [armed for armed in self._armed if armed.rule.count is None or armed.rule.count > 0]


def _invoke_fault(rule: FaultRule) -> Fault:
    if rule.kind == "throttle":
        members = {"Reason": "ConcurrentInvocationLimitExceeded"}
        error = AwsError(429, "TooManyRequestsException", "Rate Exceeded.", members, {"Retry-After": "1"})
        return Fault(rule.kind, raises=error)
    if rule.kind == "error":
        code, text = rule.code or "ServiceException", rule.text or "The service failed (scripted)."
        return Fault(rule.kind, raises=AwsError(rule.status, code, text))
    return Fault(rule.kind, rule.delay_s)


class Faults:
    """The client's side: scripts the faults of a running instance and reads its counters, which begin with this.

    Raises:
        LocalServerError: The instance does not answer.
    """

    def __init__(self, connection: LocalConnection) -> None:
        self._connection = connection
        self.stats()

    def add(self, *rules: FaultRule) -> None:
        """Arm rules after those that are armed."""
        self._request("PUT", FAULTS_PATH, [*self.armed(), *(dataclasses.asdict(rule) for rule in rules)])

    def armed(self) -> list[dict[str, Any]]:
        """Return what is armed."""
        answer: list[dict[str, Any]] = self._request("GET", FAULTS_PATH, None)
        return answer

    def clear(self) -> None:
        """Disarm everything."""
        self._request("PUT", FAULTS_PATH, [])

    def throttle(self, *, count: int | None = 1, **more: Any) -> None:
        """Answer invocations with 429."""
        self.add(FaultRule("throttle", count=count, **more))

    def fail(self, *, status: int = 500, count: int | None = 1, **more: Any) -> None:
        """Answer invocations with a 5xx, or with the `status`, `code` and `text` given; nothing runs."""
        self.add(FaultRule("error", status=status, count=count, **more))

    def drop(self, *, after_running: bool = False, count: int | None = 1, **more: Any) -> None:
        """Close the connection of invocations, before or after the function ran."""
        self.add(FaultRule("drop_after" if after_running else "drop_before", count=count, **more))

    def lose(self, part: str, *, s3: bool = False, count: int | None = 1, **more: Any) -> None:
        """Let answers break off within their `head` or `body`, or never come (`all`), of invocations or of S3."""
        kind = next(kind for kind, lost in LOSSES.items() if lost == part)
        self.add(FaultRule(f"s3_{kind}" if s3 else kind, count=count, **more))

    def kill(self, *, count: int | None = 1, delay_s: float = 0.0, **more: Any) -> None:
        """Kill the environment while it runs the task."""
        self.add(FaultRule("kill", count=count, delay_s=delay_s, **more))

    def duplicate(self, *, count: int | None = 1, **more: Any) -> None:
        """Run invocations twice; the caller sees one answer."""
        self.add(FaultRule("duplicate", count=count, **more))

    def expire_sessions(self, *, after_s: float = 0.0) -> None:
        """Let the existing sessions of STS expire after a while; those that follow live on."""
        self.add(FaultRule("session", count=None, delay_s=after_s))

    def silence_frozen(self, *, after_s: float = 0.0, count: int | None = None) -> None:
        """Let the connections of environments that were frozen for that long be dead without a word."""
        self.add(FaultRule("frozen", delay_s=after_s, count=count))

    def refuse_s3(self, *, count: int | None = 1, **more: Any) -> None:
        """Answer S3 requests with 503 SlowDown, or with the `status`, `code` and `text` given."""
        self.add(FaultRule("s3_error", count=count, **more))

    def slow_s3(self, *, delay_s: float, count: int | None = None, **more: Any) -> None:
        """Delay the answers of S3."""
        self.add(FaultRule("s3_delay", delay_s=delay_s, count=count, **more))

    def refuse_api(self, service: str, *, operation: str | None = None, count: int | None = 1, **more: Any) -> None:
        """Answer requests of a service with an error; by default it is throttled."""
        self.add(FaultRule("api_error", service=service, operation=operation, count=count, **{"status": 400, **more}))

    def hold_api(self, service: str, *, operation: str | None = None, skip: int = 0) -> None:
        """Carry out one request of a service, but hold back its answer until `clear`."""
        self.add(FaultRule("api_hold", service=service, operation=operation, skip=skip))

    def wait_until_held(self) -> None:
        """Wait until an answer is held back, at most two minutes.

        Raises:
            TimeoutError: None was.
        """
        self._request("GET", HELD_PATH, None, timeout_s=120)

    def fail_resource(self, logical_id: str, *, count: int | None = 1, deleting: bool = False) -> None:
        """Let CloudFormation fail at a resource: to make or change it, also back again; or to delete it."""
        self.add(FaultRule("stack_delete_error" if deleting else "stack_error", operation=logical_id, count=count))

    def stats(self, *, reset: bool = False) -> dict[str, Any]:
        """Return the instance's counters, and start again if asked to."""
        answer: dict[str, Any] = self._request("POST" if reset else "GET", STATS_PATH, None)
        return answer

    def _request(self, method: str, path: str, body: Any, *, timeout_s: float = 30) -> Any:
        return json.loads(signed_request(self._connection, method, path, body, timeout_s=timeout_s))
