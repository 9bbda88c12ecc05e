"""Sends events of walks in parallel, and again if it is unknown whether Lambda accepted them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lambdamagic.clock import Clock
from lambdamagic.errors import InvocationLostError, ThrottledError, UnreachableError
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.protocol.envelope import MARK
from lambdamagic.runs.walks_work import WalksWork
from lambdamagic.transports.transport import InvokeCall, Transport
from lambdamagic.walks.walk_event import WalkEvent

#: Waits before an event is sent again; the last one is repeated for as long as Lambda takes nothing.
_SEND_AGAIN_S = (0.1, 0.4, 1.6, 5.0)
_AT_ONCE = 32
_POLICY = RetryPolicy()


class WalksSender:
    """Sends the events of one graph. A context manager: its threads end with it.

    Args:
        work: The graph.
        bucket: The bucket's name.
        transport: Invokes the function.
        environment: Environment variables for tasks; they are sent in events only.
        clock: The time.
        stop: Ends all waits; set here when an event cannot be sent at all.

    Attributes:
        error: Why an event cannot be sent; None while all could.
    """

    def __init__(
        self,
        work: WalksWork,
        bucket: str,
        transport: Transport,
        environment: Mapping[str, str],
        *,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._work, self._transport, self._clock, self._stop = work, transport, clock, stop
        self._document = {**event_document(work, bucket), "environment": dict(environment)}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lambdamagic-walks-send")
        self.error: BaseException | None = None

    def __enter__(self) -> Callable[[WalkEvent, int], None]:
        return self.send

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def send(self, event: WalkEvent, attempt: int) -> None:
        """Send an event soon; returns at once."""
        payload = json.dumps({**self._document, "walk": event.to_json(), "attempt": attempt}).encode()
        self._pool.submit(self._deliver, payload).add_done_callback(self._delivered)

    def _deliver(self, payload: bytes) -> None:
        """Hand an event over; again, under the same name, where it is unknown whether Lambda took it."""
        function = self._work.function
        call = InvokeCall(function.name, payload, kind="Event", timeout_s=function.timeout_s)
        until, number = self._clock.monotonic() + _POLICY.throttle_deadline_s, 0
        while True:
            try:
                self._transport.invoke(call)
            except (ThrottledError, InvocationLostError, UnreachableError):
                wait_s = _SEND_AGAIN_S[min(number, len(_SEND_AGAIN_S) - 1)]
                if self._clock.monotonic() > until or self._stop.wait(wait_s):
                    raise
                number += 1
            else:
                return

    def _delivered(self, done: Future[None]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None and not self._stop.is_set() and not isinstance(error, InvocationLostError):
            self.error = error
            self._stop.set()


def event_document(work: WalksWork, bucket: str) -> dict[str, Any]:
    """Return the common part of all events of a graph's walks."""
    return {
        MARK: work.versions,
        "kind": "walk",
        "job": work.job_id,
        "key": base64.b64encode(work.key).decode("ascii"),
        "bucket": bucket,
        "options": work.options,
        "every_s": work.every_s,
    }
