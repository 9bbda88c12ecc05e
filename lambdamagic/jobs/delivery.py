"""How an attempt gets its answer: in a synchronous response, or from the bucket after an event.

A synchronous call holds a connection for as long as the code runs. An event returns at once; all answers of a job are
then found by one LIST, asked for more often while answers come and less often while none do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from lambdamagic.errors import (
    AnswerLostError,
    EnvironmentDiedError,
    InvocationError,
    InvocationLostError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.jobs.handover import Handover, OnBatch
from lambdamagic.jobs.invoke import invoke, send_event, take_stored
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import life
from lambdamagic.protocol.bounds import EVENT_AGE_S
from lambdamagic.storage.object_store import ObjectInfo

_T = TypeVar("_T")

#: Waits between two LISTs, in seconds.
_SOONEST_S, _LATEST_S = 0.1, 3.0
#: Waits before an event is sent again whose connection broke.
_SEND_AGAIN_S = (0.1, 0.4, 1.6)
#: How often it is looked, each half of `_LATEST_S` apart, whether what was lost each time has begun all the same.
_LOOKS = 4
#: INIT and the way of the answer into the bucket.
_MARGIN_S = 30.0


def answer_bound_s(timeout_s: float) -> float:
    """Return how long the answer to an event can take at most: its age, the function's timeout, and some more."""
    return EVENT_AGE_S + timeout_s + _MARGIN_S


class Delivery(Protocol):
    """Makes attempts; lives in the engine's event loop."""

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Make one attempt and return its outcome, with the end of its log.

        Raises:
            LambdaMagicError: See `invoke`.
        """
        ...


def delivery_for(spec: JobSpec, threads: DaemonThreads, on_batch: OnBatch) -> Delivery:
    """Return the delivery for a job's mode.

    Args:
        spec: The job.
        threads: Where blocking calls run.
        on_batch: Called with each batch that went through an invoker.
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
    """An attempt that waits for its answer."""

    stored: asyncio.Future[None]
    ends_at: float = float("inf")
    sign: tuple[int, float] | None = None
    began_at: float = 0.0
    seen_at: float = 0.0


class EventDelivery:
    """Sends events, and finds their answers in the bucket.

    Each invocation shows there that it is alive. One LIST covers all: which are done, and which have stopped giving
    signs, because its environment died. Whether the clocks here and there agree does not matter.
    """

    def __init__(self, spec: JobSpec, threads: DaemonThreads, on_batch: OnBatch) -> None:
        self._spec, self._threads = spec, threads
        self._handover = Handover(spec, threads, on_batch)
        self._silent_s = life.silent_s(life.every_s(spec.function.timeout_s))
        self._expected: dict[str, _Expected] = {}
        self._poller: asyncio.Task[None] | None = None
        self._began = self._looks_at = 0.0

    async def attempt(self, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
        """Send the event, and wait until its answer is found."""
        name = unit.sent_as or attempt_id
        self._began = self._began or asyncio.get_running_loop().time()
        # From now on, since it may be done before it is known that it was taken.
        expected = self._expected[name] = _Expected(asyncio.get_running_loop().create_future())
        try:
            if unit.sent_as:
                # Its client died after it had sent it: the answer is there, or comes.
                unit, is_sure = replace(unit, sent_as=""), True
            else:
                is_sure = await self._send(unit, name, expected)
            await self._wait_for(unit, name, expected, is_sure=is_sure)
        finally:
            self._expected.pop(name, None)
            if expected.stored.done() and not expected.stored.cancelled():
                expected.stored.exception()  # else asyncio complains about one that was never awaited
        return await self._call(lambda: take_stored(self._spec, unit, name)), ""

    async def _send(self, unit: Unit, attempt_id: str, expected: _Expected) -> bool:
        """Hand the event over; again, under the same name, where it is unknown whether Lambda took it.

        An attempt that was taken twice runs once (`worker.beacon`). So what may have been taken gets no other name
        because Lambda refuses it the second time; False says that it was.
        """
        has_invoker = self._spec.mode == "event" and (unit.function or self._spec.function).invoker
        lost: InvocationLostError | None = None
        for wait_s in (0.0, *_SEND_AGAIN_S):
            await asyncio.sleep(wait_s)
            if expected.sign is not None or expected.stored.done():
                return True  # it was taken: it runs, or is done
            timeout_s = (unit.function or self._spec.function).timeout_s
            lasts = partial(self._spec.stager.links_last_s, timeout_s, queued_s=EVENT_AGE_S)
            expected.ends_at = asyncio.get_running_loop().time() + await self._call(lasts)
            try:
                if has_invoker:
                    await self._handover.send(unit, attempt_id)
                else:
                    await self._call(lambda: send_event(self._spec, unit, attempt_id))
            except InvocationLostError as error:
                lost = error
            except ThrottledError:
                if lost is None:
                    raise
                return False
            except UnreachableError:
                if lost is None:
                    raise
            else:
                return True
        assert lost is not None
        if await self._has_begun(expected):
            return True
        raise lost

    async def _has_begun(self, expected: _Expected) -> bool:
        """Look for a heartbeat of an attempt whose sends were all lost; without one it is sent under another name."""
        self._watch()
        for _ in range(_LOOKS):
            await asyncio.wait([expected.stored], timeout=_LATEST_S / 2)
            if expected.sign is not None or expected.stored.done():
                return True
        return False

    def _watch(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def _wait_for(self, unit: Unit, attempt_id: str, expected: _Expected, *, is_sure: bool) -> None:
        bound_s = self._spec.answer_bound_s
        self._watch()
        try:
            async with asyncio.timeout(bound_s):
                await self._begun(unit, attempt_id, expected, is_sure=is_sure)
                await expected.stored
        except TimeoutError:
            lost = InvocationLostError(
                f"an event was not answered within {bound_s:.0f} s: Lambda dropped it, or had no free capacity",
                hint="See its log: %lambda logs",
            )
            lost.billed_s = expected.seen_at - expected.began_at
            raise lost from None

    async def _begun(self, unit: Unit, attempt_id: str, expected: _Expected, *, is_sure: bool) -> None:
        """Wait for the first sign; send the event again when none comes.

        It may wait in Lambda's queue, or have died before it could give one. Sent twice, it runs once: see `_send`.
        """
        quiet_s = self._silent_s
        wait_s = quiet_s if is_sure else _SEND_AGAIN_S[-1]
        while True:
            await asyncio.wait([expected.stored], timeout=wait_s)
            if expected.sign is not None or expected.stored.done():
                return
            await self._raise_if_it_cannot_start((unit.function or self._spec.function).name)
            try:
                is_sure = await self._send(unit, attempt_id, expected)
            except (ThrottledError, InvocationLostError, UnreachableError):
                is_sure = False  # the first may be in the queue all the same
            if is_sure:
                wait_s = quiet_s = 2 * quiet_s
            else:
                wait_s = _SEND_AGAIN_S[-1]

    async def _raise_if_it_cannot_start(self, function: str) -> None:
        """Read the function's log, once for all waiting attempts: an environment that dies in INIT sends no heartbeat.

        Raises:
            EnvironmentDiedError: The latest environments died before they knew their job.
        """
        now = asyncio.get_running_loop().time()
        if self._spec.failed_starts is None or now < self._looks_at:
            return
        self._looks_at = now + self._silent_s
        said = await self._call(partial(self._spec.failed_starts, function, now - self._began))
        if said:
            raise EnvironmentDiedError(
                f"the function {function} cannot start: {said}", hint="See its log: %lambda logs, or `lambdamagic logs`"
            )

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
            except Exception as error:  # noqa: BLE001  # an engine's own failure must end the job, not hang it
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
        """Record changed heartbeats, and return the attempts whose heartbeat has not changed for too long."""
        now = asyncio.get_running_loop().time()
        silent = []
        for attempt, expected in self._expected.items():
            info = signs.get(attempt)
            if info is None:
                continue  # not begun, or done and read before by a client that died: see `answer_bound_s`
            sign = info.size_bytes, info.modified_s
            if sign != expected.sign:
                expected.began_at = expected.began_at or now
                expected.sign, expected.seen_at = sign, now
            elif now - expected.seen_at > self._silent_s:
                silent.append(attempt)
        return silent

    def _died(self, attempt_id: str) -> None:
        expected = self._expected.get(attempt_id)
        if expected is not None and not expected.stored.done():
            error: InvocationError = EnvironmentDiedError(
                f"the function sent no heartbeat for {self._silent_s:.0f} s: its environment died",
                hint="See its log: %lambda logs. A synchronous run (--mode sync) says how an environment died",
            )
            if asyncio.get_running_loop().time() > expected.ends_at:
                error = AnswerLostError(
                    "the AWS credentials expired while the function ran, and with them the presigned URLs for its "
                    "answer: it may have finished, and is not run again",
                    hint="Sign in for longer than the function's timeout, or use --mode sync",
                )
            error.billed_s = expected.seen_at - expected.began_at
            expected.stored.set_exception(error)

    def _fail_all(self, error: Any) -> None:
        for expected in self._expected.values():
            if not expected.stored.done():
                expected.stored.set_exception(error)
