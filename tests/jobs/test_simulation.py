"""The engine in virtual time: how near it comes to what is possible."""

from __future__ import annotations

import pytest

from benchmarks.simulate import simulate
from benchmarks.simulated_lambda import Nature, durations_of, ideal_s, lower_bound_s
from lambdamagic.limits import AWS_LAMBDA


def test_the_bounds_of_cases_that_can_be_counted():
    """Ten tasks of 6 s in five environments take two rounds; the ramp delays what exceeds it."""
    nature = Nature(round_trip_s=0.0, cold_start_s=1.0, ramp=10)
    assert ideal_s([6.0] * 10, concurrency=5, nature=nature) == 13.0
    assert lower_bound_s([6.0] * 10, concurrency=5, nature=nature) == pytest.approx(13.0)
    assert ideal_s([60.0] * 20, concurrency=20, nature=nature) == 71.0
    assert lower_bound_s([60.0] * 20, concurrency=20, nature=nature) == pytest.approx(1 + 10 + (1200 - 150) / 20)


def test_skewed_durations():
    """Close to a scheduler without any overhead, each task is run once, and the tail is not one long chunk."""
    result = simulate(durations_of("skewed", 1000, 2.0), concurrency=100, nature=Nature())
    assert result.ratio <= 1.1
    assert (result.executed, result.throttled) == (1000, 0)


def test_short_tasks_share_invocations():
    """A round trip is paid for by many."""
    result = simulate(durations_of("even", 4000, 0.1), concurrency=50, nature=Nature())
    assert result.ratio <= 1.15
    assert result.invocations < 1500


def test_the_ramp_is_used_in_full_and_nothing_is_refused():
    """A thousand environments at once, then a hundred a second, as the simulated Lambda grants them."""
    assert Nature().ramp == AWS_LAMBDA.new_environments.most
    result = simulate(durations_of("even", 2500, 8.0), concurrency=2000, nature=Nature())
    assert result.throttled == 0
    assert result.ratio <= 1.1


def test_backups_for_stragglers():
    """A job is not held up by the slowest environment, and few tasks are run twice."""
    durations = durations_of("skewed", 600, 5.0)
    nature = Nature(straggling=0.03)
    without = simulate(durations, concurrency=300, nature=nature)
    backed_up = simulate(durations, concurrency=300, nature=nature, backups=True)
    assert backed_up.makespan_s < 0.7 * without.makespan_s
    assert 600 < backed_up.executed <= 630


def test_a_quota_below_the_limit_is_learnt():
    """The refusals of the first moment, and few more; each task is run once."""
    result = simulate(durations_of("skewed", 2000, 1.0), concurrency=500, nature=Nature(quota=60))
    assert result.throttled < 1000
    assert result.executed == 2000
    assert result.ratio <= 1.1
