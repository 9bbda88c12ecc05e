"""What `--plan` says of cost: figures that one can check by hand."""

from __future__ import annotations

from lambdamagic.jobs.estimate import cell_estimate, map_estimate
from lambdamagic.jobs.prices import Prices

PRICES = Prices.of("eu-central-1")


def test_a_cell_costs_at_most_its_timeout():
    """300 s at 2 GB are 600 GB-seconds: a cent."""
    line = cell_estimate(PRICES, memory_mb=2048, timeout_s=300)
    assert "$0.000033 a second of one invocation at 2,048 MB" in line
    assert "at most $0.01, if it runs for all of its 300 s" in line
    assert "October 2025" in line


def test_a_map_without_a_past():
    """Only an example: the run time of the tasks is unknown."""
    line = map_estimate(PRICES, memory_mb=1024, tasks=50, billed_s_each=None)
    assert "1,000 tasks of 1 s each $0.017 (run time unknown)" in line


def test_a_map_that_was_seen_before():
    """Its tasks by what was billed for each."""
    line = map_estimate(PRICES, memory_mb=1024, tasks=100_000, billed_s_each=2.5)
    assert "100,000 tasks up to $4.19, if each is billed 2.5 s" in line
