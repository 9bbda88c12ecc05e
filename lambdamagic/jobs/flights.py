"""Running units, and which of them are late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from lambdamagic.jobs.backups import Durations, late_at
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.policy import AttemptHistory


@dataclass(eq=False)
class Flight:
    """A running unit, in one attempt or, when it was late, in two at once.

    Attributes:
        racers: How many attempts are under way.
        is_over: Whether one of them has brought the outcome; the others no longer count.
        began: When its attempt was sent; None while none is out.
        has_backup: Whether it was given a second attempt; a third never comes.
    """

    unit: Unit
    history: AttemptHistory
    racers: int = 1
    is_over: bool = False
    began: float | None = None
    has_backup: bool = False
    racing: set[asyncio.Task[None]] = field(default_factory=set)


def late_flights(flights: Iterable[Flight], durations: Durations, now: float) -> tuple[list[Flight], float | None]:
    """Return the flights that are late, the oldest first, and when the next one will be, if that is known.

    Args:
        flights: All that are under way. One that has its second attempt, or waits for its next one, is not late.
        durations: How long other units of the job took.
        now: Seconds on the same clock as `Flight.began`.
    """
    alone = [(each.began, each) for each in set(flights) if each.began is not None]
    late, coming = [], []
    for began, flight in sorted(alone, key=lambda each: each[0]):
        if flight.has_backup or flight.is_over:
            continue
        at = late_at(began, len(flight.unit.tasks), durations.usual_s(flight.unit.program_id))
        if at is not None and at <= now:
            late.append(flight)
        elif at is not None:
            coming.append(at)
    return late, min(coming, default=None)
