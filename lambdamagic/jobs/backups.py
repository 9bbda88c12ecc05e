"""When a late invocation is started a second time, as pure functions.

A few environments of many are slow for their own reasons, and one of them can hold a whole job up at its end. So,
once nothing is left to send, what has taken much longer than its siblings gets a backup attempt; the first outcome of a
task wins. A task may then run twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

#: Fewer finished siblings than this are not enough to judge.
LEAST_FINISHED = 5
#: Late is what takes this many times as long as all but a tenth of its siblings took, for each task.
LATE = 1.5
#: What a second attempt costs at least (a cold start): nothing is late before.
SOONEST_S = 1.0
#: How many durations decide which invocation is late.
_DURATIONS_KEPT = 200


def usual_s(finished: Sequence[float]) -> float | None:
    """Return seconds in which nine of ten tasks ended, or None while too few have.

    Args:
        finished: Seconds for each task of invocations that have ended, in any order.
    """
    if len(finished) < LEAST_FINISHED:
        return None
    return sorted(finished)[int(0.9 * len(finished))]


def late_at(began: float, tasks: int, usual: float | None) -> float | None:
    """Return the moment from which an invocation is late; None if that is unknown.

    Args:
        began: When it was sent.
        tasks: How many it carries.
        usual: See `usual_s`.
    """
    return None if usual is None else began + max(SOONEST_S, LATE * usual * tasks)


class Durations:
    """How long the latest tasks of each of a job's programs took."""

    def __init__(self) -> None:
        self._of_programs: dict[str, deque[float]] = {}

    def learn(self, program_id: str, task_s: float) -> None:
        """Record an invocation that has ended: its seconds for each task."""
        self._of_programs.setdefault(program_id, deque(maxlen=_DURATIONS_KEPT)).append(task_s)

    def usual_s(self, program_id: str) -> float | None:
        """Return what `usual_s` does, for one program."""
        return usual_s(self._of_programs.get(program_id, ()))
