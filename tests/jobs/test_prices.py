"""List prices."""

from __future__ import annotations

import pytest

from lambdamagic.jobs.prices import Prices


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
