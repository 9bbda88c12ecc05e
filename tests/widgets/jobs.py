"""Events of made-up jobs, for views."""

from __future__ import annotations

from typing import Any

from lambdamagic import events
from lambdamagic.protocol.report import Report
from lambdamagic.widgets.progress import Progress, ProgressListener

JOB = "20260101-000000-abcdef01"
START = 1_000.0


def started(task_count: int | None = 10, label: str = "evaluate × 10", **more: Any) -> events.JobStarted:
    """A job of 512 MB that begins at `START`."""
    return events.JobStarted(JOB, label, task_count, 512, more.pop("is_billed", True), START, **more)


def sent(attempt: str, *tasks: int) -> events.InvocationStarted:
    """An invocation with these tasks."""
    return events.InvocationStarted(JOB, attempt, tasks, START + 1)


def ended(attempt: str, *tasks: int, is_cold: bool = False, peak: int = 100, cost: float = 0.0) -> Any:
    """The end of an invocation that is billed for 1.5 s."""
    report = Report("r", 1400.0, 1500.0, 512, peak, 100.0 if is_cold else 0.0)
    return events.InvocationFinished(JOB, attempt, tasks, report, "env", is_cold, 2, cost, 1400.0, START + 3)


def outcome(task: int, error: str = "") -> events.TaskFinished:
    """The outcome of a task."""
    return events.TaskFinished(JOB, task, bool(error), error, 0.5, START + 3)


def over(state: str = "done", error: str = "") -> events.JobFinished:
    """The end of the job, 10 s after its start."""
    return events.JobFinished(JOB, state, error, START + 10)


def after(*happened: events.Event) -> Progress:
    """What a view knows after these events."""
    listener = ProgressListener()
    for event in happened:
        listener(event)
    return listener.snapshot()


class Timeline:
    """A job whose invocations have one task each, reported up to a moment; times in seconds since its start."""

    def __init__(self, task_count: int) -> None:
        self._listener = ProgressListener()
        self._listener(started(task_count))

    def runs(self, task: int, *, sent: float, ended: float, until: float, init_ms: float = 0.0) -> None:
        """Report a task's invocation, as far as it has come until then."""
        attempt = str(task)
        self._listener(events.InvocationStarted(JOB, attempt, (task,), START + sent))
        if ended <= until:
            ran_ms = (ended - sent) * 1000 - init_ms
            report = Report("r", ran_ms, ran_ms, 512, 100, init_ms)
            self._listener(
                events.InvocationFinished(
                    JOB, attempt, (task,), report, "env", init_ms > 0, 2, 0.0, ran_ms, START + ended
                )
            )
            self._listener(events.TaskFinished(JOB, task, False, "", ran_ms / 1000, START + ended))

    def progress(self) -> Progress:
        """Return what a view would see."""
        return self._listener.snapshot()
