"""Time as an argument: what waits or measures is given a clock instead of asking the machine.

Policies (`when to retry`, `when is it late`) are pure functions of `now`; the few places that really wait take a
`Clock`, so that their tests neither sleep nor depend on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A clock that can wait. Implementations are safe to share between threads."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean something."""
        ...

    def time(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds` (0 or less returns at once)."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()

    def time(self) -> float:
        """Return `time.time()`."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""
        if seconds > 0:
            time.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()


class ManualClock:
    """A clock for tests that stands still until it is moved. Thread-safe.

    Args:
        start: What `time()` and `monotonic()` say at first.

    Attributes:
        sleeps: Every duration that was asked for, in order.
    """

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.sleeps: list[float] = []
        self._now = start
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Return the clock's own seconds."""
        with self._lock:
            return self._now

    def time(self) -> float:
        """Return the same seconds as `monotonic`."""
        return self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Note the duration, move the clock by it and return at once."""
        with self._lock:
            self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._now += seconds
