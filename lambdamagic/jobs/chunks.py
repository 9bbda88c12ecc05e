"""How many tasks one invocation carries, as a pure function of measurements.

An invocation has a fixed cost (a round trip, a fetch of the program), so many short tasks share one; a long chunk
at the end would leave all other environments idle, so chunks shrink as the work runs out (guided self-scheduling,
Polychronopoulos and Kuck, 1987), but not below that price. `benchmarks/simulate.py` shows what a change does.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A chunk should take about this long: long enough that an invocation's own few milliseconds do not count, short enough
#: that progress is seen and that little is lost when an environment dies.
TARGET_S = 1.0
#: Where an invocation's own price is higher (a client far away, events and their polling), so many times that price.
PRICES_IN_A_CHUNK = 20
#: Of the function's timeout, a chunk should use no more than this: one slow task must not take all to the deadline.
TIMEOUT_FRACTION = 0.25
MAX_TASKS = 10_000


@dataclass
class Pace:
    """Measurements of a job's tasks. Averages favor the recent, since tasks often grow or shrink along the way.

    Attributes:
        seconds: Run time of one task; None before the first has ended.
        overhead_s: The time of a warm invocation in addition to its tasks.
        item_bytes: Encoded size of one item.
        result_bytes: Encoded size of one outcome.
    """

    seconds: float | None = None
    overhead_s: float = 0.0
    item_bytes: float = 0.0
    result_bytes: float = 0.0

    def learn(self, *, tasks: int, seconds: float, result_bytes: int, overhead_s: float | None = None) -> None:
        """Record an invocation that has ended.

        Args:
            tasks: How many tasks it finished.
            seconds: Run time of all of them.
            result_bytes: Size of their outcomes.
            overhead_s: Its time in addition to them; None where that is not typical (a cold start).
        """
        if overhead_s is not None and overhead_s > 0:
            self.overhead_s = overhead_s if not self.overhead_s else 0.1 * overhead_s + 0.9 * self.overhead_s
        if not tasks:
            return
        weight = 0.5
        each = seconds / tasks
        self.seconds = each if self.seconds is None else weight * each + (1 - weight) * self.seconds
        self.result_bytes = _mixed(self.result_bytes, result_bytes / tasks)

    def learn_items(self, *, tasks: int, item_bytes: int) -> None:
        """Record the encoded size of a chunk's items."""
        if tasks:
            self.item_bytes = _mixed(self.item_bytes, item_bytes / tasks)


def _mixed(old: float, new: float) -> float:
    return new if not old else 0.5 * old + 0.5 * new


def chunk_size(
    pace: Pace, *, remaining: int | None, slots: int, timeout_s: float, limit_bytes: int, fixed: int | None = None
) -> int:
    """Return how many tasks the next invocation should carry; at least 1.

    Args:
        pace: What is known of the tasks.
        remaining: Tasks not yet sent; None when that is not known.
        slots: Invocations that may be under way at once.
        timeout_s: The function's timeout.
        limit_bytes: What may be sent inline in an event or an answer.
        fixed: The user's own choice, which is taken as it is.
    """
    if fixed is not None:
        return fixed
    if pace.seconds is None:
        return 1  # the first tasks go alone, to learn how long one takes and how large results are
    each_s = max(pace.seconds, 1e-6)
    size = min(max(TARGET_S, PRICES_IN_A_CHUNK * pace.overhead_s), timeout_s * TIMEOUT_FRACTION) / each_s
    if remaining is not None:
        shared_out = remaining / slots
        size = min(size, max(shared_out / 2, min(shared_out, pace.overhead_s / each_s)))
    for each in (pace.item_bytes, pace.result_bytes):
        if each > 0:
            size = min(size, 0.8 * limit_bytes / each)
    return max(1, min(int(size), MAX_TASKS))
