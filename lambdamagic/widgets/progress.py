"""What a view knows of a job, made from its events alone."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from lambdamagic import events


@dataclass
class Progress:
    """The state of one job as a person wants to see it. Times in seconds since the epoch, billed in milliseconds."""

    job_id: str = ""
    label: str = ""
    task_count: int | None = None
    memory_mb: int = 0
    started_at: float = 0.0
    finished_at: float | None = None
    state: str = "starting"
    error: str = ""
    done: int = 0
    failed: int = 0
    running: int = 0
    cold_starts: int = 0
    throttled: int = 0
    retried: int = 0
    billed_ms: float = 0.0
    peak_memory_mb: int = 0
    s3_requests: int = 0
    cost_usd: float = 0.0
    is_billed: bool = True
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def finished_tasks(self) -> int:
        """Tasks with an outcome."""
        return self.done + self.failed

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.finished_at is not None

    def elapsed_s(self, now: float) -> float:
        """Seconds since the start, up to the end."""
        return max(0.0, (self.finished_at or now) - self.started_at) if self.started_at else 0.0

    def remaining_s(self, now: float) -> float | None:
        """Seconds that the rest will take at the pace so far; None while that cannot be told."""
        if not self.task_count or not self.finished_tasks or self.is_over:
            return None
        return self.elapsed_s(now) / self.finished_tasks * (self.task_count - self.finished_tasks)


class ProgressListener:
    """Keeps a `Progress` up to date; called by the engine's thread, read by the view's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()
        self._under_way: dict[str, int] = {}

    def __call__(self, event: events.Event) -> None:
        """Take in an event."""
        with self._lock:
            self._apply(event)

    def _apply(self, event: events.Event) -> None:
        progress = self._progress
        match event:
            case events.JobStarted():
                progress.job_id, progress.label = event.job_id, event.label
                progress.task_count, progress.memory_mb = event.task_count, event.memory_mb
                progress.started_at, progress.state = event.at, "running"
                progress.is_billed = event.is_billed
            case events.InvocationStarted():
                self._under_way[event.attempt_id] = len(event.tasks)
            case events.InvocationThrottled():
                self._under_way.pop(event.attempt_id, None)
                progress.throttled += 1
            case events.InvocationRetried():
                self._under_way.pop(event.attempt_id, None)
                progress.retried += len(event.tasks)
            case events.InvocationFinished():
                self._under_way.pop(event.attempt_id, None)
                progress.cold_starts += event.is_cold
                progress.s3_requests += event.s3_requests
                progress.cost_usd += event.cost_usd
                if event.report is not None:
                    progress.billed_ms += event.report.billed_ms
                    progress.peak_memory_mb = max(progress.peak_memory_mb, event.report.peak_memory_mb)
            case events.TaskFinished():
                if event.failed:
                    progress.failed += 1
                    progress.errors[event.error] += 1
                else:
                    progress.done += 1
            case events.JobFinished():
                progress.state, progress.error, progress.finished_at = event.state, event.error, event.at
                if event.state == "done" and progress.failed:
                    progress.state = "failed"
                self._under_way.clear()
        progress.running = sum(self._under_way.values())

    def snapshot(self) -> Progress:
        """Return a copy that does not change any more."""
        with self._lock:
            copied = Progress(**self._progress.__dict__)
            copied.errors = Counter(self._progress.errors)
            return copied
