"""Has Dask's own tests compute on Lambda: `pytest -p tests.graphs.dask_plugin --pyargs dask.tests.test_delayed`."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest

import lambdamagic.dask


@pytest.fixture(autouse=True)
def _on_lambda() -> Iterator[None]:
    with lambdamagic.dask.scheduler(max_workers=2):
        yield
    assert dask.config.get("scheduler", None) is None
