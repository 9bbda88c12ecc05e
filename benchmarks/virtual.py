"""Virtual time: an event loop whose clock jumps to whatever comes next, and threads that take no time.

The engine runs in it as it is. What would block a thread for ten seconds is a completion ten virtual seconds later.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class _Jump(selectors.SelectSelector):
    """A selector that waits for nothing: it moves the clock on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen in this virtual time: a job waits for ever")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; a `Clock` too. All that it runs must run in its own thread."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Return the virtual seconds."""
        return self._jump.now

    def _write_to_self(self) -> None:
        """Wake no one: the loop never sleeps."""

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Never called: nothing blocks in virtual time."""
        raise NotImplementedError


class VirtualThreads:
    """Runs a call at once and lets its future have the result after the seconds that the call says it took.

    Args:
        loop: The virtual loop.
        took_s: Gives, after a call, how long that would have blocked.
    """

    def __init__(self, loop: VirtualLoop, took_s: Callable[[], float]) -> None:
        self._loop, self._took_s = loop, took_s

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Run `call`; its future ends in virtual time."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  # it belongs to who waits for the future
            self._loop.call_later(self._took_s(), future.set_exception, error)
        else:
            self._loop.call_later(self._took_s(), future.set_result, result)
        return future
