"""Where an engine's work comes from: one unit at a time, when there is room for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import Any, Protocol

from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.chunks import Pace, chunk_size
from lambdamagic.jobs.job import Arrival, Unit


class UnitSource(Protocol):
    """Gives units to the engine, which calls from its own thread."""

    def take(self, slots: int) -> Unit | None:
        """Return the next unit, or None when there is none now.

        Args:
            slots: How many invocations may be under way at once.
        """
        ...

    @property
    def is_dry(self) -> bool:
        """Whether there will never be another."""
        ...

    def learn(self, arrival: Arrival) -> None:
        """Hear how an invocation ended."""
        ...

    def on_more(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from any thread, when there is more after there was none."""
        ...


class FixedUnits:
    """Units that are known beforehand."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units = deque(units)

    def take(self, slots: int) -> Unit | None:
        """Return the next unit."""
        return self._units.popleft() if self._units else None

    @property
    def is_dry(self) -> bool:
        """Whether all were taken."""
        return not self._units

    def learn(self, arrival: Arrival) -> None:
        """Ignore it: nothing depends on it."""

    def on_more(self, wake: Callable[[], None]) -> None:
        """Ignore it: there is never more."""


class ChunkedItems:
    """Items of any iterable, also an endless one, in chunks that fit the work; pulled as they are needed.

    Args:
        items: The items.
        encode: Encodes some items whose first has the given number; runs in the invoking thread.
        timeout_s: The function's timeout.
        limit_bytes: What may ride inline.
        chunksize: The user's own choice; None to fit the work.
        length: How many items there are, where the iterable does not say so itself.
    """

    def __init__(
        self,
        items: Iterable[Any],
        encode: Callable[[Sequence[Any], int], Frames],
        *,
        timeout_s: float,
        limit_bytes: int,
        chunksize: int | None = None,
        length: int | None = None,
    ) -> None:
        self._items: Iterator[Any] = iter(items)
        self._encode = encode
        self._timeout_s, self._limit_bytes, self._chunksize = timeout_s, limit_bytes, chunksize
        self._remaining = len(items) if isinstance(items, Sized) else length
        self._next = 0
        self._is_dry = False
        self.pace = Pace()

    def take(self, slots: int) -> Unit | None:
        """Return the next chunk."""
        return self.take_at_most(slots, None)

    def take_at_most(self, slots: int, room: int | None) -> Unit | None:
        """Return the next chunk, of no more than `room` tasks."""
        if self._is_dry:
            return None
        size = chunk_size(
            self.pace,
            remaining=self._remaining,
            slots=slots,
            timeout_s=self._timeout_s,
            limit_bytes=self._limit_bytes,
            fixed=self._chunksize,
        )
        chunk = list(islice(self._items, size if room is None else max(1, min(size, room))))
        if self._remaining is not None:
            self._remaining -= len(chunk)
        if not chunk:
            self._is_dry = True
            return None
        start, self._next = self._next, self._next + len(chunk)
        return self._unit(chunk, start)

    def _unit(self, chunk: Sequence[Any], start: int) -> Unit:
        def encode() -> Frames:
            frames = self._encode(chunk, start)
            self.pace.learn_items(tasks=len(chunk), item_bytes=frames.size_bytes)
            return frames

        def part(tasks: tuple[int, ...]) -> Unit:
            return self._unit([chunk[task - start] for task in tasks], tasks[0])

        # A part is always a run of neighbours, so that its first number tells all of them.
        numbers = tuple(range(start, start + len(chunk)))
        return Unit(numbers, encode, part if len(chunk) > 1 else None)

    @property
    def is_dry(self) -> bool:
        """Whether the items have come to their end."""
        return self._is_dry or self._remaining == 0

    def learn(self, arrival: Arrival) -> None:
        """Learn how long tasks take, how large their outcomes are, and what an invocation costs beside them."""
        learn_pace(self.pace, arrival)

    def on_more(self, wake: Callable[[], None]) -> None:
        """Ignore it: items are pulled."""


class Renumbered:
    """A source whose tasks have other numbers: those that are left when the outcomes of others are known.

    Args:
        source: The source; its tasks count from 0.
        numbers: The number of each of its tasks. It may grow.
    """

    def __init__(self, source: UnitSource, numbers: Sequence[int]) -> None:
        self._source, self._numbers = source, numbers

    def take(self, slots: int) -> Unit | None:
        """Return the next unit."""
        unit = self._source.take(slots)
        return None if unit is None else self._renumbered(unit)

    def _renumbered(self, unit: Unit) -> Unit:
        own = {self._numbers[task]: task for task in unit.tasks}
        part = unit.part

        def renumbered_part(tasks: tuple[int, ...]) -> Unit:
            assert part is not None
            return self._renumbered(part(tuple(own[task] for task in tasks)))

        return replace(unit, tasks=tuple(own), part=None if part is None else renumbered_part)

    @property
    def is_dry(self) -> bool:
        """Whether there will never be another."""
        return self._source.is_dry

    def learn(self, arrival: Arrival) -> None:
        """Hear how an invocation ended."""
        self._source.learn(arrival)

    def on_more(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._source.on_more(wake)


def learn_pace(pace: Pace, arrival: Arrival) -> None:
    """Tell a pace of an invocation that has ended."""
    response = arrival.response
    if response is None or not response.tasks:
        return
    seconds = sum(task.seconds for task in response.tasks)
    pace.learn(
        tasks=len(response.tasks),
        seconds=seconds,
        result_bytes=sum(memoryview(frame).nbytes for frame in arrival.frames),
        overhead_s=None if response.usage.cold or not arrival.elapsed_s else arrival.elapsed_s - seconds,
    )


class Submissions:
    """Units that come from other threads while the engine runs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._units: deque[Unit] = deque()
        self._is_closed = False
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
        """Let the engine end when all is done. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._wake()

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
