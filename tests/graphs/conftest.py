"""One embedded Lambda for all graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.graphs.dask_scheduler import DaskScheduler
from tests.ending import end_apis


@pytest.fixture(scope="session", autouse=True)
def one_process_of_graphs(own_home: Path) -> Iterator[None]:
    """After all tests no part of the executors still runs."""
    yield
    end_apis()


@pytest.fixture(scope="session")
def dask_scheduler(one_process_of_graphs: None) -> DaskScheduler:
    """Dask's graphs on the embedded Lambda."""
    return DaskScheduler(max_workers=2)
