"""One running job: launches, retries and abandons its units.

Lives in the engine's event loop; nothing here blocks.

A chunk whose environment died is halved until the task that did it stands alone, so that its siblings do not go with
it. Tasks whose code raised are run again by themselves, if the policy allows; their siblings' outcomes are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import (
    CostLimitError,
    EncodeError,
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationError,
    InvocationLostError,
    JobCancelledError,
    LambdaMagicError,
    OutOfMemoryError,
    ProtocolError,
    ResultError,
    ThrottledError,
    UnsendableItemsError,
)
from lambdamagic.events import JobState
from lambdamagic.jobs.attempts import Attempts
from lambdamagic.jobs.backups import Durations
from lambdamagic.jobs.concurrency import Concurrency
from lambdamagic.jobs.flights import Flight, late_flights
from lambdamagic.jobs.job import Arrival, Job, Unit
from lambdamagic.jobs.ledger import Ledger
from lambdamagic.jobs.pending import PendingUnits
from lambdamagic.jobs.places import Places
from lambdamagic.jobs.policy import (
    AttemptHistory,
    bears_throttling,
    explain_cut,
    larger_memory_mb,
    note,
    wait_before_retry,
    wants_retry,
)
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol.keys import attempt_name
from lambdamagic.storage.requests import paid_by

_DEATHS = (EnvironmentDiedError, FunctionTimedOutError, OutOfMemoryError)
#: What an argument or a result of one task brings about: it cannot be sent, or cannot come back.
_OF_ITS_TASKS = (EncodeError, ResultError)


class JobRun:
    """Runs a job to its end.

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
        self._ledger = Ledger(job, clock)
        self._attempts = Attempts(self.spec, threads, self._ledger, clock, self._check_budget)
        self._pending = PendingUnits(self.spec.units)
        self._active: dict[asyncio.Task[None], Flight] = {}
        # Attempts whose outcome came from another: they are not waited for, but their cost is reported when they end.
        self._losers: set[asyncio.Task[None]] = set()
        self._durations = Durations()
        self._next_backup: float | None = None
        self._concurrency = Concurrency(self.spec.max_concurrency, self.spec.function.limits)
        self._places = self.spec.places or Places(self.spec.max_concurrency)
        self._age = self._places.join()
        self._wake: Callable[[], None] = lambda: None
        self._made = self.spec.attempts_before
        self._main: asyncio.Task[None] | None = None
        self._stopped_as: JobState | None = None
        self._fatal: Exception | None = None
        self._changed = asyncio.Event()
        self._last_success = float("-inf")

    def begin(self) -> asyncio.Task[None]:
        """Start, and return the task that ends with the job; called in the event loop."""
        self._main = asyncio.get_running_loop().create_task(self._run())
        return self._main

    def stop(self, state: JobState) -> None:
        """Stop; called in the event loop.

        Args:
            state: How the job ends: its owner cancelled it, or gave it up because of a failure.
        """
        self._stopped_as = self._stopped_as or state
        self._changed.set()

    async def _run(self) -> None:
        self._ledger.job_started()
        try:
            try:
                with paid_by(self.spec.requests):  # whatever begins in here inherits it
                    await self._launch_all()
            finally:
                await self._abandon([*self._active, *self._losers])
        except Exception as error:  # noqa: BLE001  # an engine's own failure must end the job, not hang it
            self._fatal = self._fatal or error
        if self._stopped_as is not None:
            self._finish(self._stopped_as, JobCancelledError(f"job {self.spec.job_id} was stopped"), is_reason=False)
        elif self._fatal is not None:
            self._finish("failed", self._fatal)
        else:
            self._finish("done", None)

    async def _launch_all(self) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(self._changed.set)
            except RuntimeError:
                pass  # the engine was closed: there are no waiters any more

        self._wake = wake
        self.spec.units.on_more(wake)
        while self._stopped_as is None and self._fatal is None:
            self._changed.clear()
            self._launch()
            if self._pending.is_over and not self._active:
                return
            alarm_s = self._alarm_s()
            alarm = None if alarm_s is None else loop.call_later(alarm_s, self._changed.set)
            await self._changed.wait()
            if alarm is not None:
                alarm.cancel()

    def _launch(self) -> None:
        """Send as many units as the limits allow."""
        self._check_budget()  # another job may have spent the rest
        if self._fatal is not None:
            return
        now, concurrency = self._clock.monotonic(), self._concurrency
        self._pending.wake(now)
        self._next_backup = None
        for left in range(concurrency.room(self._under_way, now), 0, -1):
            if not self._places.take(self._age, self._wake):
                return
            unit = self._pending.take(concurrency.reachable(now))
            if unit is None:
                self._places.give(was_used=False)
                if self.spec.backups and self._pending.rests_until is None:
                    self._back_up(left, now)
                return
            self._start(Flight(unit, self._pending.history_of(unit)), now)

    @property
    def _under_way(self) -> int:
        return len(self._active) + len(self._losers)

    def _start(self, flight: Flight, now: float) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(flight))
        self._active[task] = flight
        flight.racing.add(task)
        self._concurrency.started(self._under_way, now)
        task.add_done_callback(self._one_ended)

    def _back_up(self, room: int, now: float) -> None:
        """When nothing is left to send, start late units a second time."""
        late, self._next_backup = late_flights(self._active.values(), self._durations, now)
        for flight in late[:room]:
            if not self._places.take(self._age, self._wake):
                return
            flight.racers, flight.has_backup = flight.racers + 1, True
            assert flight.began is not None  # it is late
            self._ledger.backed_up(flight.unit, now - flight.began)
            self._start(flight, now)

    def _alarm_s(self) -> float | None:
        """Return the time until the next check without an event."""
        now = self._clock.monotonic()
        moments = [self._pending.rests_until, self._next_backup]
        alarms = [moment - now for moment in moments if moment is not None]
        if self._pending.may_have_more:
            room_s = self._concurrency.look_again_s(self._under_way, now)
            alarms += [] if room_s is None else [room_s]
        return min(alarms, default=None)

    def _one_ended(self, task: asyncio.Task[None]) -> None:
        self._active.pop(task, None)
        self._losers.discard(task)
        self._places.give()
        if not task.cancelled() and (error := task.exception()) is not None and self._fatal is None:
            self._fatal = error if isinstance(error, Exception) else RuntimeError(repr(error))
        self._changed.set()

    async def _abandon(self, tasks: list[asyncio.Task[None]]) -> None:
        """Stop waiting for running invocations, and ask them to stop."""
        running = [task for task in tasks if task.cancel()]
        if running:
            await asyncio.wait(running)  # a round or two: each notes what it leaves behind
            spec = self.spec
            spec.requests.add(writes=spec.stager.store is not None)
            try:
                future = self._threads.submit(lambda: spec.stager.mark_cancelled(spec.job_id))
            except RuntimeError:
                return  # the engine is being closed
            future.add_done_callback(lambda done: done.exception())  # the store being gone too changes nothing

    async def _carry(self, flight: Flight) -> None:
        """Run one unit to its end, in as many attempts as the policy allows."""
        while True:
            self._made += 1
            attempt_id = attempt_name(self._made, flight.unit.tasks)
            if flight.racers == 1:
                flight.began = self._clock.monotonic()
            try:
                arrival = await self._attempts.make(flight.unit, attempt_id)
            except LambdaMagicError as error:
                if flight.is_over:
                    return
                if isinstance(error, ThrottledError) and self._rest(flight, attempt_id, error):
                    return
                if flight.racers > 1:
                    flight.racers -= 1  # the other attempt continues, and decides
                    return
                larger = await self._larger(flight.unit, attempt_id, error)
                if larger is not None:
                    flight.unit = larger
                    continue
                wait_s = self._judge(flight, attempt_id, error)
                if wait_s is None:
                    return
                flight.began = None
                await asyncio.sleep(wait_s)
                continue
            if arrival.response is not None and arrival.response.status == "cancelled":
                self.stop("cancelled")  # another process has left the sign to stop: `lambdamagic cancel`
            self._last_success = self._clock.monotonic()
            self._concurrency.succeeded(self._last_success)
            if flight.is_over:
                return  # the other attempt was first
            flight = self._won(flight)
            if self._settle(arrival, attempt_id, flight.history):
                return

    def _won(self, flight: Flight) -> Flight:
        """Accept an attempt's outcome; return the attempt that continues if the unit has to run again."""
        winner = asyncio.current_task()
        assert winner is not None
        flight.is_over = True
        for task in flight.racing:
            if task is not winner and self._active.pop(task, None) is not None:
                self._losers.add(task)
        self._active[winner] = following = Flight(flight.unit, flight.history, racing={winner})
        return following

    def _check_budget(self) -> None:
        if self.spec.budget is None or self._fatal is not None:
            return
        try:
            self.spec.budget.check()
        except CostLimitError as error:
            self._fatal = error
            self._changed.set()

    def _rest(self, flight: Flight, attempt_id: str, error: ThrottledError) -> bool:
        """Release a throttled unit's place and let it pause; False if it has paused long enough."""
        now, unit, history = self._clock.monotonic(), flight.unit, flight.history
        note(self.spec.policy, history, error, now)
        pause_s = self._concurrency.throttled(self._under_way - 1, now, jitter=self._jitter())
        wait_s = error.retry_after_s  # Lambda's own word is kept even when places become free before
        if flight.racers > 1:
            flight.racers, flight.has_backup = flight.racers - 1, False  # nothing ran; the other attempt continues
            self._ledger.throttled((), attempt_id, pause_s)
            return True
        if bears_throttling(self.spec.policy, history, now=now, last_success=self._last_success):
            self._pending.rest(unit, history, now + wait_s)
            self._ledger.throttled(unit.tasks, attempt_id, max(wait_s, pause_s))
            return True
        return False

    async def _larger(self, unit: Unit, attempt_id: str, error: LambdaMagicError) -> Unit | None:
        """Return the unit for a function with more memory, if it ran out of memory and more is allowed."""
        now_mb = (unit.function or self.spec.function).memory_mb
        wanted_mb = larger_memory_mb(self.spec.policy, error, now_mb)
        resize = self.spec.resize
        if wanted_mb is None or resize is None or unit.part is not None:
            return None
        try:
            function = await asyncio.wrap_future(self._threads.submit(lambda: resize(wanted_mb)))
        except Exception as refused:  # noqa: BLE001  # it is the unit's that the function could not be made
            why = refused.message if isinstance(refused, LambdaMagicError) else repr(refused)
            error.hint = f"Not retried with {wanted_mb:,} MB: {why}"
            return None
        reason = f"out of memory at {now_mb:,} MB; retrying with {function.memory_mb:,} MB"
        self._ledger.retried(unit.tasks, reason, attempt_id=attempt_id, memory_mb=function.memory_mb)
        return replace(unit, function=function, begin=None)

    def _judge(self, flight: Flight, attempt_id: str, error: LambdaMagicError) -> float | None:
        """Decide after a failed attempt: retry after a wait, or end the unit or the job."""
        unit, now = flight.unit, self._clock.monotonic()
        note(self.spec.policy, flight.history, error, now)
        if isinstance(error, UnsendableItemsError):
            self._leave_out(unit, error)
            return None
        if isinstance(error, (*_DEATHS, *_OF_ITS_TASKS)) and unit.part is not None:
            # One of the tasks did it, and the others must not go with it.
            middle = len(unit.tasks) // 2
            self._again(unit, unit.tasks[:middle], error.message)
            self._again(unit, unit.tasks[middle:], error.message)
            return None
        wait_s = wait_before_retry(self.spec.policy, error, flight.history, now=now, jitter=self._jitter())
        if wait_s is not None:
            may_have_run = isinstance(error, InvocationError) and error.may_have_run
            self._ledger.retried(
                unit.tasks, error.message, attempt_id=attempt_id, may_have_run=may_have_run, wait_s=wait_s
            )
            return wait_s
        if isinstance(error, InvocationLostError) and flight.history.is_cut:
            explain_cut(error)
        # A unit's own program that cannot be read concerns no other unit, nor does a call that was never accepted.
        of_its_own = ProtocolError, ThrottledError
        is_its_own = isinstance(error, _OF_ITS_TASKS) or (unit.program is not None and isinstance(error, of_its_own))
        if is_its_own or (isinstance(error, InvocationError) and not isinstance(error, ThrottledError)):
            self._deliver(Arrival(unit, None, [], error, None, getattr(error, "request_id", None) or ""))
        else:
            self._fatal = error
        return None

    def _leave_out(self, unit: Unit, error: UnsendableItemsError) -> None:
        """Fail the tasks whose arguments cannot be sent, and continue with the others."""
        for position, own in error.errors.items():
            alone = unit.part((unit.tasks[position],)) if unit.part is not None else unit
            self._deliver(Arrival(alone, None, [], own, None))
        left = tuple(task for position, task in enumerate(unit.tasks) if position not in error.errors)
        if left:
            self._again(unit, left, error.message)

    def _settle(self, arrival: Arrival, attempt_id: str, history: AttemptHistory) -> bool:
        """Keep completed tasks and queue those to retry; return whether this unit needs no other attempt."""
        unit, response = arrival.unit, arrival.response
        assert response is not None
        policy = self.spec.policy
        again: list[int] = []
        if any(task.error for task in response.tasks):
            history.user_errors += 1
            if history.user_errors <= policy.user_errors:
                done = zip(unit.tasks, response.tasks, strict=False)
                again = [number for number, task in done if task.error and wants_retry(policy, task.kinds)]
        reason = next((task.error for task in response.tasks if task.error), "")
        if unit.part is None:
            if again:
                self._ledger.retried(unit.tasks, reason, attempt_id=attempt_id)
                return False
            self._deliver(arrival)
            return True
        self._deliver(replace(arrival, superseded=frozenset(again)))
        for number in again:
            self._again(unit, (number,), reason, history)
        unfinished = unit.tasks[len(response.tasks) :]
        if unfinished:
            # The deadline came in the middle: the task that ran then goes alone, the others together.
            self._again(unit, unfinished[:1], "the deadline passed while it ran")
            if unfinished[1:]:
                self._again(unit, unfinished[1:], "the deadline passed before it started")
        return True

    def _again(self, unit: Unit, tasks: tuple[int, ...], reason: str, history: AttemptHistory | None = None) -> None:
        """Queue a part of a unit."""
        assert unit.part is not None
        self._pending.again(unit.part(tasks), history)
        self._ledger.retried(tasks, reason)

    def _deliver(self, arrival: Arrival) -> None:
        self.spec.units.learn(arrival)
        if self.spec.backups and arrival.response is not None and arrival.response.tasks:
            self._durations.learn(arrival.unit.program_id, arrival.elapsed_s / len(arrival.response.tasks))
        self._ledger.delivered(arrival)
        self.job.arrived(arrival)

    def _finish(self, state: JobState, error: Exception | None, *, is_reason: bool = True) -> None:
        self._ledger.requests_made()
        # Listeners first: who waits for the job finds them up to date. That it was stopped is no reason for them: its
        # owner has one, or its state says all.
        self._ledger.job_finished(state, error if is_reason else None)
        self.job.finished(state, error)
