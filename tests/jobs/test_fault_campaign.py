"""Nothing is lost, nothing is told twice, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from benchmarks.campaign import run
from lambdamagic.api import process


@pytest.mark.parametrize(
    ("inline_limit_bytes", "mode", "tasks"),
    # A dead environment that nobody waits for costs seconds of silence: fewer of them.
    [(4_000_000, "sync", 300), (64, "sync", 300), (4_000_000, "event", 120), (4_000_000, "trigger", 120)],
    ids=["inline", "through S3", "events", "uploads"],
)
def test_every_result_is_right(inline_limit_bytes: int, mode: str, tasks: int) -> None:
    """Throttles, 5xx, broken connections, dead environments, doubled events and S3's 503 cost time and nothing else."""
    try:
        campaign = run(tasks, chunksize=5, seed=7, inline_limit_bytes=inline_limit_bytes, mode=mode)
    finally:
        process.close()
    assert campaign.wrong == 0
    assert set(campaign.finished) == set(range(tasks))
    assert set(campaign.finished.values()) == {1}
    # An event is sent again under its own name, which is no retry; an upload meets no throttling that we would see.
    assert campaign.throttled > 0 or mode == "trigger"
    assert campaign.retried or mode != "sync"
