"""Graphs of walks under faults: right, reported once, and begun again only where a walk died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.walks_campaign import launcher, run_round
from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher


@pytest.fixture(scope="module")
def starts() -> Iterator[Launcher]:
    yield launcher()
    process.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_promises_are_kept(seed: int, starts: Launcher, tmp_path: Path) -> None:
    """Doubled events, dead environments, lost answers of Lambda and S3: 30 tasks, one right result."""
    found = run_round(starts, seed, tmp_path)
    assert found.is_right
    assert set(found.reported.values()) == {1}
    assert found.again or set(found.started.values()) == {1}, found
