"""Values that stay in the bucket: `keep="remote"`."""

from __future__ import annotations

import gc
import operator
import pickle
import time
from typing import Any

import numpy as np
import pytest

from lambdamagic import LambdaExecutor, Reference
from lambdamagic.api.reference import RemoteReference
from lambdamagic.errors import ConfigError
from lambdamagic.events import InvocationFinished


class Grid:
    """A class of the program's own."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values


def tile(number: int) -> np.ndarray:
    return np.full((200, 200), float(number))


def doubled(values: np.ndarray) -> np.ndarray:
    values *= 2  # each task has its own
    return values


def total(*arrays: np.ndarray) -> float:
    return float(sum(each.sum() for each in arrays))


def objects(executor: LambdaExecutor) -> list[str]:
    store = executor._launcher.target().stager.store
    assert store is not None
    return [info.key for info in store.list("lambdamagic/jobs/") if info.key.endswith("/stayed")]


def test_a_chain_of_maps_moves_no_data_through_here(lambda_executor: LambdaExecutor) -> None:
    tiles = list(lambda_executor.map(tile, range(6), keep="remote"))
    assert all(isinstance(each, RemoteReference) for each in tiles)
    twice = list(lambda_executor.map(doubled, tiles, keep="remote"))
    again = list(lambda_executor.map(doubled, tiles, keep="remote"))
    assert list(lambda_executor.map(total, tiles, twice, again)) == [200 * 200 * 5.0 * number for number in range(6)]
    assert lambda_executor.submit(total, *tiles).result() == 200 * 200 * 15.0
    np.testing.assert_array_equal(twice[3].get(), np.full((200, 200), 6.0))
    twice[3].get()[:] = 0  # a copy


def test_small_values_come_back_and_cost_no_request(lambda_executor: LambdaExecutor) -> None:
    requests = list[int]()
    lambda_executor.add_listener(
        lambda event: requests.append(event.s3_requests) if isinstance(event, InvocationFinished) else None
    )
    found = list(lambda_executor.map(operator.neg, range(5), keep="remote"))
    assert [type(each) for each in found] == [Reference] * 5
    assert list(lambda_executor.map(abs, found)) == [0, 1, 2, 3, 4]
    assert sum(requests) == 0


def test_references_show_their_object(lambda_executor: LambdaExecutor) -> None:
    (found,) = lambda_executor.map(tile, [1], keep="remote")
    assert repr(found) == "<stays in the bucket: ndarray (200, 200), 0.3 MB>"
    assert "ndarray (200, 200)" in found._repr_html_()
    # Whatever other pickler writes it, the reader has the value.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)), tile(1))


def test_values_without_references_are_deleted(lambda_executor: LambdaExecutor) -> None:
    found: Any = list(lambda_executor.map(tile, range(3), keep="remote", chunksize=1))
    assert len(objects(lambda_executor)) >= 3
    kept = found.pop()
    del found
    gc.collect()
    until = time.monotonic() + 20
    while len(objects(lambda_executor)) > 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(objects(lambda_executor)) == 1
    np.testing.assert_array_equal(kept.get(), tile(2))


def test_a_job_gives_references(lambda_executor: LambdaExecutor) -> None:
    job = lambda_executor.start_map(tile, [2, 3], keep="remote")
    job.result()
    assert [each.get()[0, 0] for each in job.references()] == [2.0, 3.0]
    plain = lambda_executor.start_map(total, [])
    with pytest.raises(ValueError, match="keep="):
        plain.references()


def test_values_of_the_programs_own_classes_stay_too(lambda_executor: LambdaExecutor) -> None:
    (found,) = lambda_executor.map(lambda number: Grid(tile(number)), [4], keep="remote")
    assert isinstance(found, RemoteReference)
    assert lambda_executor.submit(lambda grid: (type(grid).__name__, grid.values.sum()), found).result() == (
        "Grid",
        160_000.0,
    )
    assert type(found.get()) is Grid


def test_the_functions_of_main_are_found_again(lambda_executor: LambdaExecutor) -> None:
    (made,) = lambda_executor.map(lambda number: [tile(number), doubled], [4], keep="remote")
    assert lambda_executor.submit(lambda pair: pair[1](pair[0]).sum(), made).result() == 320_000.0


def test_a_failed_task_raises_its_exception(lambda_executor: LambdaExecutor) -> None:
    def fails(number: int) -> np.ndarray:
        if number == 1:
            raise KeyError(number)
        return tile(number)

    found = lambda_executor.map(fails, range(3), keep="remote")
    assert isinstance(next(found), RemoteReference)
    with pytest.raises(KeyError):
        next(found)


def test_an_initializer_runs_before_values_that_stay() -> None:
    with LambdaExecutor(max_workers=1, initializer=lambda: None) as executor:
        (found,) = executor.map(tile, [1], keep="remote")
        assert executor.submit(total, found).result() == 40_000.0


def test_options_that_exclude_each_other_are_refused(lambda_executor: LambdaExecutor) -> None:
    with pytest.raises(ValueError, match="remote"):
        lambda_executor.map(tile, [1], keep="here")  # type: ignore[arg-type]
    with LambdaExecutor(cache=True) as executor, pytest.raises(ConfigError, match="cache"):
        executor.map(tile, [1], keep="remote")
