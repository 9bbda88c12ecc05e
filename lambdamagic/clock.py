"""Time as an argument: what waits or measures is given a clock instead of asking the machine.

Policies (`when to retry`, `when is it late`) are pure functions of `now`; the few places that really wait take a
`Clock`, so that their tests neither sleep nor depend on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """What tells the time and waits. Implementations are safe to share between threads."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean something."""
        ...

    def time(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds` (0 or less returns at once)."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for `seconds` (0 or less only yields to the loop)."""
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

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        import asyncio  # not at module level: the worker's cold start pays for it and seldom needs it

        await asyncio.sleep(max(0.0, seconds))


SYSTEM_CLOCK: Clock = SystemClock()


class ManualClock:
    """A clock for tests that stands still until it is moved.

    Args:
        start: What `time()` and `monotonic()` say at first.
        auto_advance: Whether a sleeper moves the clock by itself and goes on at once. With False an asynchronous
            sleeper waits until `advance` has passed its time; a synchronous one always moves the clock, since a
            blocked thread could not be helped on by a single-threaded test.

    Attributes:
        sleeps: Every duration that was asked for, in order.
    """

    def __init__(self, start: float = 1_000_000.0, *, auto_advance: bool = True) -> None:
        self.sleeps: list[float] = []
        self._now = start
        self._auto_advance = auto_advance
        self._lock = threading.Lock()
        self._waiters: list[tuple[float, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

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

    async def sleep_async(self, seconds: float) -> None:
        """Note the duration, then move the clock (auto) or wait for somebody to move it."""
        import asyncio

        with self._lock:
            self.sleeps.append(seconds)
            waiter = None
            if seconds > 0 and not self._auto_advance:
                loop = asyncio.get_running_loop()
                waiter = loop.create_future()
                self._waiters.append((self._now + seconds, loop, waiter))
        if waiter is not None:
            await waiter
            return
        if seconds > 0:
            self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake every asynchronous sleeper whose time has come. Thread-safe."""
        with self._lock:
            self._now += seconds
            due = sorted((w for w in self._waiters if w[0] <= self._now), key=lambda waiter: waiter[0])
            self._waiters = [w for w in self._waiters if w[0] > self._now]
        for _, loop, future in due:
            loop.call_soon_threadsafe(_wake, future)

    @property
    def sleeping(self) -> int:
        """How many asynchronous sleepers are waiting to be moved on."""
        with self._lock:
            return len(self._waiters)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():  # the sleeper may have been cancelled between the two
        future.set_result(None)
