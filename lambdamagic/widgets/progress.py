"""The progress of a job, computed from its events alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdamagic import events
from lambdamagic.appearance import printable, state_at_end, state_word
from lambdamagic.widgets.pace import RemainingTime
from lambdamagic.widgets.task_grid import Changes, TaskGrid, TaskState

#: Distinct messages that are kept; later ones are counted under their type, so that a million of them fill no memory.
_ERRORS_KEPT = 500


@dataclass
class Progress:
    """The state of one job as a person wants to see it. Times in seconds since the epoch, billed in milliseconds.

    A job that waits before it can begin is `queued` behind others or `starting`; `note` says what it waits for.
    Invocations that were stopped or lost are `unreported`: AWS bills them too, for an unknown time.
    """

    job_id: str = ""
    label: str = ""
    task_count: int | None = None
    memory_mb: int = 0
    queued_at: float = 0.0
    started_at: float = 0.0
    finished_at: float | None = None
    state: str = "starting"
    note: str = ""
    error: str = ""
    done: int = 0
    failed: int = 0
    running: int = 0
    waiting_again: int = 0
    cold_starts: int = 0
    throttled: int = 0
    retried: int = 0
    backed_up: int = 0
    cached: int = 0
    billed_ms: float = 0.0
    unreported: int = 0
    peak_memory_mb: int = 0
    s3_requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    cost_usd: float = 0.0
    is_billed: bool = True
    errors: Counter[str] = field(default_factory=Counter)
    first_failed: dict[str, int] = field(default_factory=dict)
    pace: RemainingTime = field(default_factory=RemainingTime)

    @property
    def finished_tasks(self) -> int:
        """Tasks with an outcome."""
        return self.done + self.failed

    @property
    def word(self) -> str:
        """The state in words."""
        return state_word(self.state, failed=self.failed, count=self.task_count)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.finished_at is not None

    def elapsed_s(self, now: float) -> float:
        """Seconds since the start, up to the end."""
        return max(0.0, (self.finished_at or now) - self.started_at) if self.started_at else 0.0

    def remaining_s(self, now: float) -> float | None:
        """Seconds that the rest will take at the pace so far; None while that is unknown."""
        if not self.task_count or self.is_over:
            return None
        waiting = max(0, self.task_count - self.finished_tasks - self.running)
        return self.pace.remaining_s(waiting, self.elapsed_s(now))


class ProgressListener:
    """Keeps a `Progress` and a `TaskGrid` up to date; called by the engine's thread, read by the view's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()
        self._tasks = TaskGrid()
        self._on: dict[type[Any], Callable[[Any], None]] = {
            events.JobQueued: self._queued,
            events.JobStarted: self._started,
            events.InvocationStarted: self._tasks.sent,
            events.InvocationThrottled: self._throttled,
            events.InvocationRetried: self._retried,
            events.InvocationBackedUp: self._backed_up,
            events.InvocationFinished: self._answered,
            events.BatchHandedOver: self._charged,
            events.Charged: self._charged,
            events.TaskFinished: self._finished,
            events.BytesMoved: self._moved,
            events.JobFinished: self._ended,
        }

    def __call__(self, event: events.Event) -> None:
        """Take in an event; one that says nothing to a view is passed over."""
        take = self._on.get(type(event))
        if take is not None:
            with self._lock:
                take(event)

    def _queued(self, event: events.JobQueued) -> None:
        progress = self._progress
        progress.job_id, progress.task_count = event.job_id, event.task_count
        progress.label = printable(event.label)
        progress.queued_at, progress.note = event.at, event.note
        progress.state = "queued" if event.is_behind else "starting"
        self._tasks.reach(event.task_count or 0)

    def _started(self, event: events.JobStarted) -> None:
        progress = self._progress
        progress.job_id, progress.label = event.job_id, printable(event.label)
        progress.task_count, progress.memory_mb = event.task_count, event.memory_mb
        progress.started_at, progress.state = event.at, "running"
        progress.note = ""
        progress.is_billed = event.is_billed
        self._tasks.started(event)

    def _throttled(self, event: events.InvocationThrottled) -> None:
        self._progress.throttled += 1
        self._tasks.gave_up(event.attempt_id, event.tasks, event.at, TaskState.THROTTLED)

    def _retried(self, event: events.InvocationRetried) -> None:
        self._progress.retried += len(event.tasks)
        had_answered = self._tasks.gave_up(event.attempt_id, event.tasks, event.at, TaskState.RETRYING)
        self._progress.unreported += event.may_have_run and not had_answered

    def _backed_up(self, event: events.InvocationBackedUp) -> None:
        self._progress.backed_up += len(event.tasks)

    def _answered(self, event: events.InvocationFinished) -> None:
        progress = self._progress
        progress.cold_starts += event.is_cold
        progress.s3_requests += event.s3_requests
        progress.cost_usd += event.cost_usd
        if event.report is not None:
            progress.billed_ms += event.report.billed_ms
            progress.peak_memory_mb = max(progress.peak_memory_mb, event.report.peak_memory_mb)
            progress.memory_mb = max(progress.memory_mb, event.report.memory_mb)
        self._tasks.answered(event)

    def _charged(self, event: events.BatchHandedOver | events.Charged) -> None:
        # Billed in addition to the tasks; an invoker's run time, memory and cold start say nothing about them.
        self._progress.cost_usd += event.cost_usd

    def _moved(self, event: events.BytesMoved) -> None:
        self._progress.sent_bytes, self._progress.received_bytes = event.sent, event.received

    def note(self, note: str) -> None:
        """Say what a job that runs waits for; empty for nothing. For any thread."""
        with self._lock:
            if not self._progress.is_over:
                self._progress.note = note

    def _finished(self, event: events.TaskFinished) -> None:
        self._tasks.finished(event)
        self._progress.cached += event.is_cached
        if event.failed:
            errors, error = self._progress.errors, event.error
            if error not in errors:
                if len(errors) >= _ERRORS_KEPT:
                    error = f"{error.partition(':')[0]}: (other messages)"
                self._progress.first_failed.setdefault(error, event.task)
            errors[error] += 1

    def _ended(self, event: events.JobFinished) -> None:
        progress = self._progress
        progress.unreported += self._tasks.ended()
        progress.state, progress.error, progress.finished_at = event.state, event.error, event.at
        progress.note = ""
        counts = self._tasks.counts
        progress.state = state_at_end(event.state, done=counts[TaskState.DONE], failed=counts[TaskState.FAILED])

    def snapshot(self) -> Progress:
        """Return a copy that does not change any more."""
        with self._lock:
            copied = Progress(**self._progress.__dict__)
            copied.errors = Counter(self._progress.errors)
            copied.first_failed = dict(self._progress.first_failed)
            counts = self._tasks.counts
            copied.done, copied.failed = counts[TaskState.DONE], counts[TaskState.FAILED]
            copied.running = counts[TaskState.RUNNING]
            copied.pace = self._tasks.pace()
            copied.waiting_again = counts[TaskState.RETRYING] + counts[TaskState.THROTTLED]
            return copied

    def take_changes(self, *, rows_from: int = 0, full: bool = False, most_rows: int = 0) -> Changes:
        """Return what changed in the tasks since the last call; see `TaskGrid.take_changes`."""
        with self._lock:
            return self._tasks.take_changes(rows_from=rows_from, full=full, most_rows=most_rows)

    @property
    def names(self) -> Sequence[str]:
        """The tasks' names, by their numbers; empty where they have numbers only."""
        return self._tasks.names

    def tasks(self) -> TaskGrid:
        """Return the tasks of a job that is over, or a picture of them as they are now."""
        with self._lock:
            copied = TaskGrid()
            copied.states, copied.seconds = self._tasks.states[:], self._tasks.seconds[:]
            copied.invocations, copied.counts = self._tasks.invocations[:], list(self._tasks.counts)
            copied.environments, copied.names = dict(self._tasks.environments), self._tasks.names
            copied.scattered = dict(self._tasks.scattered)
            return copied
