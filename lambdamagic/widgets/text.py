"""A job's progress in words."""

from __future__ import annotations

from lambdamagic.widgets.progress import Progress

#: A sign for each state, since colour alone tells nothing to many.
SIGNS = {"starting": "…", "running": "▶", "done": "✓", "failed": "✗", "cancelled": "■"}


def duration(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def facts(progress: Progress, now: float) -> list[str]:
    """Return what is worth telling, most important first."""
    told = []
    if progress.task_count is not None and progress.task_count != 1:
        told.append(f"{progress.finished_tasks:,}/{progress.task_count:,} tasks")
    elif progress.task_count is None:
        told.append(f"{progress.finished_tasks:,} tasks")
    told.append(duration(progress.elapsed_s(now)))
    remaining = progress.remaining_s(now)
    if remaining is not None and not progress.is_over:
        told.append(f"about {duration(remaining)} left")
    if progress.running and not progress.is_over:
        told.append(f"{progress.running:,} running")
    if progress.failed:
        told.append(f"{progress.failed:,} failed")
    if progress.retried:
        told.append(f"{progress.retried:,} retried")
    if progress.throttled:
        told.append(f"{progress.throttled:,} throttled")
    if progress.cold_starts:
        told.append(f"{progress.cold_starts:,} cold start{'s' if progress.cold_starts != 1 else ''}")
    if progress.billed_ms and progress.is_over:
        told.append(f"billed {duration(progress.billed_ms / 1000)} at {progress.memory_mb:,} MB")
    if progress.peak_memory_mb:
        told.append(f"peak {progress.peak_memory_mb:,} MB")
    return told


def line(progress: Progress, now: float) -> str:
    """Return the job in one line."""
    sign = SIGNS.get(progress.state, "?")
    return f"λ {progress.label}  {sign} {progress.state}  {' · '.join(facts(progress, now))}"
