"""Units of chosen tasks: what is missing of a job, or has failed, and is to be run again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.chunks import Pace, chunk_size
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.sources import learn_pace


def runs_of(tasks: Iterable[int]) -> list[range]:
    """Return the runs of neighbours in some numbers, in order."""
    runs: list[range] = []
    for task in sorted(set(tasks)):
        if runs and runs[-1].stop == task:
            runs[-1] = range(runs[-1].start, task + 1)
        else:
            runs.append(range(task, task + 1))
    return runs


def units_of(items: Sequence[Any], encode: Callable[[Sequence[Any], int], Frames]) -> Callable[[range], Unit]:
    """Return what makes units of items that are at hand."""

    def make(tasks: range) -> Unit:
        def part(some: tuple[int, ...]) -> Unit:
            return make(range(some[0], some[-1] + 1))

        chunk = [items[task] for task in tasks]
        return Unit(tuple(tasks), lambda: encode(chunk, tasks.start), part if len(tasks) > 1 else None)

    return make


class SelectedTasks:
    """A source of chosen tasks, in chunks that fit the work.

    Args:
        runs: The tasks, in runs that one chunk may lie in.
        make: Makes a unit of neighbours.
        timeout_s: The function's timeout.
        limit_bytes: What may ride inline.
        chunksize: The user's own choice; None to fit the work.
        first: Units to be taken before those.
    """

    def __init__(
        self,
        runs: Iterable[range],
        make: Callable[[range], Unit],
        *,
        timeout_s: float,
        limit_bytes: int,
        chunksize: int | None = None,
        first: Iterable[Unit] = (),
    ) -> None:
        self._runs, self._first = deque(runs), deque(first)
        self._make = make
        self._timeout_s, self._limit_bytes, self._chunksize = timeout_s, limit_bytes, chunksize
        self._remaining = sum(len(run) for run in self._runs)
        self._pace = Pace()

    def take(self, slots: int) -> Unit | None:
        """Return the next chunk."""
        if self._first:
            return self._first.popleft()
        if not self._runs:
            return None
        size = chunk_size(
            self._pace,
            remaining=self._remaining,
            slots=slots,
            timeout_s=self._timeout_s,
            limit_bytes=self._limit_bytes,
            fixed=self._chunksize,
        )
        run = self._runs.popleft()
        if len(run) > size:
            self._runs.appendleft(run[size:])
            run = run[:size]
        self._remaining -= len(run)
        return self._make(run)

    @property
    def is_dry(self) -> bool:
        """Whether all were taken."""
        return not (self._runs or self._first)

    def learn(self, arrival: Arrival) -> None:
        """Learn how long tasks take and how large their outcomes are."""
        learn_pace(self._pace, arrival)

    def on_more(self, wake: Callable[[], None]) -> None:
        """Ignore it: there is never more."""
