"""Nothing is lost, nothing is told twice, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from benchmarks.campaign import run
from lambdamagic.api import process

_TASKS = 300


@pytest.mark.parametrize(
    ("inline_limit_bytes", "mode"),
    [(4_000_000, "sync"), (64, "sync"), (4_000_000, "event")],
    ids=["inline", "through S3", "events"],
)
def test_every_result_is_right(inline_limit_bytes: int, mode: str) -> None:
    """Throttles, 5xx, broken connections, dead environments, doubled events and S3's 503 cost time and nothing else."""
    try:
        campaign = run(_TASKS, chunksize=5, seed=7, inline_limit_bytes=inline_limit_bytes, mode=mode)
    finally:
        process.close()
    assert campaign.wrong == 0
    assert set(campaign.finished) == set(range(_TASKS))
    assert set(campaign.finished.values()) == {1}
    assert campaign.throttled > 0
    assert len(campaign.retried) >= 2
