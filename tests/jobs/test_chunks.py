"""How many tasks one invocation carries."""

from __future__ import annotations

import pytest

from lambdamagic.jobs.chunks import MAX_TASKS, Pace, chunk_size


def _size(pace: Pace, **changes: object) -> int:
    values: dict[str, object] = {"remaining": None, "slots": 1, "timeout_s": 900.0, "limit_bytes": 1_000_000}
    return chunk_size(pace, **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["item_bytes", "result_bytes"])
def test_a_chunk_fits_inline(what: str) -> None:
    """Neither items nor results of a chunk come near what an event or an answer holds: else each goes through S3."""
    pace = Pace(seconds=1e-6, **{what: 10_000.0})
    assert _size(pace) == 80
    assert _size(pace, limit_bytes=100_000) == 8
    assert _size(pace, limit_bytes=10_000) == 1
    assert _size(Pace(seconds=1e-6)) == _size(Pace(seconds=0.0)) == MAX_TASKS
    assert _size(Pace(seconds=0.0, **{what: 1.0}), limit_bytes=100) == 80


def test_the_larger_of_items_and_results_counts() -> None:
    """Whichever is sooner at the limit."""
    assert _size(Pace(seconds=1e-6, item_bytes=100.0, result_bytes=40_000.0)) == 20
    assert _size(Pace(seconds=1e-6, item_bytes=40_000.0, result_bytes=100.0)) == 20


def test_sizes_are_learnt() -> None:
    """Averages favor the recent; an invocation without tasks teaches no size."""
    pace = Pace()
    pace.learn_items(tasks=10, item_bytes=1_000)
    pace.learn(tasks=10, seconds=5.0, result_bytes=2_000)
    assert (pace.item_bytes, pace.result_bytes, pace.seconds) == (100.0, 200.0, 0.5)
    pace.learn(tasks=10, seconds=15.0, result_bytes=4_000)
    pace.learn(tasks=0, seconds=9.0, result_bytes=9)
    assert (pace.result_bytes, pace.seconds) == (300.0, 1.0)


def test_the_price_of_an_invocation_is_learnt_slowly() -> None:
    """One that was slow for once does not make all chunks long; what was not measured teaches nothing."""
    pace = Pace()
    pace.learn(tasks=0, seconds=0.0, result_bytes=0, overhead_s=2.0)
    assert pace.overhead_s == 2.0
    pace.learn(tasks=0, seconds=0.0, result_bytes=0, overhead_s=4.0)
    assert pace.overhead_s == pytest.approx(2.2)
    soon = Pace()
    soon.learn(tasks=0, seconds=0.0, result_bytes=0, overhead_s=0.05)
    assert soon.overhead_s == 0.05
    for nothing in (None, 0.0, -1.0):
        pace.learn(tasks=0, seconds=0.0, result_bytes=0, overhead_s=nothing)
    assert pace.overhead_s == pytest.approx(2.2)


def test_time_bounds_a_chunk() -> None:
    """A second of work, less near the timeout, more where an invocation has a price; one task before it is known."""
    assert _size(Pace()) == 1
    assert _size(Pace(seconds=0.1)) == 10
    assert _size(Pace(seconds=0.1), timeout_s=2.0) == 5
    assert _size(Pace(seconds=0.1, overhead_s=0.2)) == 40
    assert _size(Pace(seconds=7.0)) == 1
    assert _size(Pace(seconds=0.1), fixed=1234) == 1234


def test_chunks_shrink_as_the_work_runs_out() -> None:
    """Half of an equal share, but not below the price of an invocation."""
    assert _size(Pace(seconds=0.01), remaining=80, slots=4) == 10
    assert _size(Pace(seconds=0.01, overhead_s=0.15), remaining=80, slots=4) == 15
    assert _size(Pace(seconds=0.01, overhead_s=0.9), remaining=80, slots=4) == 20
