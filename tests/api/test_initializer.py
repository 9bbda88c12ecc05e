"""Initializers, and names under which other libraries look for the number of workers."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lambdamagic import LambdaExecutor, LambdaPool

_PROGRAMS = Path(__file__).parent / "programs"


def test_initializers_are_those_of_the_standard_library(results):
    """By place and keyword, once in each environment, for all that runs there; one that raises breaks the executor."""
    ours, control = (results("initialized.py", kind, cwd=_PROGRAMS) for kind in ("ours", "control"))
    assert ours == control


def test_libraries_can_read_the_number_of_workers(executor, pool):
    """Dask, tqdm and others size themselves by it."""
    assert executor._max_workers == 2
    assert isinstance(executor, ProcessPoolExecutor)  # adaptive and pipefunc ask for the type before the name
    assert pool._processes == 2
    assert len(pool._pool) == 2


def test_the_number_of_workers_that_was_not_given():
    """It is the number of concurrent calls."""
    with LambdaExecutor() as executor, LambdaPool() as pool:
        assert executor._max_workers == pool._processes == executor._launcher.concurrency()
