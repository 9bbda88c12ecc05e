"""A job's progress in words."""

from __future__ import annotations

from lambdamagic.appearance import SIGNS
from lambdamagic.widgets.progress import Progress


def duration(seconds: float) -> str:
    """Return a duration as people say it."""
    if 0 < seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms" if seconds >= 0.00005 else f"{max(1, round(seconds * 1e6))} µs"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(size_bytes: float) -> str:
    """Return a size as people read it (1 kB = 1,000 bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:,.0f} {unit}" if unit == "B" else f"{size_bytes:,.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


def as_seen(printed: str) -> str:
    """Return what a terminal shows of a text in which lines begin again at carriage returns, as progress bars do."""
    return printed if "\r" not in printed else "\n".join(map(_overwritten, printed.split("\n")))


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown.rstrip() if "\r" in line else shown


#: Smaller amounts are shown as less than this.
_LEAST_USD = 0.0001


def money(usd: float) -> str:
    """Return an amount in dollars with two figures that count."""
    if usd < _LEAST_USD:
        return "< $0.0001"
    return f"${usd:.4f}" if usd < 0.01 else f"${usd:,.2f}"


def billed(progress: Progress) -> str:
    """Return what is billed, as far as that was reported."""
    if progress.unreported and not progress.billed_ms:
        return "until it stops"
    return at_least(progress) + duration(progress.billed_ms / 1000)


def cost(progress: Progress) -> str:
    """Return what that costs; an empty string where nothing is known yet: "at least less than" would say nothing."""
    if not progress.cost_usd or (progress.unreported and progress.cost_usd < _LEAST_USD):
        return ""
    return at_least(progress) + money(progress.cost_usd)


def at_least(progress: Progress) -> str:
    """Return the prefix of an amount that excludes cancelled or lost invocations: AWS bills them too."""
    return "at least " if progress.unreported else ""


def pace(progress: Progress, now: float) -> list[str]:
    """Return how far it is: what changes all the time."""
    parts = []
    if progress.task_count is None:
        parts.append(f"{progress.finished_tasks:,} tasks")
    elif progress.task_count != 1:
        parts.append(f"{progress.finished_tasks:,}/{progress.task_count:,} tasks")
    if progress.started_at:
        parts.append(duration(progress.elapsed_s(now)))
    remaining = progress.remaining_s(now)
    if remaining is not None:
        # Whole seconds: an estimate with a decimal would pretend to more, and flicker.
        parts.append(f"about {duration(max(1, round(remaining))).replace('.0 s', ' s')} left")
    return parts


def details(progress: Progress) -> list[str]:
    """Return what else is worth showing, most important first; never empty, so that no line comes and goes."""
    is_map = progress.task_count != 1
    parts = [progress.note] if progress.note else []
    if progress.running and is_map and not progress.is_over:
        parts.append(f"{progress.running:,} running")
    if progress.failed and is_map and progress.state != "partly":
        parts.append(f"{progress.failed:,} failed")
    if progress.backed_up:
        parts.append(f"{progress.backed_up:,} backed up")
    if progress.cached:
        parts.append(f"{progress.cached:,} reused")
    if progress.retried:
        parts.append(f"{progress.retried:,} retried")
    if progress.throttled:
        parts.append(f"{progress.throttled:,} throttled")
    if progress.cold_starts:
        parts.append(f"{progress.cold_starts:,} cold start{'s' if progress.cold_starts != 1 else ''}")
    if progress.billed_ms or progress.unreported:
        parts.append(f"billed {billed(progress)}")
    if amount := cost(progress):
        parts.append(amount if progress.is_billed else f"{amount} on AWS")
    if progress.peak_memory_mb:
        parts.append(f"peak {progress.peak_memory_mb:,} of {progress.memory_mb:,} MB")
    elif progress.memory_mb:
        parts.append(f"{progress.memory_mb:,} MB")
    return parts or ["nothing ran" if progress.is_over else "starting"]


def facts(progress: Progress, now: float) -> list[str]:
    """Return all that is worth showing, most important first."""
    return pace(progress, now) + details(progress)


def line(progress: Progress, now: float) -> str:
    """Return the job in one line."""
    sign = SIGNS.get(progress.state, "?")
    return f"λ {progress.label}  {sign} {progress.word}  {' · '.join(facts(progress, now))}"
