"""How an attempt gets its answer: in the response of a synchronous call, or from the bucket after an event.

A synchronous call holds a connection for as long as the code runs. An event returns at once; all answers of a job are
then found by one LIST, asked for more often while answers come and less often while none do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from lambdamagic.errors import EnvironmentDiedError, InvocationLostError, LambdaMagicError, ThrottledError
from lambdamagic.jobs.handover import Handover, OnBatch
from lambdamagic.jobs.invoke import invoke, send_event, take_stored
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import life
from lambdamagic.protocol.limits import EVENT_AGE_S
from lambdamagic.storage.base import ObjectInfo

_T = TypeVar("_T")

#: Waits between two LISTs, in seconds.
_SOONEST_S, _LATEST_S = 0.1, 3.0
#: Waits before an event is sent again whose connection broke.
_SEND_AGAIN_S = (0.1, 0.4, 1.6)
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


def delivery_for(spec: JobSpec, threads: DaemonThreads, on_batch: OnBatch) -> Delivery:
    """Return the delivery for a job's mode.

    Args:
        spec: The job.
        threads: Where blocking calls run.
        on_batch: Told of each batch that went through an invoker.
    """
    return SyncDelivery(spec, threads) if spec.mode == "sync" else EventDelivery(spec, threads, on_batch)


class SyncDelivery:
    """Waits for each invocation."""

    def __init__(self, spec: JobSpec, threads: DaemonThreads) -> None:
        self._spec, self._threads = spec, threads

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Invoke, and wait for the reply."""
        found: tuple[Arrival, str]
        found = await asyncio.wrap_future(self._threads.submit(lambda: invoke(self._spec, unit, attempt_id)))
        return found


@dataclass
class _Expected:
    """An attempt whose answer is waited for."""

    stored: asyncio.Future[None]
    sign: tuple[int, float] | None = None
    seen_at: float = 0.0


class EventDelivery:
    """Sends events, and finds their answers in the bucket.

    Each invocation shows there that it is alive. One LIST tells of all of them: who is done, and who has stopped giving
    signs, because its environment died. Whether the clocks here and there agree does not matter.
    """

    def __init__(self, spec: JobSpec, threads: DaemonThreads, on_batch: OnBatch) -> None:
        self._spec, self._threads = spec, threads
        self._handover = Handover(spec, threads, on_batch)
        self._silent_s = life.silent_s(life.every_s(spec.function.timeout_s))
        self._expected: dict[str, _Expected] = {}
        self._poller: asyncio.Task[None] | None = None

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Send the event, and wait until its answer is found."""
        if unit.sent_as:
            # Its client died after it had sent it: the answer is there, or comes.
            return await self._answer(replace(unit, sent_as=""), unit.sent_as)
        await self._send(unit, attempt_id)
        return await self._answer(unit, attempt_id)

    async def _send(self, unit: Unit, attempt_id: str) -> None:
        """Hand the event over; again, under the same name, where it is unknown whether Lambda took it.

        An attempt that was taken twice runs once, since its first sign of life is a claim.
        """
        has_invoker = self._spec.mode == "event" and (unit.function or self._spec.function).invoker
        for wait_s in (*_SEND_AGAIN_S, None):
            try:
                if has_invoker:
                    await self._handover.send(unit, attempt_id)
                else:
                    await self._call(lambda: send_event(self._spec, unit, attempt_id))
            except InvocationLostError:
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            else:
                return

    async def _answer(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        spec, bound_s = self._spec, self._spec.answer_bound_s
        loop = asyncio.get_running_loop()
        expected = self._expected[attempt_id] = _Expected(loop.create_future())
        if self._poller is None or self._poller.done():
            self._poller = loop.create_task(self._poll())
        try:
            async with asyncio.timeout(bound_s):
                await self._begun(unit, attempt_id, expected)
                await expected.stored
        except TimeoutError:
            raise InvocationLostError(
                f"an event gave no answer within {bound_s:.0f} s: it was dropped, or Lambda had no room for it",
                hint="its log tells: %lambda logs",
            ) from None
        finally:
            self._expected.pop(attempt_id, None)
        return await self._call(lambda: take_stored(spec, unit, attempt_id)), ""

    async def _begun(self, unit: Unit, attempt_id: str, expected: _Expected) -> None:
        """Wait for the first sign; send the event again when none comes.

        It may wait in Lambda's queue, or have died before it could give one. Sent twice, it runs once: see `_send`.
        """
        wait_s = patience_s = self._silent_s
        while True:
            await asyncio.wait([expected.stored], timeout=wait_s)
            if expected.sign is not None or expected.stored.done():
                return
            try:
                await self._send(unit, attempt_id)
            except (ThrottledError, InvocationLostError):
                wait_s = _SEND_AGAIN_S[-1]  # the first may be in the queue all the same
            else:
                wait_s = patience_s = 2 * patience_s

    async def _call(self, call: Callable[[], _T]) -> _T:
        found: _T = await asyncio.wrap_future(self._threads.submit(call))
        return found

    async def _poll(self) -> None:
        spec, wait_s = self._spec, _SOONEST_S
        while self._expected:
            await asyncio.sleep(wait_s)
            try:
                signs = await self._call(lambda: spec.stager.signs_of_life(spec.job_id))
                done = [attempt for attempt, sign in signs.items() if life.is_done(sign.size_bytes)]
                for attempt in done:
                    self._found(attempt)
                if done:
                    await self._call(partial(self._forget, done))
                for attempt in self._silent(signs):
                    if await self._call(partial(spec.stager.has_answer, spec.job_id, attempt)):
                        self._found(attempt)
                    else:
                        self._died(attempt)
            except LambdaMagicError as error:
                self._fail_all(error)
                return
            wait_s = _SOONEST_S if done else min(_LATEST_S, wait_s * 1.5)

    def _forget(self, attempt_ids: list[str]) -> None:
        spec = self._spec
        triggered = spec.function.name if spec.mode == "trigger" else ""
        spec.stager.forget_signs(spec.job_id, attempt_ids, triggered=triggered)

    def _found(self, attempt_id: str) -> None:
        expected = self._expected.get(attempt_id)
        if expected is not None and not expected.stored.done():
            expected.stored.set_result(None)

    def _silent(self, signs: Mapping[str, ObjectInfo]) -> list[str]:
        """Note changed signs, and return the attempts whose sign has not changed for too long."""
        now = asyncio.get_running_loop().time()
        silent = []
        for attempt, expected in self._expected.items():
            info = signs.get(attempt)
            if info is None:
                continue  # not begun, or done and read before by a client that died: see `answer_bound_s`
            sign = info.size_bytes, info.modified_s
            if sign != expected.sign:
                expected.sign, expected.seen_at = sign, now
            elif now - expected.seen_at > self._silent_s:
                silent.append(attempt)
        return silent

    def _died(self, attempt_id: str) -> None:
        expected = self._expected.get(attempt_id)
        if expected is not None and not expected.stored.done():
            error = EnvironmentDiedError(
                f"the function gave no sign of life for {self._silent_s:.0f} s: its environment died",
                hint="its log tells: %lambda logs; a synchronous run (--mode sync) says how an environment died",
            )
            expected.stored.set_exception(error)

    def _fail_all(self, error: Any) -> None:
        for expected in self._expected.values():
            if not expected.stored.done():
                expected.stored.set_exception(error)
