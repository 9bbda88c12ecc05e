"""The clocks."""

from __future__ import annotations

import asyncio
import threading

from lambdamagic.clock import SYSTEM_CLOCK, Clock, ManualClock


def test_the_system_clock_goes() -> None:
    """It tells the time, and waits for nothing when there is nothing to wait for."""
    clock: Clock = SYSTEM_CLOCK
    before = clock.monotonic()
    clock.sleep(-1)
    asyncio.run(clock.sleep_async(0))
    assert clock.monotonic() >= before
    assert clock.time() > 1_600_000_000


def test_a_manual_clock_moves_only_when_moved() -> None:
    """Sleeping moves it by exactly the time that was asked for, and is noted."""
    clock = ManualClock(100.0)
    clock.sleep(2.5)
    clock.sleep(-1)
    asyncio.run(clock.sleep_async(1.0))
    assert (clock.monotonic(), clock.time()) == (103.5, 103.5)
    assert clock.sleeps == [2.5, -1, 1.0]


def test_sleepers_wait_to_be_moved() -> None:
    """Without auto-advance tasks wake in the order of their times, and not before; a cancelled one is forgotten."""

    async def run() -> list[str]:
        clock = ManualClock(0.0, auto_advance=False)
        woken: list[str] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep_async(seconds)
            woken.append(name)

        tasks = [asyncio.ensure_future(sleeper(name, at)) for name, at in (("b", 2), ("a", 1), ("c", 3), ("d", 2))]
        await asyncio.sleep(0)  # one round of the loop, in which all four begin to sleep
        assert clock.sleeping == 4
        tasks[3].cancel()
        clock.advance(0.5)
        await asyncio.sleep(0)
        assert woken == []
        clock.advance(1.5)
        await asyncio.gather(*tasks[:2])
        assert woken == ["a", "b"]
        await asyncio.to_thread(clock.advance, 1.0)
        await tasks[2]
        assert clock.sleeping == 0
        return woken

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_threads_may_share_it() -> None:
    """Moves from several threads add up."""
    clock = ManualClock(0.0)
    threads = [threading.Thread(target=lambda: [clock.advance(1.0) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 400.0
