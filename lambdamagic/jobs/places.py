"""A bound on invocations that several jobs share: those of one executor."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable


class Places:
    """A shared limit of concurrent invocations. Thread-safe: an engine may have been started again meanwhile.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._taken = 0
        self._ages = itertools.count()
        self._waiting: dict[int, Callable[[], None]] = {}

    def join(self) -> int:
        """Return the age of a job that begins: the older go first."""
        return next(self._ages)

    def take(self, age: int, wake: Callable[[], None]) -> bool:
        """Take a place; without one, `wake` is called once there is one again."""
        with self._lock:
            if self._taken >= self._count:
                self._waiting[age] = wake
                return False
            self._taken += 1
            return True

    def give(self, *, was_used: bool = True) -> None:
        """Give a place back; waiters are woken, unless it was not used."""
        with self._lock:
            self._taken -= 1
            waiting = sorted(self._waiting.items()) if was_used else []
            if was_used:
                self._waiting = {}
        for _, wake in waiting:
            wake()
