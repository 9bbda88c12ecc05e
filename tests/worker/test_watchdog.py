"""The deadline, and the question whether the client stopped, each in time whatever S3 does."""

from __future__ import annotations

import threading
import time

import pytest

from lambdamagic.worker.watchdog import Interrupted, Watchdog


def _hang(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)


def test_a_question_that_hangs_does_not_delay_the_deadline() -> None:
    """S3 does not answer: the interrupt comes at the deadline all the same, with the reason that is right."""
    answered, asked = threading.Event(), threading.Event()

    def is_cancelled() -> bool:
        asked.set()
        return not answered.wait(30)

    watchdog = Watchdog(first_look_s=0.05)
    began = time.monotonic()
    run = watchdog.start(remaining_s=2.0, is_cancelled=is_cancelled)
    try:
        with pytest.raises(Interrupted, match="timed_out"):
            _hang(10)
    finally:
        watchdog.stop(run)
        answered.set()
    assert asked.is_set()
    assert 1.4 < time.monotonic() - began < 4.0


def test_a_cancel_comes_through() -> None:
    """Once the question is answered with yes the code is interrupted, also if it catches the first interrupt."""
    watchdog = Watchdog(first_look_s=0.05)
    run = watchdog.start(remaining_s=60.0, is_cancelled=lambda: True)
    try:
        with pytest.raises(Interrupted, match="cancelled"):
            _hang(10)
    finally:
        watchdog.stop(run)
