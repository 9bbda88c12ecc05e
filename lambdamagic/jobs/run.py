"""One job under way: what is launched, what is tried again, what is given up.

Lives in the engine's event loop; nothing here blocks.

A chunk whose environment died is halved until the task that did it stands alone, so that its siblings do not go with
it. Tasks whose code raised are run again by themselves, if the policy allows; their siblings' outcomes are kept.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from lambdamagic import events
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import (
    CostLimitError,
    EncodeError,
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationError,
    JobCancelledError,
    LambdaMagicError,
    OutOfMemoryError,
    ProtocolError,
    ResultError,
    ThrottledError,
)
from lambdamagic.jobs.concurrency import Concurrency
from lambdamagic.jobs.delivery import delivery_for
from lambdamagic.jobs.job import Arrival, Job, Unit
from lambdamagic.jobs.policy import History, bears_throttling, note, wait_before_retry
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.jobs.verdict import timed_out

EndState = Literal["cancelled", "failed"]

_LOG_TAILS_KEPT = 20
_DEATHS = (EnvironmentDiedError, FunctionTimedOutError, OutOfMemoryError)
#: What an argument or a result of one task brings about: it cannot be sent, or cannot come back.
_OF_ITS_TASKS = (EncodeError, ResultError)


class JobRun:
    """Carries a job to its end.

    Args:
        job: The job.
        threads: Where blocking calls run.
        jitter: Gives numbers in [0, 1) for waits.
        clock: The time; waits are the event loop's own.
    """

    def __init__(
        self, job: Job, threads: DaemonThreads, jitter: Callable[[], float], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.job, self.spec = job, job.spec
        self._threads, self._jitter, self._clock = threads, jitter, clock
        self._delivery = delivery_for(self.spec, threads)
        self._waiting: deque[Unit] = deque()
        # Throttled, and not to be sent again before a moment; a number of their own orders those of one moment.
        self._resting: list[tuple[float, int, Unit]] = []
        # Only of tasks that have failed before, or are on their way: memory does not grow with what is done.
        self._histories: dict[tuple[int, ...], History] = {}
        self._active: set[asyncio.Task[None]] = set()
        self._concurrency = Concurrency(max(1, self.spec.max_concurrency))
        self._attempts = 0
        self._main: asyncio.Task[None] | None = None
        self._stopped_as: EndState | None = None
        self._cost_usd = 0.0
        self._fatal: Exception | None = None
        self._changed = asyncio.Event()
        self._last_success = float("-inf")

    def begin(self) -> asyncio.Task[None]:
        """Start, and return the task that ends with the job; called in the event loop."""
        self._main = asyncio.get_running_loop().create_task(self._run())
        return self._main

    def stop(self, state: EndState) -> None:
        """Stop; called in the event loop.

        Args:
            state: How the job ends: its owner cancelled it, or gave it up because of a failure.
        """
        self._stopped_as = self._stopped_as or state
        self._changed.set()

    def _emit(self, event: events.Event) -> None:
        self.job.listeners.emit(event)

    async def _run(self) -> None:
        spec, job = self.spec, self.job
        memory_mb = spec.function.memory_mb
        self._emit(
            events.JobStarted(spec.job_id, spec.label, spec.task_count, memory_mb, spec.is_billed, job.started_at)
        )
        try:
            await self._launch_all()
        except Exception as error:  # noqa: BLE001  # an engine's own failure must end the job, not hang it
            self._fatal = self._fatal or error
        if self._stopped_as is not None:
            self._finish(self._stopped_as, JobCancelledError(f"job {spec.job_id} was stopped"))
        elif self._fatal is not None:
            self._finish("failed", self._fatal)
        else:
            self._finish("done", None)

    async def _launch_all(self) -> None:
        units = self.spec.units
        loop = asyncio.get_running_loop()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(self._changed.set)
            except RuntimeError:
                pass  # the engine was closed: nobody waits any more

        units.on_more(wake)
        while self._stopped_as is None and self._fatal is None:
            self._changed.clear()
            self._launch()
            if units.is_dry and not (self._active or self._waiting or self._resting):
                return
            alarm_s = self._alarm_s()
            alarm = None if alarm_s is None else loop.call_later(alarm_s, self._changed.set)
            await self._changed.wait()
            if alarm is not None:
                alarm.cancel()
        await self._abandon()

    def _launch(self) -> None:
        """Send as much as there is room for."""
        now, concurrency = self._clock.monotonic(), self._concurrency
        while self._resting and self._resting[0][0] <= now:
            self._waiting.appendleft(heapq.heappop(self._resting)[2])
        for _ in range(concurrency.room(len(self._active), now)):
            unit = self._next_unit(concurrency.reachable(now))
            if unit is None:
                return
            task = asyncio.get_running_loop().create_task(self._carry(unit))
            self._active.add(task)
            concurrency.started(len(self._active), now)
            task.add_done_callback(self._one_ended)

    def _next_unit(self, slots: int) -> Unit | None:
        while unit := self._waiting.popleft() if self._waiting else self.spec.units.take(slots):
            if unit.begin is None or unit.begin():
                return unit
        return None

    def _alarm_s(self) -> float | None:
        """Return when to look again though nothing has happened."""
        now = self._clock.monotonic()
        alarms = [self._resting[0][0] - now] if self._resting else []
        if self._waiting or not self.spec.units.is_dry:
            room_s = self._concurrency.look_again_s(len(self._active), now)
            alarms += [] if room_s is None else [room_s]
        return min(alarms, default=None)

    def _one_ended(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._fatal is None:
            self._fatal = error if isinstance(error, Exception) else RuntimeError(repr(error))
        self._changed.set()

    async def _abandon(self) -> None:
        """Stop waiting for what is under way; tell it to stop where it runs."""
        was_running = bool(self._active)
        for task in list(self._active):
            task.cancel()
        if was_running:
            spec = self.spec
            future = self._threads.submit(lambda: spec.stager.tell_cancelled(spec.job_id))
            future.add_done_callback(lambda done: done.exception())  # the store being gone too changes nothing

    async def _carry(self, unit: Unit) -> None:
        """Bring one unit to its end, in as many attempts as the policy allows."""
        history = self._histories.pop(unit.tasks, None) or History()
        while True:
            self._attempts += 1
            attempt_id = f"{self._attempts:06d}"
            try:
                arrival = await self._attempt(unit, attempt_id)
            except LambdaMagicError as error:
                if isinstance(error, ThrottledError) and self._rest(unit, attempt_id, error, history):
                    return
                wait_s = self._judge(unit, attempt_id, error, history)
                if wait_s is None:
                    return
                await asyncio.sleep(wait_s)
                continue
            self._last_success = self._clock.monotonic()
            self._concurrency.succeeded(self._last_success)
            if self._settle(arrival, attempt_id, history):
                return

    async def _attempt(self, unit: Unit, attempt_id: str) -> Arrival:
        spec = self.spec
        self._emit(events.InvocationStarted(spec.job_id, attempt_id, unit.tasks, self._clock.time()))
        began = self._clock.monotonic()
        arrival, tail = await self._delivery.attempt(unit, attempt_id)
        arrival = replace(arrival, elapsed_s=self._clock.monotonic() - began)
        self._keep_log(tail)
        self._report(arrival, attempt_id)
        response = arrival.response
        if response is not None and response.status == "timed_out" and not response.tasks:
            raise timed_out(response, timeout_s=spec.function.timeout_s, request_id=arrival.request_id)
        return arrival

    def _rest(self, unit: Unit, attempt_id: str, error: ThrottledError, history: History) -> bool:
        """Give a refused unit's place back and let it rest; False if it has rested long enough."""
        now = self._clock.monotonic()
        note(history, error, now)
        pause_s = self._concurrency.throttled(len(self._active) - 1, now, jitter=self._jitter())
        if not bears_throttling(self.spec.policy, history, now=now, last_success=self._last_success):
            return False
        # Lambda's own word is kept even when places become free before.
        wait_s = max(error.retry_after_s, 0.0)
        self._histories[unit.tasks] = history
        heapq.heappush(self._resting, (now + wait_s, self._attempts, replace(unit, begin=None)))
        told = events.InvocationThrottled(
            self.spec.job_id, attempt_id, unit.tasks, max(wait_s, pause_s), self._clock.time()
        )
        self._emit(told)
        return True

    def _judge(self, unit: Unit, attempt_id: str, error: LambdaMagicError, history: History) -> float | None:
        """Decide what follows a failed attempt: a wait, or the end of the unit or the job."""
        now = self._clock.monotonic()
        note(history, error, now)
        if isinstance(error, InvocationError):
            self._keep_log(error.log_tail)
        if isinstance(error, (*_DEATHS, *_OF_ITS_TASKS)) and unit.part is not None:
            # One of the tasks did it, and the others must not go with it.
            middle = len(unit.tasks) // 2
            self._again(unit, unit.tasks[:middle], error.message)
            self._again(unit, unit.tasks[middle:], error.message)
            return None
        wait_s = wait_before_retry(self.spec.policy, error, history, now=now, jitter=self._jitter())
        if wait_s is not None:
            self._tell_retry(unit, attempt_id, error, wait_s)
            return wait_s
        # A program of its own that cannot be read concerns no other unit either, nor does a call that was never taken.
        of_its_own = ProtocolError, ThrottledError
        is_its_own = isinstance(error, _OF_ITS_TASKS) or (unit.program is not None and isinstance(error, of_its_own))
        if is_its_own or (isinstance(error, InvocationError) and not isinstance(error, ThrottledError)):
            self._deliver(Arrival(unit, None, [], error, None, getattr(error, "request_id", None) or ""))
        else:
            self._fatal = error
        return None

    def _tell_retry(self, unit: Unit, attempt_id: str, error: LambdaMagicError, wait_s: float) -> None:
        job_id, now = self.spec.job_id, self._clock.time()
        may_have_run = isinstance(error, InvocationError) and error.may_have_run
        self._emit(events.InvocationRetried(job_id, attempt_id, unit.tasks, error.message, may_have_run, wait_s, now))

    def _settle(self, arrival: Arrival, attempt_id: str, history: History) -> bool:
        """Keep what is done, and send again what the policy says; return whether this unit needs no other attempt."""
        unit, response = arrival.unit, arrival.response
        assert response is not None
        again: list[int] = []
        if any(task.error for task in response.tasks):
            history.user_errors += 1
            if history.user_errors <= self.spec.policy.user_errors:
                done = zip(unit.tasks, response.tasks, strict=False)
                again = [number for number, task in done if task.error]
        reason = next((task.error for task in response.tasks if task.error), "")
        if unit.part is None:
            if again:
                self._emit(
                    events.InvocationRetried(
                        self.spec.job_id, attempt_id, unit.tasks, reason, True, 0.0, self._clock.time()
                    )
                )
                return False
            self._deliver(arrival)
            return True
        self._deliver(replace(arrival, superseded=frozenset(again)))
        for number in again:
            self._again(unit, (number,), reason, history)
        unfinished = unit.tasks[len(response.tasks) :]
        if unfinished:
            # The deadline came in the middle: the task that ran then goes alone, the others together.
            self._again(unit, unfinished[:1], "the deadline came while it ran")
            if unfinished[1:]:
                self._again(unit, unfinished[1:], "the deadline came before it ran")
        return True

    def _again(self, unit: Unit, tasks: tuple[int, ...], reason: str, history: History | None = None) -> None:
        """Queue a part of a unit."""
        assert unit.part is not None
        self._waiting.append(unit.part(tasks))
        if history is not None:
            self._histories[tasks] = replace(history)
        self._emit(events.InvocationRetried(self.spec.job_id, "", tasks, reason, True, 0.0, self._clock.time()))

    def _keep_log(self, tail: str) -> None:
        if tail:
            self.job.log_tails.append(tail)
            del self.job.log_tails[:-_LOG_TAILS_KEPT]

    def _report(self, arrival: Arrival, attempt_id: str) -> None:
        response, report, spec = arrival.response, arrival.report, self.spec
        assert response is not None
        usage = response.usage
        billed_ms = report.billed_ms if report is not None else usage.duration_ms
        # Reads and writes are not told apart in a task's usage: all count as the dearer.
        cost_usd = spec.prices.invocation_usd(
            billed_ms=billed_ms, memory_mb=spec.function.memory_mb, s3_writes=usage.s3_requests
        )
        self._cost_usd += cost_usd
        self._emit(
            events.InvocationFinished(
                spec.job_id,
                attempt_id,
                arrival.unit.tasks,
                report,
                usage.environment_id,
                usage.cold,
                usage.s3_requests,
                cost_usd,
                report.duration_ms if report is not None else usage.duration_ms,
                self._clock.time(),
            )
        )
        limit = spec.max_cost_usd
        if spec.is_billed and limit is not None and self._cost_usd >= limit and self._fatal is None:
            self._fatal = CostLimitError(
                f"the job has cost {self._cost_usd:.2f} dollars at list price and may cost {limit:.2f}",
                hint="raise it with --max-cost or the setting max_cost_usd; what is done is kept",
            )
            self._changed.set()

    def _deliver(self, arrival: Arrival) -> None:
        spec, now = self.spec, self._clock.time()
        spec.units.learn(arrival)
        if arrival.response is not None:
            for task, summary in zip(arrival.unit.tasks, arrival.response.tasks, strict=False):
                if task not in arrival.superseded:
                    failed = bool(summary.error)
                    self._emit(events.TaskFinished(spec.job_id, task, failed, summary.error, summary.seconds, now))
        elif arrival.error is not None:
            line = f"{type(arrival.error).__name__}: {arrival.error}".splitlines()[0]
            for task in arrival.unit.tasks:
                self._emit(events.TaskFinished(spec.job_id, task, True, line, 0.0, now))
        self.job.arrived(arrival)

    def _finish(self, state: Any, error: Exception | None) -> None:
        self.job.finished(state, error)
        text = "" if error is None else f"{type(error).__name__}: {error}".splitlines()[0]
        self._emit(events.JobFinished(self.spec.job_id, state, text, self._clock.time()))
