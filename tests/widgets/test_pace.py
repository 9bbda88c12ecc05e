"""How long the rest of a job will take."""

from __future__ import annotations

import itertools

import pytest

from lambdamagic.widgets.pace import RemainingTime, UnderWay
from tests.widgets.jobs import START, Timeline


@pytest.mark.parametrize("at", [61, 90, 119, 121, 150, 179, 239, 541, 570])
def test_waves_of_equal_tasks(at: int) -> None:
    """A hundred tasks of 60 s, ten at once, take 600 s: the estimate says so at the beginning and end of each wave."""
    line = Timeline(task_count=100)
    for wave in range(at // 60 + 1):
        for slot in range(10):
            line.runs(10 * wave + slot, sent=60.0 * wave, ended=60.0 * wave + 60, until=at)
    left = line.progress().remaining_s(START + at)
    assert left == pytest.approx(600 - at, rel=0.05, abs=7)


def test_it_falls_as_time_passes() -> None:
    """Within a wave nothing ends, and yet it is reported second by second that less is left."""
    pace = RemainingTime(60.0, 10, tuple(UnderWay(60.0, 1) for _ in range(10)))
    shown = [pace.remaining_s(80, at) for at in range(61, 113)]
    assert all(earlier - later == pytest.approx(1) for earlier, later in itertools.pairwise(shown) if earlier and later)


def test_the_last_ones() -> None:
    """When nothing waits, what ends last counts; five that wait behind ten that run take a whole task more."""
    running = (UnderWay(0.0, 1), UnderWay(40.0, 1))
    assert RemainingTime(60.0, 2, running).remaining_s(0, 50.0) == pytest.approx(50)
    ten = tuple(UnderWay(0.0, 1) for _ in range(10))
    assert RemainingTime(60.0, 10, ten).remaining_s(5, 30.0) == pytest.approx(90)


def test_chunks_and_what_is_overdue() -> None:
    """A chunk takes as long as its tasks together; one that takes longer than all before may take some more."""
    assert RemainingTime(2.0, 1, (UnderWay(0.0, 5),)).remaining_s(0, 4.0) == pytest.approx(6)
    assert RemainingTime(2.0, 1, (UnderWay(0.0, 1),)).remaining_s(0, 100.0) == pytest.approx(10)


def test_a_cold_start_is_not_taken_for_the_pace() -> None:
    """The first invocation took five seconds more for INIT; the other nine are expected to take one each."""
    line = Timeline(task_count=10)
    line.runs(0, sent=0.0, ended=6.0, until=6.0, init_ms=5000.0)
    assert line.progress().remaining_s(START + 6) == pytest.approx(9)
