"""List prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdamagic.clock import SYSTEM_CLOCK
from lambdamagic.errors import CostLimitError
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.charges import note_invocation
from lambdamagic.jobs.history import History
from lambdamagic.jobs.prices import Prices, snapshot_month_usd
from lambdamagic.protocol.report import Report


def test_a_million_seconds_at_a_gigabyte() -> None:
    """A million invocations of 1 s at 1,024 MB cost what AWS's own example arithmetic says: 16.67 and 0.20 dollars."""
    one = Prices.of("us-east-1").invocation_usd(billed_ms=1000, memory_mb=1024)
    assert one * 1_000_000 == pytest.approx(16.6667 + 0.20)


def test_memory_and_requests_count() -> None:
    """Cost grows with memory, and S3 requests are added."""
    prices = Prices.of("eu-central-1", "arm64")
    assert prices.gb_second_usd == 0.0000133334
    plain = prices.invocation_usd(billed_ms=500, memory_mb=2048)
    assert plain == pytest.approx(0.5 * 2 * 0.0000133334 + 0.0000002)
    assert prices.invocation_usd(billed_ms=500, memory_mb=2048, s3_writes=2, s3_reads=1) == pytest.approx(
        plain + 2 * 0.000005 + 0.0000004
    )


def test_more_expensive_regions_are_known() -> None:
    """A region with their own prices has them, any other those of most."""
    assert Prices.of("af-south-1").gb_second_usd == 0.0000221
    assert Prices.of("mars-north-1").gb_second_usd == Prices.of("us-east-1").gb_second_usd


@pytest.mark.parametrize(
    ("region", "x86_64", "arm64"),
    [
        ("us-east-1", 0.0000166667, 0.0000133334),
        ("af-south-1", 0.0000221, 0.00001768),
        ("ap-east-1", 0.00002292, 0.0000183),
        ("eu-south-1", 0.0000195172, 0.0000156138),
        ("me-central-1", 0.0000206667, 0.0000165334),
        ("me-south-1", 0.0000206667, 0.0000165334),
    ],
)
def test_the_list(region: str, x86_64: float, arm64: float) -> None:
    """A GB-second, as AWS's page has it; an unknown architecture has the price of most regions, and of x86."""
    assert (Prices.of(region).gb_second_usd, Prices.of(region, "arm64").gb_second_usd) == (x86_64, arm64)
    assert Prices.of(region, "risc").gb_second_usd == 0.0000166667
    assert Prices.of(region).request_usd == pytest.approx(0.0000002)


def test_a_snapshot_is_billed_for_its_memory() -> None:
    """When it is restored, and for as long as it is kept."""
    prices = Prices.of("")
    plain = prices.invocation_usd(billed_ms=100, memory_mb=512)
    assert prices.invocation_usd(billed_ms=100, memory_mb=512, is_restored=True) == pytest.approx(
        plain + 0.5 * 0.0001397998
    )
    assert snapshot_month_usd(2048) == pytest.approx(2 * 30 * 24 * 3600 * 0.0000015046)


def test_a_limit_is_reached_when_all_of_it_is_spent() -> None:
    """It says how much that was, and how to raise it."""
    budget = Budget(1.25)
    budget.check()
    budget.spend(1.0)
    budget.check()
    budget.spend(0.25)
    for spent in (r"1\.25", r"1\.75"):
        with pytest.raises(CostLimitError, match=rf"reached: \${spent} of \$1\.25 at list price\n  -> Raise it with"):
            budget.check()
        budget.spend(0.5)


def test_what_is_billed_outside_of_jobs_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the function's own price, with what it was for; nothing, where there was no report."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    where = {"target": "aws"}
    assert note_invocation("a check", None, where, region="", arch="arm64") == 0.0
    assert History().all(charges=True) == []
    prices, costs = Prices.of("ap-east-1", "arm64"), []
    for restore_ms in (0.0, 0.5, 9.0):
        report = Report(billed_ms=70.0, memory_mb=512, restore_ms=restore_ms)
        costs.append(note_invocation("a check", report, where, region="ap-east-1", arch="arm64"))
        assert costs[-1] == prices.invocation_usd(billed_ms=70.0, memory_mb=512, is_restored=restore_ms > 0)
    notes = History().all(charges=True)
    assert {(note.label, note.where["target"]) for note in notes} == {("a check", "aws")}
    assert sorted(note.ended["cost_usd"] for note in notes) == sorted(costs)
    assert all(abs(note.started_at - SYSTEM_CLOCK.time()) < 60 for note in notes)
