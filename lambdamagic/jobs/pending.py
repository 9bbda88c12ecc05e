"""Units that a job has yet to send: new ones, parts that are sent again, and throttled ones that pause."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import replace

from lambdamagic.jobs.job import Unit, UnitSource
from lambdamagic.jobs.policy import AttemptHistory


class PendingUnits:
    """Units in the order in which they are sent. Used by the engine's event loop only.

    Args:
        source: Where new units come from.
    """

    def __init__(self, source: UnitSource) -> None:
        self._source = source
        self._again: deque[Unit] = deque()
        # Throttled, and not to be sent again before a moment; ties are broken by a sequence number.
        self._resting: list[tuple[float, int, Unit]] = []
        self._rests = 0
        # Only of tasks that have failed before, or are on their way: memory does not grow with what is done.
        self._histories: dict[tuple[int, ...], AttemptHistory] = {}

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to send, and never will be."""
        return self._source.is_dry and not (self._again or self._resting)

    @property
    def may_have_more(self) -> bool:
        """Whether there may be a unit that is not pausing."""
        return bool(self._again) or not self._source.is_dry

    @property
    def rests_until(self) -> float | None:
        """When the first pausing unit is sent again; None if there is none."""
        return self._resting[0][0] if self._resting else None

    def again(self, unit: Unit, history: AttemptHistory | None = None) -> None:
        """Queue a part of a unit, with its history of attempts."""
        self._again.append(unit)
        if history is not None:
            self._histories[unit.tasks] = replace(history)

    def rest(self, unit: Unit, history: AttemptHistory, until: float) -> None:
        """Hold a throttled unit until a moment."""
        self._rests += 1
        self._histories[unit.tasks] = history
        heapq.heappush(self._resting, (until, self._rests, replace(unit, begin=None)))

    def wake(self, now: float) -> None:
        """Move units whose pause is over to the front."""
        rested: list[Unit] = []
        while self._resting and self._resting[0][0] <= now:
            rested.append(heapq.heappop(self._resting)[2])
        self._again.extendleft(reversed(rested))

    def take(self, slots: int) -> Unit | None:
        """Return the next unit, or None when there is none now.

        Args:
            slots: How many invocations may be under way at once.
        """
        # What was refused is not overtaken by what is newer: that would be refused as well, or hold its place.
        if self._resting and not self._again:
            return None
        while unit := self._again.popleft() if self._again else self._source.take(slots):
            if unit.begin is None or unit.begin():
                return unit
        return None

    def history_of(self, unit: Unit) -> AttemptHistory:
        """Return the history of attempts of a unit that was taken."""
        return self._histories.pop(unit.tasks, None) or AttemptHistory()
