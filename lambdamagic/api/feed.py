"""Items that come from the program's own threads while the engine takes them, in chunks that fit the work.

The engine's loop must never run the user's iterator: that could block, and all jobs with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from threading import Lock
from typing import Any

from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.chunks import Pace, chunk_size
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.sources import learn_pace


class Feed:
    """A source that is fed. Thread-safe.

    Args:
        encode: Encodes some items whose first has the given number; runs in the invoking thread.
        timeout_s: The function's timeout.
        limit_bytes: What may ride inline.
        chunksize: The user's own choice; None to fit the work.

    Attributes:
        fed: How many items have come.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[Any], int], Frames],
        *,
        timeout_s: float,
        limit_bytes: int,
        chunksize: int | None,
    ) -> None:
        self._encode = encode
        self._timeout_s, self._limit_bytes, self._chunksize = timeout_s, limit_bytes, chunksize
        self._lock = Lock()
        self._waiting: deque[Any] = deque()
        self._taken = 0
        self._is_closed = False
        self._wake: Callable[[], None] = lambda: None
        self._pace = Pace()
        self.fed = 0

    def put(self, items: Iterable[Any]) -> int:
        """Add items and return how many there were."""
        found = list(items)
        with self._lock:
            if self._is_closed:
                return 0
            was_empty = not self._waiting
            self._waiting.extend(found)
            self.fed += len(found)
        if was_empty and found:
            self._wake()
        return len(found)

    def close(self) -> None:
        """Let the job end when all is done. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._wake()

    def drop(self) -> None:
        """Take back what was not sent, and close. Idempotent."""
        with self._lock:
            self._waiting.clear()
            self._is_closed = True
        self._wake()

    def take(self, slots: int) -> Unit | None:
        """Return the next chunk."""
        with self._lock:
            if not self._waiting:
                return None
            size = chunk_size(
                self._pace,
                remaining=len(self._waiting),
                slots=slots,
                timeout_s=self._timeout_s,
                limit_bytes=self._limit_bytes,
                fixed=self._chunksize,
            )
            chunk = [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
            start, self._taken = self._taken, self._taken + len(chunk)
        return self._unit(chunk, start)

    def _unit(self, chunk: Sequence[Any], start: int) -> Unit:
        def encode() -> Frames:
            frames = self._encode(chunk, start)
            self._pace.learn_items(tasks=len(chunk), item_bytes=frames.size_bytes)
            return frames

        def part(tasks: tuple[int, ...]) -> Unit:
            # A part is always a run of neighbours, so that its first number tells all of them.
            first = tasks[0] - start
            return self._unit(list(islice(chunk, first, first + len(tasks))), tasks[0])

        return Unit(tuple(range(start, start + len(chunk))), encode, part if len(chunk) > 1 else None)

    @property
    def is_closed(self) -> bool:
        """Whether no more items can come."""
        with self._lock:
            return self._is_closed

    @property
    def waiting(self) -> int:
        """How many items have come and were not taken yet."""
        with self._lock:
            return len(self._waiting)

    @property
    def is_dry(self) -> bool:
        """Whether it was closed and all was taken."""
        with self._lock:
            return self._is_closed and not self._waiting

    def learn(self, arrival: Arrival) -> None:
        """Learn how long tasks take, how large their outcomes are, and what an invocation costs beside them."""
        learn_pace(self._pace, arrival)

    def on_more(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake
