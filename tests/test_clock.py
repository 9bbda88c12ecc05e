"""The clocks."""

from __future__ import annotations

import threading

from lambdamagic.clock import SYSTEM_CLOCK, Clock, ManualClock


def test_the_system_clock_advances() -> None:
    """It returns the time, and waits for nothing when there is nothing to wait for."""
    clock: Clock = SYSTEM_CLOCK
    before = clock.monotonic()
    clock.sleep(-1)
    assert clock.monotonic() >= before
    assert clock.time() > 1_600_000_000


def test_a_manual_clock_moves_only_when_moved() -> None:
    """Sleeping moves it by exactly the time that was asked for, and is noted."""
    clock = ManualClock(100.0)
    clock.sleep(2.5)
    clock.sleep(-1)
    clock.advance(1.0)
    assert (clock.monotonic(), clock.time()) == (103.5, 103.5)
    assert clock.sleeps == [2.5, -1]


def test_threads_may_share_it() -> None:
    """Moves from several threads add up."""
    clock = ManualClock(0.0)
    threads = [threading.Thread(target=lambda: [clock.advance(1.0) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 400.0
