"""Sources of a run's work: single units, and tasks in chunks.

The engine takes from its own loop, which must never run the user's iterator: that could block, and all jobs with it. So
items are put here by the program's own threads.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from lambdamagic.codec.frames import Frames
from lambdamagic.config import Settings
from lambdamagic.errors import UnsendableItemsError
from lambdamagic.jobs.chunks import Pace, chunk_size
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.protocol.manifest import BLOCK_TASKS

#: How many items of an iterable without a length are sent ahead of the results that were taken.
LOOK_AHEAD = 10_000
#: Encodes some items, the first of which has the given number; runs in the invoking thread.
Encode = Callable[[Sequence[Any], int], Frames]


def runs_of(tasks: Iterable[int]) -> list[range]:
    """Return the runs of neighbors in some numbers, in order."""
    runs: list[range] = []
    for task in sorted(set(tasks)):
        if runs and runs[-1].stop == task:
            runs[-1] = range(runs[-1].start, task + 1)
        else:
            runs.append(range(task, task + 1))
    return runs


class Units:
    """Units in the order in which they were put. Thread-safe.

    Args:
        units: Those that are known beforehand.
        is_open: Whether more can come.

    Attributes:
        names: The tasks' names, for display; empty where they have numbers only.
    """

    def __init__(self, units: Iterable[Unit] = (), *, is_open: bool = False) -> None:
        self.names: Sequence[str] = ()
        self._lock = Lock()
        self._units = deque(units)
        self._is_closed = not is_open
        self._wake: Callable[[], None] = lambda: None

    def put(self, unit: Unit) -> None:
        """Add a unit.

        Raises:
            RuntimeError: The source was closed.
        """
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot take new work after shutdown")
            was_empty = not self._units
            self._units.append(unit)
        if was_empty:  # else the engine has not taken all of them, and comes back by itself
            self._wake()

    def drop_waiting(self) -> list[Unit]:
        """Take back what was not taken yet."""
        with self._lock:
            waiting = list(self._units)
            self._units.clear()
        return waiting

    def close(self) -> None:
        """Let the job end when all is done. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._wake()

    @property
    def is_closed(self) -> bool:
        """Whether no more can come."""
        with self._lock:
            return self._is_closed

    def take(self, slots: int) -> Unit | None:
        """Return the unit that has waited longest."""
        with self._lock:
            return self._units.popleft() if self._units else None

    @property
    def is_dry(self) -> bool:
        """Whether it was closed and all was taken."""
        with self._lock:
            return self._is_closed and not self._units

    def learn(self, arrival: Arrival) -> None:
        """Ignore it: each unit is sent as it came."""

    def on_more(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake


@dataclass(frozen=True)
class Sizing:
    """What bounds a chunk.

    Attributes:
        timeout_s: The function's timeout.
        limit_bytes: How much may be sent inline.
        chunksize: The user's own choice; None to fit the work.
    """

    timeout_s: float
    limit_bytes: int
    chunksize: int | None = None

    @classmethod
    def of(cls, settings: Settings, chunksize: int | None = None) -> Sizing:
        """Return the bounds of the settings; `chunksize` overrides theirs.

        Raises:
            ValueError, TypeError: It is not a number of 1 or more.
        """
        if chunksize is not None and operator.index(chunksize) < 1:
            raise ValueError(f"chunksize must be 1 or more, not {chunksize}")
        return cls(settings.timeout_s, settings.inline_limit_bytes, chunksize or settings.chunksize)


class ChunkedTasks(Units):
    """Tasks in chunks that fit the work, behind the units that were put. Thread-safe.

    Args:
        make: Makes the unit of some tasks; called in the order of the tasks.
        sizing: What bounds a chunk.
        runs: The tasks, in runs of neighbors.
        units: Units to be taken before those.
        is_open: Whether more can come.
        joins: Whether a chunk may hold tasks of several runs.
    """

    def __init__(
        self,
        make: Callable[[Sequence[int]], Unit],
        sizing: Sizing,
        runs: Iterable[range] = (),
        *,
        units: Iterable[Unit] = (),
        is_open: bool = False,
        joins: bool = False,
    ) -> None:
        super().__init__(units, is_open=is_open)
        self._make, self._sizing, self._joins = make, sizing, joins
        self._runs = deque(runs)
        self._waiting = sum(map(len, self._runs))
        self._pace = Pace()

    @property
    def waiting(self) -> int:
        """How many tasks were not taken yet."""
        with self._lock:
            return self._waiting

    def _add(self, runs: Iterable[range]) -> None:
        for run in runs:
            self._waiting += len(run)
            if self._runs and self._runs[-1].stop == run.start:
                run = range(self._runs.pop().start, run.stop)
            self._runs.append(run)

    def drop(self) -> None:
        """Take back what was not sent, and close. Idempotent."""
        with self._lock:
            self._forget()
            self._is_closed = True
        self._wake()

    def _forget(self) -> None:
        self._runs.clear()
        self._waiting = 0

    def take(self, slots: int) -> Unit | None:
        """Return a unit that was put, or the next chunk."""
        with self._lock:
            if self._units or not self._runs:
                return self._units.popleft() if self._units else None
            return self._learning(self._make(self._next_chunk(slots)))

    def _next_chunk(self, slots: int) -> Sequence[int]:
        size = chunk_size(
            self._pace,
            remaining=self._waiting,
            slots=slots,
            timeout_s=self._sizing.timeout_s,
            limit_bytes=self._sizing.limit_bytes,
            fixed=self._sizing.chunksize,
        )
        run = self._runs.popleft()
        chunk: Sequence[int] = run[:size]
        if len(run) > size:
            self._runs.appendleft(run[size:])
        elif self._joins:
            chunk = list(run)
            while self._runs and len(chunk) < size:
                run = self._runs.popleft()
                if len(run) > size - len(chunk):
                    self._runs.appendleft(run[size - len(chunk) :])
                chunk += run[: size - len(chunk)]
        self._waiting -= len(chunk)
        return chunk

    def _learning(self, unit: Unit) -> Unit:
        encode = unit.items
        if encode is None:
            return unit

        def learning() -> Frames:
            frames = encode()
            self._pace.learn_items(tasks=len(unit.tasks), item_bytes=frames.size_bytes)
            return frames

        return replace(unit, items=learning)

    @property
    def is_dry(self) -> bool:
        """Whether it was closed and all was taken."""
        with self._lock:
            return self._is_closed and not (self._runs or self._units)

    def learn(self, arrival: Arrival) -> None:
        """Learn how long tasks take, how large their outcomes are, and the overhead of an invocation."""
        response = arrival.response
        if response is None or not response.tasks:
            return
        seconds = sum(task.seconds for task in response.tasks)
        self._pace.learn(
            tasks=len(response.tasks),
            seconds=seconds,
            result_bytes=sum(memoryview(frame).nbytes for frame in arrival.frames),
            overhead_s=None if response.usage.cold or not arrival.elapsed_s else arrival.elapsed_s - seconds,
        )


class ChunkedItems(ChunkedTasks):
    """The items of a map, in chunks that fit the work. Thread-safe.

    Args:
        encode: Encodes some items.
        sizing: What bounds a chunk.
        items: All of them, which stay at hand; None for items that are put, and released once they are taken.
        runs: Which of those at hand are to run; None for all.
        joins: Whether a chunk may hold tasks of several runs.
    """

    def __init__(
        self,
        encode: Encode,
        sizing: Sizing,
        items: Sequence[Any] | None = None,
        *,
        runs: Iterable[range] | None = None,
        joins: bool = False,
    ) -> None:
        if items is not None and runs is None:
            runs = [range(len(items))] if items else []
        super().__init__(self._unit_of, sizing, runs or (), is_open=items is None, joins=joins)
        self._encode, self._at_hand = encode, items
        self._put_items: deque[Any] = deque()
        self._keep: Callable[[range, Frames], None] | None = None

    def put_items(self, items: Sequence[Any], runs: Iterable[range]) -> None:
        """Add items, and the numbers of their tasks in the same order. Nothing is added after the end."""
        with self._lock:
            if self._is_closed or not items:
                return
            was_empty = not self._runs
            self._put_items.extend(items)
            self._add(runs)
        if was_empty:
            self._wake()

    def _forget(self) -> None:
        super()._forget()
        self._put_items.clear()

    def _unit_of(self, tasks: Sequence[int]) -> Unit:
        if self._at_hand is not None:
            return self._unit(tasks, [self._at_hand[task] for task in tasks])
        return self._unit(tasks, [self._put_items.popleft() for _ in tasks])

    def _unit(self, tasks: Sequence[int], chunk: Sequence[Any]) -> Unit:
        def encode() -> Frames:
            frames = self._encode(chunk, tasks[0])
            if self._keep is not None:
                runs = runs_of(tasks)
                if len(runs) == 1:
                    self._keep(runs[0], frames)
                else:  # it is found again by its first and last
                    for run, items in zip(runs, _cut(chunk, runs), strict=True):
                        self._keep(run, self._encode(items, run.start))
            return frames

        def part(some: tuple[int, ...]) -> Unit:
            position_of = {task: position for position, task in enumerate(tasks)}
            return self._unit(some, [chunk[position_of[task]] for task in some])

        return Unit(tuple(tasks), encode, part if len(tasks) > 1 else None)

    def keep(self, keep: Callable[[range, Frames], None]) -> None:
        """Hand all items over to `keep` in blocks; where more can come, each chunk when it is encoded.

        Called before anything is taken.
        """
        if not self.is_closed:
            self._keep = keep
            return
        items = list(self._put_items) if self._at_hand is None else self._at_hand
        self._runs.clear()
        for start in range(0, len(items), BLOCK_TASKS):
            block = items[start : start + BLOCK_TASKS]
            tasks = range(start, start + len(block))
            try:
                keep(tasks, self._encode(block, start))
            except UnsendableItemsError as error:
                # Their tasks fail when they are to be sent; the process that resumes the job does not know them.
                sendable = runs_of(task for task in tasks if task - start not in error.errors)
                for run in sendable:
                    keep(run, self._encode(items[run.start : run.stop], run.start))
                self._runs += sorted([*sendable, *runs_of(start + each for each in error.errors)], key=_first)
            else:
                self._runs.append(tasks)  # no chunk is in two blocks: its arguments could not be pointed at


def _first(run: range) -> int:
    return run.start


def _cut(items: Sequence[Any], runs: Sequence[range]) -> list[Sequence[Any]]:
    found, position = [], 0
    for run in runs:
        found.append(items[position : position + len(run)])
        position += len(run)
    return found
