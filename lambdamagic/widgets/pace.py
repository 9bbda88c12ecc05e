"""Estimate a job's remaining time from the durations of its invocations so far.

Not from the tasks that are done and the time that has passed: between two waves of equal tasks time passes and none is
done, and an estimate made of these would rise until the next wave ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: A task that runs longer than the others is expected to need this share of its run time so far again.
_OVERDUE = 0.1


class UnderWay(NamedTuple):
    """An invocation that was sent and has not ended: when, in seconds since the job's start, and how many tasks."""

    at: float
    tasks: int


@dataclass(frozen=True)
class RemainingTime:
    """What is known of it.

    Attributes:
        seconds_each: What a task took of an invocation's time, there and back and without INIT; None before the first.
        slots: How many invocations ran at once when one last ended.
        under_way: Those that run now.
    """

    seconds_each: float | None = None
    slots: int = 0
    under_way: tuple[UnderWay, ...] = ()

    def remaining_s(self, waiting: int, elapsed_s: float) -> float | None:
        """Return how long the rest will take; None before something has ended.

        Each slot continues with the next task when it is free, all of them taking what the others took.

        Args:
            waiting: How many tasks are not under way.
            elapsed_s: Seconds since the job's start.
        """
        each = self.seconds_each
        if each is None:
            return None
        left = sorted(_left_s(each, sent, elapsed_s) for sent in self.under_way)
        left = [0.0] * (max(1, self.slots) - len(left)) + left
        rounds, more = divmod(waiting, len(left))
        last = max(left[-1], left[more - 1] + each if more else 0.0)
        return rounds * each + last


def _left_s(each: float, sent: UnderWay, elapsed_s: float) -> float:
    ran = max(0.0, elapsed_s - sent.at)
    return max(each * sent.tasks - ran, _OVERDUE * ran)
