"""A job's progress in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdamagic import events
from lambdamagic.widgets import result, text
from lambdamagic.widgets.task_grid import TaskGrid
from tests.widgets.jobs import JOB, START, after, ended, outcome, over, sent, started


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.000_004, "4 µs"),
        (0.000_2, "0.2 ms"),
        (0.009_4, "9.4 ms"),
        (0.009_6, "10 ms"),
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
    """Progress, elapsed and remaining time, and running tasks."""
    progress = after(
        started(), sent("a", 0, 1), ended("a", 0, 1, is_cold=True), outcome(0), outcome(1), sent("b", 2, 3)
    )
    line = text.line(progress, START + 4)
    assert line.startswith("λ evaluate × 10  ▶ running  2/10 tasks · 4.0 s · about 6 s left · 2 running · 1 cold start")
    assert line.endswith("billed 1.5 s · peak 100 of 512 MB")


def test_a_cell_shows_no_tasks() -> None:
    """A single task is not counted, and its failure is said once."""
    happened = (started(1, "fit(X)"), sent("a", 0), ended("a", 0), outcome(0, "ValueError: x"), over())
    assert text.line(after(*happened), START + 20) == "λ fit(X)  ✗ failed  10.0 s · billed 1.5 s · peak 100 of 512 MB"


def test_a_remaining_time_has_no_decimals() -> None:
    """An estimate does not pretend to more than it knows, and never says that nothing is left."""
    nearly = after(started(), sent("a", *range(9)), ended("a", *range(9)), *(outcome(n) for n in range(9)))
    assert "about 1 s left" in text.pace(nearly, START + 3)


def test_failures_and_throttles_are_shown() -> None:
    """Failed, retried and throttled are in the line when they happened."""
    progress = after(started(), outcome(0, "ValueError: x"))
    progress.retried, progress.throttled = 3, 1200
    assert text.details(progress)[:3] == ["1 failed", "3 retried", "1,200 throttled"]


def test_details_are_never_empty() -> None:
    """The view keeps its second line from the first moment on, so that nothing jumps."""
    assert text.details(after(started(1))) == ["512 MB"]


def test_stopped_invocations_are_billed_too() -> None:
    """What was cancelled while invocations ran is billed by AWS, for an unknown time: so it is `at least`."""
    cancelled = after(started(), sent("a", 0), sent("b", 1), ended("a", 0, cost=0.5), outcome(0), over("cancelled"))
    shown = text.details(cancelled)
    assert "billed at least 1.5 s" in shown and "at least $0.50" in shown
    assert "at least" not in " ".join(text.details(after(started(), sent("a", 0), ended("a", 0), over()))), (
        "all reported"
    )
    nothing = after(started(1), sent("a", 0), over("cancelled"))
    assert "billed until it stops" in text.details(nothing)
    little = after(started(), sent("a", 0), sent("b", 1), ended("a", 0, cost=0.00001), over("cancelled"))
    assert not any("$" in part for part in text.details(little)), "at least less than something would say nothing"
    html = result.render(nothing, TaskGrid())
    assert "until it stops" in html and "cancelled or lost" not in html and "$0" not in html


def test_lost_invocations_are_billed_too() -> None:
    """An invocation whose answer was lost may be billed; one that was throttled, or answered before, adds nothing."""
    lost = events.InvocationRetried(JOB, "a", (0,), "lost", True, 1.0, START + 2)
    assert after(started(), sent("a", 0), lost).unreported == 1
    assert after(started(), sent("a", 0), ended("a", 0), lost).unreported == 0
    assert after(started(), sent("a", 0), replace(lost, may_have_run=False)).unreported == 0


def test_a_text_with_carriage_returns_is_what_a_terminal_shows() -> None:
    """A line that starts again goes over what it was; what is longer stays."""
    assert text.as_seen("\r 10%\r 50%\r100%\ndone\n") == "100%\ndone\n"
    assert text.as_seen("abcdef\rxy") == "xycdef"
    assert text.as_seen("working\r       \r") == ""
    assert text.as_seen("windows\r\nlines\r\n") == "windows\nlines\n"
