"""The cost of a user's jobs, from the history on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lambdamagic.config.ages import parse_age
from lambdamagic.jobs.history import NO_JOB, History


@dataclass(frozen=True)
class Day:
    """One day's jobs on AWS.

    Attributes:
        day: As `2026-01-31`, local time.
        jobs: How many.
        tasks: Their tasks that have an outcome.
        cost_usd: What they cost at list price.
    """

    day: str
    jobs: int
    tasks: int
    cost_usd: float


@dataclass(frozen=True)
class Spending:
    """The cost of all jobs of a period.

    Attributes:
        days: Day by day, the earliest first.
        jobs: How many.
        cost_usd: What they cost at list price.
    """

    days: tuple[Day, ...]
    jobs: int
    cost_usd: float


def spending(since: str, *, history: History | None = None, now: float | None = None) -> Spending:
    """Add up what jobs on AWS cost, and what was billed outside of jobs: `invoke --payload`, questions to functions.

    Args:
        since: How far back, such as `30d`.
        history: Where jobs are remembered; by default this user's.
        now: The time, in seconds since the epoch.

    Raises:
        ConfigError: `since` is not an age.
    """
    begin = (time.time() if now is None else now) - parse_age(since)
    days: dict[str, list[tuple[int, int, float]]] = {}
    for note in (history or History()).all(since=begin, charges=True):
        if note.started_at < begin or note.where.get("target") == "local":
            continue
        day = time.strftime("%Y-%m-%d", time.localtime(note.started_at))
        tasks = int(note.ended.get("done", 0)) + int(note.ended.get("failed", 0))
        days.setdefault(day, []).append((note.mode != NO_JOB, tasks, float(note.ended.get("cost_usd", 0.0))))
    found = tuple(Day(day, *map(sum, zip(*noted, strict=True))) for day, noted in sorted(days.items()))
    return Spending(found, sum(day.jobs for day in found), sum(day.cost_usd for day in found))
