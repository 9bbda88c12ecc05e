"""The engine: takes a job's units to Lambda, as many at once as it may, until each has an end.

One event loop in one daemon thread decides; blocking calls run in daemon threads. It knows transports and policies, no
AWS and no view.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from lambdamagic import events
from lambdamagic.errors import (
    CostLimitError,
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationError,
    JobCancelledError,
    LambdaMagicError,
    OutOfMemoryError,
    ThrottledError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.job import Arrival, Job, JobSpec, Unit
from lambdamagic.jobs.policy import Concurrency, History, note, wait_before_retry
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.jobs.verdict import read_reply, timed_out
from lambdamagic.protocol.envelope import Request, Response
from lambdamagic.protocol.report import Report, parse_report
from lambdamagic.transports.base import Invocation

_LOG_TAILS_KEPT = 20


class Engine:
    """Runs jobs. Thread-safe; its threads start with the first job.

    Args:
        max_threads: How many blocking calls may run at once, over all jobs.
        jitter: Gives numbers in [0, 1) for waits.
    """

    def __init__(self, *, max_threads: int = 1024, jitter: Callable[[], float] = random.random) -> None:
        self._threads = DaemonThreads(max_threads, "lambdamagic-invoke")
        self._jitter = jitter
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, spec: JobSpec, listeners: Listeners) -> Job:
        """Begin a job and return it at once."""
        job = Job(spec, listeners)
        loop = self._running_loop()
        run = _JobRun(job, self._threads, self._jitter)

        def cancel() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(run.cancel)

        job._cancel = cancel
        loop.call_soon_threadsafe(run.begin)
        return job

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._loop = loop
                self._thread = threading.Thread(target=loop.run_forever, name="lambdamagic-engine", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """End the engine's threads; jobs that still run are abandoned. Idempotent."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        self._threads.close()
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5.0)
        if not thread.is_alive():
            loop.close()


class _JobRun:
    """One job under way; lives in the event loop's thread."""

    def __init__(self, job: Job, threads: DaemonThreads, jitter: Callable[[], float]) -> None:
        self.job, self.spec = job, job.spec
        self._threads, self._jitter = threads, jitter
        self._waiting: deque[Unit] = deque()
        self._histories: dict[tuple[int, ...], History] = {}
        self._active: set[asyncio.Task[None]] = set()
        self._concurrency = Concurrency(max(1, self.spec.max_concurrency))
        self._attempts = 0
        self._main: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self._cost_usd = 0.0
        self._fatal: Exception | None = None
        self._changed = asyncio.Event()

    def begin(self) -> None:
        self._main = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        self._is_cancelled = True
        self._changed.set()

    def _emit(self, event: events.Event) -> None:
        self.job.listeners.emit(event)

    async def _run(self) -> None:
        spec = self.spec
        self._emit(
            events.JobStarted(
                spec.job_id, spec.label, spec.task_count, spec.function.memory_mb, spec.is_billed, self.job.started_at
            )
        )
        try:
            await self._launch_all()
        except Exception as error:  # noqa: BLE001  # an engine's own failure must end the job, not hang it
            self._fatal = self._fatal or error
        if self._is_cancelled:
            self._finish("cancelled", JobCancelledError(f"job {spec.job_id} was cancelled"))
        elif self._fatal is not None:
            self._finish("failed", self._fatal)
        else:
            self._finish("done", None)

    async def _launch_all(self) -> None:
        units = self.spec.units
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        units.on_more(wake)
        while not self._is_cancelled and self._fatal is None:
            self._changed.clear()
            while len(self._active) < (limit := self._concurrency.limit):
                unit = self._waiting.popleft() if self._waiting else units.take(limit)
                if unit is None:
                    break
                if unit.begin is not None and not unit.begin():
                    continue
                task = asyncio.get_running_loop().create_task(self._carry(unit))
                self._active.add(task)
                task.add_done_callback(self._one_ended)
            if units.is_dry and not self._active and not self._waiting:
                return
            await self._changed.wait()
        await self._abandon()

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
        history = self._histories.setdefault(unit.tasks, History())
        while True:
            self._attempts += 1
            attempt_id = f"{self._attempts:06d}"
            try:
                arrival = await self._attempt(unit, attempt_id)
            except LambdaMagicError as error:
                wait_s = self._judge(unit, attempt_id, error, history)
                if wait_s is None:
                    return
                await asyncio.sleep(wait_s)
                continue
            if not self._is_to_be_repeated(arrival, history):
                self._concurrency.succeeded()
                self._deliver(arrival)
                return

    def _judge(self, unit: Unit, attempt_id: str, error: LambdaMagicError, history: History) -> float | None:
        """Decide what follows a failed attempt: a wait, or the end of the unit or the job."""
        now = time.monotonic()
        note(history, error, now)
        spec = self.spec
        if isinstance(error, InvocationError):
            self._keep_log(error.log_tail)
        if isinstance(error, ThrottledError):
            self._concurrency.throttled()
        wait_s = wait_before_retry(spec.policy, error, history, now=now, jitter=self._jitter())
        if wait_s is not None:
            if isinstance(error, ThrottledError):
                self._emit(events.InvocationThrottled(spec.job_id, attempt_id, unit.tasks, wait_s, time.time()))
            else:
                may_have_run = isinstance(error, InvocationError) and error.may_have_run
                text = error.message
                self._emit(
                    events.InvocationRetried(
                        spec.job_id, attempt_id, unit.tasks, text, may_have_run, wait_s, time.time()
                    )
                )
            return wait_s
        if (
            isinstance(error, FunctionTimedOutError | OutOfMemoryError | EnvironmentDiedError)
            and unit.split is not None
        ):
            # Only one of the tasks did it; the others must not go with it.
            self._waiting.extend(unit.split())
            return None
        if isinstance(error, InvocationError) and not isinstance(error, ThrottledError):
            self._deliver(Arrival(unit, None, [], error, None, error.request_id or ""))
            return None
        self._fatal = error
        return None

    def _is_to_be_repeated(self, arrival: Arrival, history: History) -> bool:
        """Whether the user's own exception is to be tried again, as --retries asked."""
        response = arrival.response
        if response is None or not any(task.error for task in response.tasks):
            return False
        history.user_errors += 1
        if history.user_errors > self.spec.policy.user_errors:
            return False
        spec = self.spec
        reason = next(task.error for task in response.tasks if task.error)
        self._emit(events.InvocationRetried(spec.job_id, "", arrival.unit.tasks, reason, True, 0.0, time.time()))
        return True

    async def _attempt(self, unit: Unit, attempt_id: str) -> Arrival:
        spec = self.spec
        self._emit(events.InvocationStarted(spec.job_id, attempt_id, unit.tasks, time.time()))
        future = self._threads.submit(lambda: _invoke(spec, unit, attempt_id))
        arrival: Arrival
        arrival, tail = await asyncio.wrap_future(future)
        self._keep_log(tail)
        self._report(arrival, attempt_id)
        response: Response | None = arrival.response
        if response is not None and response.status == "timed_out":
            error = timed_out(response, timeout_s=spec.function.timeout_s, request_id=arrival.request_id)
            finished = len(response.tasks)
            if finished and unit.split is not None:
                self._deliver(arrival)  # what was done before the deadline is kept
                self._waiting.extend(unit.split()[finished:])
                return Arrival(Unit(()), None, [], None, arrival.report)
            raise error
        return arrival

    def _keep_log(self, tail: str) -> None:
        if tail:
            self.job.log_tails.append(tail)
            del self.job.log_tails[:-_LOG_TAILS_KEPT]

    def _report(self, arrival: Arrival, attempt_id: str) -> None:
        response, report = arrival.response, arrival.report
        usage = response.usage if response is not None else None
        self._cost_usd += (cost_usd := self._cost_of(arrival))
        self._emit(
            events.InvocationFinished(
                self.spec.job_id,
                attempt_id,
                arrival.unit.tasks,
                report,
                usage.environment_id if usage is not None else "",
                usage.cold if usage is not None else report is not None and report.is_cold,
                usage.s3_requests if usage is not None else 0,
                cost_usd,
                time.time(),
            )
        )
        limit = self.spec.max_cost_usd
        if self.spec.is_billed and limit is not None and self._cost_usd >= limit and self._fatal is None:
            self._fatal = CostLimitError(
                f"the job has cost {self._cost_usd:.2f} dollars at list price and may cost {limit:.2f}",
                hint="raise it with --max-cost or the setting max_cost_usd; what is done is kept",
            )
            self._changed.set()

    def _cost_of(self, arrival: Arrival) -> float:
        response, report = arrival.response, arrival.report
        if report is not None:
            billed_ms = report.billed_ms
        else:
            billed_ms = response.usage.duration_ms if response is not None else 0.0
        requests = response.usage.s3_requests if response is not None else 0
        memory_mb = self.spec.function.memory_mb
        # Reads and writes are not told apart in a task's usage: all count as the dearer.
        return self.spec.prices.invocation_usd(billed_ms=billed_ms, memory_mb=memory_mb, s3_writes=requests)

    def _deliver(self, arrival: Arrival) -> None:
        spec, now = self.spec, time.time()
        spec.units.learn(arrival)
        if arrival.response is not None:
            for task, summary in zip(arrival.unit.tasks, arrival.response.tasks, strict=False):
                failed = bool(summary.error)
                self._emit(events.TaskFinished(spec.job_id, task, failed, summary.error, summary.seconds, now))
        elif arrival.error is not None:
            for task in arrival.unit.tasks:
                line = f"{type(arrival.error).__name__}: {arrival.error}".splitlines()[0]
                self._emit(events.TaskFinished(spec.job_id, task, True, line, 0.0, now))
        if arrival.unit.tasks:
            self.job.arrived(arrival)

    def _finish(self, state: Any, error: Exception | None) -> None:
        self.job.finished(state, error)
        text = "" if error is None else f"{type(error).__name__}: {error}".splitlines()[0]
        self._emit(events.JobFinished(self.spec.job_id, state, text, time.time()))


def _invoke(spec: JobSpec, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
    """Make one invocation and read its reply; blocking, runs in a thread."""
    stager = spec.stager
    request = Request(
        versions=spec.versions,
        kind=spec.kind,
        job_id=spec.job_id,
        attempt_id=attempt_id,
        key=spec.key,
        program=spec.program if unit.program is None else unit.program(),
        items=None if unit.items is None else stager.place(unit.items(), limit_bytes=spec.inline_limit_bytes),
        uploads=stager.uploads(spec.job_id, attempt_id),
        inline_limit_bytes=spec.inline_limit_bytes,
        cancel_url=stager.cancel_url(spec.job_id),
        options={**spec.options, "program_id": unit.program_id},
    )
    function = spec.function
    reply = spec.transport.invoke(
        Invocation(
            function=function.name,
            payload=json.dumps(request.to_json()).encode(),
            want_log_tail=True,
            timeout_s=function.timeout_s,
        )
    )
    response = read_reply(reply, client=spec.versions, memory_mb=function.memory_mb, timeout_s=function.timeout_s)
    frames = stager.collect(response, job_id=spec.job_id, attempt_id=attempt_id, key=spec.key)
    report: Report | None = parse_report(reply.log_tail, reply.request_id)
    return Arrival(unit, response, frames, None, report, reply.request_id), reply.log_tail
