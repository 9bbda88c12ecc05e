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


def test_the_whole_line_of_a_cell():
    """With the prices that it is made of, and what it leaves out."""
    assert cell_estimate(PRICES, memory_mb=1024, timeout_s=60_000) == (
        "Cost: $0.000017 a second of one invocation at 1,024 MB, $0.20 a million requests; at most $1.00, if it runs "
        "for all of its 60000 s. List prices of October 2025, without S3 requests ($5.00 a million writes) and the "
        "free tier."
    )


def test_the_whole_line_of_a_map():
    """From what its tasks cost before, if how many there are is known; else for an example."""
    rate = "Cost: $0.000017 a second of one invocation at 1,024 MB, $0.20 a million requests; "
    example = f"{rate}1,000 tasks of 1 s each $0.017 (run time unknown)."
    assert map_estimate(PRICES, memory_mb=1024, tasks=None, billed_s_each=2.5).startswith(example)
    assert map_estimate(PRICES, memory_mb=1024, tasks=5, billed_s_each=None).startswith(example)
    assert map_estimate(PRICES, memory_mb=1024, tasks=1_234, billed_s_each=0.125).startswith(
        f"{rate}1,234 tasks up to $0.0028, if each is billed 0.125 s as in their last map. List prices"
    )


def test_amounts_have_two_digits_that_count():
    """From ten cents on they are cents, and without zeros at the end below; nothing is nothing."""
    for usd, shown in (
        (1_234.5, "$1,234.50"),
        (0.1, "$0.10"),
        (0.0999, "$0.1"),
        (0.0123, "$0.012"),
        (0.000456, "$0.00046"),
        (0.0, "$0"),
    ):
        line = cell_estimate(Prices(usd * 1024, 0.0), memory_mb=1, timeout_s=1)
        assert line.startswith(f"Cost: {shown} a second"), (usd, line)
