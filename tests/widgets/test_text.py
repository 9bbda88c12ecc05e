"""A job's progress in words."""

from __future__ import annotations

import pytest

from lambdamagic.widgets import text
from tests.widgets.jobs import START, after, ended, outcome, over, sent, started


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (0.9999, "1.0 s"),
        (1.24, "1.2 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599.7, "1 h 00 min"),
        (7320, "2 h 02 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """As people say them, also where rounding moves to the next unit."""
    assert text.duration(seconds) == words


def test_a_map_under_way() -> None:
    """How far, how long, what is left, and what runs."""
    progress = after(
        started(), sent("a", 0, 1), ended("a", 0, 1, is_cold=True), outcome(0), outcome(1), sent("b", 2, 3)
    )
    line = text.line(progress, START + 4)
    assert line.startswith(
        "λ evaluate × 10  ▶ running  2/10 tasks · 4.0 s · about 6 s left · 2 under way · 1 cold start"
    )
    assert line.endswith("billed 1.5 s · peak 100 of 512 MB")


def test_a_cell_tells_no_tasks() -> None:
    """A single task is not counted, and its failure is said once."""
    line = text.line(after(started(1, "fit(X)"), sent("a", 0), outcome(0, "ValueError: x"), over()), START + 20)
    assert line == "λ fit(X)  ✗ failed  10.0 s · 512 MB"


def test_a_remaining_time_has_no_decimals() -> None:
    """An estimate does not pretend to more than it knows, and never says that nothing is left."""
    nearly = after(started(), sent("a", *range(9)), ended("a", *range(9)), *(outcome(n) for n in range(9)))
    assert "about 1 s left" in text.pace(nearly, START + 3)


def test_trouble_is_told() -> None:
    """Failed, retried and throttled stand in the line when they happened."""
    progress = after(started(), outcome(0, "ValueError: x"))
    progress.retried, progress.throttled = 3, 1200
    assert text.details(progress)[:3] == ["1 failed", "3 retried", "1,200 throttled"]


def test_there_are_always_details() -> None:
    """The view keeps its second line from the first moment on, so that nothing jumps."""
    assert text.details(after(started(1))) == ["512 MB"]
