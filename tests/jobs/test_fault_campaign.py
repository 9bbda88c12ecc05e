"""Nothing is lost, nothing is told twice, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from benchmarks.campaign import run
from lambdamagic.api import process

_TASKS = 300


@pytest.mark.parametrize("inline_limit_bytes", [4_000_000, 64], ids=["inline", "through S3"])
def test_every_result_is_right(inline_limit_bytes: int) -> None:
    """Throttles, 5xx, broken connections, killed environments and S3's 503 change nothing but the time it takes."""
    try:
        campaign = run(_TASKS, chunksize=5, seed=7, inline_limit_bytes=inline_limit_bytes)
    finally:
        process.close()
    assert campaign.wrong == 0
    assert set(campaign.finished) == set(range(_TASKS))
    assert set(campaign.finished.values()) == {1}
    assert campaign.throttled > 0
    assert len(campaign.retried) >= 2
