"""Where an instance can be counted and disturbed; neither happens until its owner requests it.

What counts and what disturbs is `local/testing`, which is loaded with the owner's first request for it: a user's
instance never has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse, Loss, Reply

FAULTS_PATH = "/_lambdamagic/faults"
HELD_PATH = "/_lambdamagic/held"
STATS_PATH = "/_lambdamagic/stats"


@dataclass(slots=True)
class Fault:
    """A fault that hits the invocation or the request at hand.

    Attributes:
        kind: Which; see `testing.faults.FaultRule`.
        delay_s: What it waits.
        raises: What it is refused with.
        loss: How its answer is lost.
    """

    kind: str
    delay_s: float = 0.0
    raises: AwsError | None = None
    loss: Loss | None = None


class Observer:
    """Sees what an instance does, counts nothing and disturbs nothing. Lives in the event loop."""

    def requested(self, service: str, request: HttpRequest) -> ObservedRequest | None:
        """Handle a request of any service but Invoke.

        Raises:
            AwsError: It is to be refused.
        """

    def asked_to_invoke(self) -> None:
        """Handle a request to invoke."""

    def invoking(self, function: str) -> Fault | None:
        """Return the fault that hits an invocation which was asked for."""

    def event_came(self, function: str) -> Fault | None:
        """Return the fault that hits an event that a service of AWS's sends."""

    def started(self, *, is_cold: bool) -> None:
        """Record that an environment has taken an invocation, or has failed in INIT."""

    def billed(self, billed_ms: float, memory_mb: int) -> None:
        """Record the billed duration of an invocation."""

    def ended(self, how: str) -> None:
        """Record how an invocation ended: `ok`, `function_error`, `throttled`, `refused`."""

    def session_is_over(self, since: float) -> bool:
        """Return whether a fault expires a session that was first seen at a moment."""
        return False

    def thawing(self, function: str, frozen_s: float) -> bool:
        """Return whether a fault drops the connections of an environment that was frozen."""
        return False

    def stack_step(self, logical_id: str, doing: str) -> str | None:
        """Return why CloudFormation cannot do this to a resource. Called in its threads."""

    async def answer(self, request: HttpRequest, facts: dict[str, Any]) -> HttpResponse:
        """Answer a request of the owner's to script faults or to see counters, which `facts` are added to."""
        raise NotImplementedError


class ObservedRequest(Protocol):
    """A request on its way through the instance."""

    async def begin(self, reply: Reply) -> bool:
        """Disturb it before it is carried out; return whether it is done with.

        Raises:
            AwsError: It is to be refused.
        """
        ...

    async def end(self) -> None:
        """Hold its answer back, or not."""
        ...


class Observed:
    """What an instance does, for whoever observes it.

    Attributes:
        observer: Who.
    """

    def __init__(self) -> None:
        self.observer = Observer()
