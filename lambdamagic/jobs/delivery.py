"""How an attempt gets its answer: in the response of a synchronous call, or from the bucket after an event.

A synchronous call holds a connection for as long as the code runs. An event returns at once; all answers of a job are
then found by one LIST, asked for more often while answers come and less often while none do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from lambdamagic.errors import InvocationLostError, LambdaMagicError
from lambdamagic.jobs.invoke import invoke, send_event, take_stored
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol.limits import EVENT_AGE_S

_T = TypeVar("_T")

#: Waits between two LISTs, in seconds.
_SOONEST_S, _LATEST_S = 0.1, 3.0
#: INIT and the way of the answer into the bucket.
_MARGIN_S = 30.0


def answer_bound_s(timeout_s: float) -> float:
    """Return how long the answer to an event can take at most: its age, the function's timeout, and some more."""
    return EVENT_AGE_S + timeout_s + _MARGIN_S


class Delivery(Protocol):
    """Makes attempts; lives in the engine's event loop."""

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Make one attempt and return what came of it, with the end of its log.

        Raises:
            LambdaMagicError: See `invoke`.
        """
        ...


def delivery_for(spec: JobSpec, threads: DaemonThreads) -> Delivery:
    """Return the delivery for a job's mode."""
    return EventDelivery(spec, threads) if spec.mode == "event" else SyncDelivery(spec, threads)


class SyncDelivery:
    """Waits for each invocation."""

    def __init__(self, spec: JobSpec, threads: DaemonThreads) -> None:
        self._spec, self._threads = spec, threads

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Invoke, and wait for the reply."""
        found: tuple[Arrival, str]
        found = await asyncio.wrap_future(self._threads.submit(lambda: invoke(self._spec, unit, attempt_id)))
        return found


class EventDelivery:
    """Sends events, and finds their answers in the bucket.

    An environment that dies leaves no answer: the attempt counts as lost when `answer_bound_s` has passed.
    """

    def __init__(self, spec: JobSpec, threads: DaemonThreads) -> None:
        self._spec, self._threads = spec, threads
        self._expected: dict[str, asyncio.Future[None]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Send the event, and wait until its answer is found."""
        spec = self._spec
        bound_s = spec.answer_bound_s
        await self._call(lambda: send_event(spec, unit, attempt_id))
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected[attempt_id] = stored
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        try:
            await asyncio.wait_for(stored, bound_s)
        except TimeoutError:
            raise InvocationLostError(
                f"an event gave no answer within {bound_s:.0f} s: its environment died, or it was dropped",
                hint="its log tells: %lambda logs; a synchronous run (--mode sync) says how an environment died",
            ) from None
        finally:
            self._expected.pop(attempt_id, None)
        return await self._call(lambda: take_stored(spec, unit, attempt_id)), ""

    async def _call(self, call: Callable[[], _T]) -> _T:
        found: _T = await asyncio.wrap_future(self._threads.submit(call))
        return found

    async def _poll(self) -> None:
        wait_s = _SOONEST_S
        while self._expected:
            await asyncio.sleep(wait_s)
            try:
                found = await self._call(lambda: self._spec.stager.stored_answers(self._spec.job_id))
            except LambdaMagicError as error:
                self._fail_all(error)
                return
            new = [self._expected[attempt] for attempt in found if attempt in self._expected]
            for stored in new:
                if not stored.done():
                    stored.set_result(None)
            wait_s = _SOONEST_S if new else min(_LATEST_S, wait_s * 1.5)

    def _fail_all(self, error: Any) -> None:
        for stored in self._expected.values():
            if not stored.done():
                stored.set_exception(error)
