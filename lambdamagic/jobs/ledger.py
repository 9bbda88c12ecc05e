"""A job's account: its events, the ends of its logs, and its cost."""

from __future__ import annotations

from typing import Any, Literal

from lambdamagic import events
from lambdamagic.clock import Clock
from lambdamagic.codec.failures import safe_str
from lambdamagic.errors import InvocationError, LambdaMagicError
from lambdamagic.jobs.job import Arrival, Job, Unit
from lambdamagic.jobs.prices import S3_READ_USD, S3_WRITE_USD
from lambdamagic.protocol.joblog import without_displays
from lambdamagic.protocol.report import Report, parse_report

_LOG_TAILS_KEPT = 20


class Ledger:
    """Keeps a job's account; lives in the engine's event loop.

    Args:
        job: The job.
        clock: The time in events.
    """

    def __init__(self, job: Job, clock: Clock) -> None:
        self._job, self._spec, self._clock = job, job.spec, clock
        self._id = job.spec.job_id
        self._moved = 0, 0

    def job_started(self) -> None:
        """Report that it began."""
        spec, job = self._spec, self._job
        about = spec.label, spec.task_count, spec.function.memory_mb, spec.is_billed
        self._emit(events.JobStarted(self._id, *about, job.started_at, spec.units.names))
        for task in spec.cached:
            self._emit(events.TaskFinished(self._id, task, False, "", 0.0, job.started_at, True))

    def started(self, unit: Unit, attempt_id: str) -> None:
        """Report an attempt."""
        self._emit(events.InvocationStarted(self._id, attempt_id, unit.tasks, self._clock.time()))

    def throttled(self, tasks: tuple[int, ...], attempt_id: str, wait_s: float) -> None:
        """Report a refusal, and which tasks now wait."""
        self._emit(events.InvocationThrottled(self._id, attempt_id, tasks, wait_s, self._clock.time()))

    def backed_up(self, unit: Unit, after_s: float) -> None:
        """Report that a second attempt goes next to a slow one."""
        self._emit(events.InvocationBackedUp(self._id, unit.tasks, after_s, self._clock.time()))

    def retried(
        self,
        tasks: tuple[int, ...],
        reason: str,
        *,
        attempt_id: str = "",
        may_have_run: bool = True,
        wait_s: float = 0.0,
        memory_mb: int = 0,
    ) -> None:
        """Report that tasks are tried again; see `events.InvocationRetried`."""
        now = self._clock.time()
        retry = events.InvocationRetried(self._id, attempt_id, tasks, reason, may_have_run, wait_s, now, memory_mb)
        self._emit(retry)

    def ended(self, arrival: Arrival, attempt_id: str, tail: str) -> None:
        """Record an invocation that answered."""
        response, report = arrival.response, arrival.report
        assert response is not None
        usage = response.usage
        self._keep_log(tail)
        billed_ms: float = usage.billed_ms
        # Where INIT failed and ran again, REPORT has only the second; the line of the first may be cut off by prints.
        if report is not None and (report.init_ms or report.failed_init_ms or not usage.cold):
            billed_ms = report.billed_ms
        elif report is not None:
            billed_ms = max(billed_ms, report.billed_ms)
        self._account(
            arrival.unit,
            attempt_id,
            report,
            billed_ms=billed_ms,
            duration_ms=report.duration_ms if report is not None else usage.duration_ms,
            environment_id=usage.environment_id,
            is_cold=usage.cold,
            s3_writes=usage.s3_writes,
            s3_reads=usage.s3_requests - usage.s3_writes,
        )

    def died(self, unit: Unit, attempt_id: str, error: LambdaMagicError, *, elapsed_s: float) -> None:
        """Record an invocation that did not answer.

        Args:
            unit: What it carried.
            attempt_id: Which attempt it was.
            error: What became of it: its log says what is billed, or it says for how long it must have run.
            elapsed_s: How long it was out, which counts where neither is known and it may have run.
        """
        self._keep_log(error.log_tail)
        report = parse_report(error.log_tail, error.request_id or "")
        if report is not None:
            self._account(
                unit,
                attempt_id,
                report,
                billed_ms=report.billed_ms,
                duration_ms=report.duration_ms,
                is_cold=report.is_cold,
            )
        elif error.billed_s is not None:
            self._unreported(unit, error.billed_s)
        elif isinstance(error, InvocationError) and error.may_have_run:
            self._unreported(unit, elapsed_s)

    def left(self, unit: Unit, elapsed_s: float) -> None:
        """Record an abandoned invocation: it runs until it notices the cancellation."""
        self._unreported(unit, elapsed_s)

    def requests_made(self) -> None:
        """Account for this side's requests to S3 since the last call."""
        moved = self._spec.requests.moved
        if moved != self._moved:
            self._moved = moved
            self._emit(events.BytesMoved(self._id, *moved))
        made = self._spec.requests.take()
        if made:
            self._charge("s3", made.writes * S3_WRITE_USD + made.reads * S3_READ_USD)

    def _unreported(self, unit: Unit, ran_s: float) -> None:
        function = unit.function or self._spec.function
        billed_ms = min(ran_s, function.timeout_s) * 1000
        cost_usd = self._spec.prices.invocation_usd(billed_ms=billed_ms, memory_mb=function.memory_mb)
        self._charge("unreported", cost_usd)

    def _charge(self, what: Literal["s3", "unreported"], cost_usd: float) -> None:
        if self._spec.budget is not None:
            self._spec.budget.spend(cost_usd)
        self._emit(events.Charged(self._id, what, cost_usd, self._clock.time()))

    def handed_over(self, invocations: int, report: Report) -> None:
        """Account for a batch of events that went through an invoker: its own run is billed next to theirs."""
        spec = self._spec
        cost_usd = spec.prices.invocation_usd(billed_ms=report.billed_ms, memory_mb=report.memory_mb)
        if spec.budget is not None:
            spec.budget.spend(cost_usd)
        self._emit(events.BatchHandedOver(self._id, invocations, report, cost_usd, self._clock.time()))

    def _account(
        self,
        unit: Unit,
        attempt_id: str,
        report: Any,
        *,
        billed_ms: float,
        duration_ms: float,
        is_cold: bool,
        environment_id: str = "",
        s3_writes: int = 0,
        s3_reads: int = 0,
    ) -> None:
        spec = self._spec
        function = unit.function or spec.function
        cost_usd = spec.prices.invocation_usd(
            billed_ms=billed_ms,
            memory_mb=function.memory_mb,
            s3_writes=s3_writes,
            s3_reads=s3_reads,
            is_restored=is_cold and function.is_restored,
        )
        if spec.budget is not None:
            spec.budget.spend(cost_usd)
        now = self._clock.time()
        self._emit(
            events.InvocationFinished(
                self._id,
                attempt_id,
                unit.tasks,
                report,
                environment_id,
                is_cold,
                s3_writes + s3_reads,
                cost_usd,
                duration_ms,
                now,
            )
        )

    def delivered(self, arrival: Arrival) -> None:
        """Report tasks that have their outcome."""
        now = self._clock.time()
        if arrival.response is not None:
            for task, summary in zip(arrival.unit.tasks, arrival.response.tasks, strict=False):
                if task not in arrival.superseded:
                    failed = bool(summary.error)
                    self._emit(events.TaskFinished(self._id, task, failed, summary.error, summary.seconds, now))
        elif arrival.error is not None:
            line = f"{type(arrival.error).__name__}: {safe_str(arrival.error)}".splitlines()[0]
            for task in arrival.unit.tasks:
                self._emit(events.TaskFinished(self._id, task, True, line, 0.0, now))

    def job_finished(self, state: events.JobState, error: Exception | None) -> None:
        """Report the end."""
        text = "" if error is None else f"{type(error).__name__}: {error}".splitlines()[0]
        self._emit(events.JobFinished(self._id, state, text, self._clock.time()))

    def _emit(self, event: events.Event) -> None:
        self._job.listeners.emit(event)

    def _keep_log(self, tail: str) -> None:
        if tail:
            self._job.log_tails.append(without_displays(tail))
            del self._job.log_tails[:-_LOG_TAILS_KEPT]
