"""Dask's collections give on Lambda what they give in threads: by our scheduler, and by the executor as it is."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask import delayed

from lambdamagic import LambdaExecutor
from lambdamagic.graphs.dask_scheduler import DaskScheduler

_RNG = np.random.default_rng(7)
_NUMBERS = _RNG.normal(size=(60, 50))
_WORDS = ["lambda", "graph", "task", "bucket", "value"] * 20
_TABLE = pd.DataFrame(
    {
        "name": [["Ann", "Bob", "Cid", "Dee"][number % 4] for number in range(200)],
        "x": _RNG.normal(size=200),
        "y": _RNG.integers(0, 9, size=200),
        "at": pd.date_range("2026-01-01", periods=200, freq="h"),
    }
)


def array() -> da.Array:
    return da.from_array(_NUMBERS, chunks=(20, 25))


def table() -> dd.DataFrame:
    return dd.from_pandas(_TABLE, npartitions=5)


def scaled(block: np.ndarray, factor: float = 2.0) -> np.ndarray:
    block *= factor  # its own: a task may change its arguments
    return block


class Point:
    """A class of the user's own."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __add__(self, other: Point) -> Point:
        return Point(self.x + other.x, self.y + other.y)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


def tree(values: list[Any], join: Callable[[Any, Any], Any]) -> Any:
    while len(values) > 1:
        pairs = [join(*values[start : start + 2]) for start in range(0, len(values) - 1, 2)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]


def diamond() -> Any:
    source = delayed(list)(range(10))
    left, right = delayed(sum)(source), delayed(max)(source)
    return delayed(divmod)(left, right)


def nested() -> Any:
    number = delayed(operator.add)(1, 2)
    return delayed(lambda **given: given)(a=[number, {"b": number}], c=(number, "text"))


def monte_carlo() -> Any:
    points = da.random.default_rng(3).random((40_000, 2), chunks=(10_000, 2))
    return 4 * ((points**2).sum(axis=1) < 1).mean()


def dataset() -> xr.Dataset:
    return xr.Dataset(
        {"t": (("time", "lat", "lon"), np.arange(240.0).reshape(10, 4, 6))},
        coords={"time": pd.date_range("2026-01-01", periods=10), "lat": range(4), "lon": range(6)},
    ).chunk({"time": 5, "lat": 2})


def centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


WORKLOADS: dict[str, Callable[[], Any]] = {
    "sum along an axis": lambda: array().sum(axis=0),
    "elementwise and transposed": lambda: da.exp(-(array() ** 2)).T + 1,
    "a product of matrices": lambda: array() @ array().T,
    "in tiles over 64 kB": lambda: da.ones((400, 400), chunks=200) @ da.ones((400, 400), chunks=200),
    "mean and standard deviation": lambda: da.stack([array().mean(axis=1), array().std(axis=1)]),
    "rechunked": lambda: array().rechunk((60, 10)).cumsum(axis=0),
    "slices and fancy indices": lambda: array()[5:40:3, [1, 30, 4]],
    "overlapping blocks": lambda: array().map_overlap(lambda block: block + block.sum() * 0, depth=1),
    "blocks changed in place": lambda: (array() + 0).map_blocks(scaled, factor=3.0),
    "large blocks changed in place": lambda: sum(
        block.sum() for block in [(da.ones((300, 300), chunks=150) + n).map_blocks(scaled) for n in range(2)]
    ),
    "singular values": lambda: da.linalg.svd(da.from_array(_NUMBERS, chunks=(20, 50)))[1],
    "a histogram": lambda: da.histogram(array(), bins=8, range=(-3, 3))[0],
    "random numbers": monte_carlo,
    "where, choose, concatenate": lambda: da.concatenate([da.where(array() > 0, array(), 0), array()], axis=1),
    "a masked maximum": lambda: da.ma.masked_greater(array(), 1).max(axis=0),
    "group by": lambda: table().groupby("name").agg({"x": ["mean", "max"], "y": "sum"}),
    "a shuffle": lambda: table().set_index("y").sort_values("x"),
    "merged": lambda: table().merge(table().groupby("name").x.mean().reset_index(), on="name", suffixes=("", "_mean")),
    "resampled": lambda: table().set_index("at", sorted=True).x.resample("1D").sum(),
    "parts over 64 kB, changed": lambda: dd.from_pandas(
        pd.DataFrame({"a": range(40_000), "b": [number * 7919 % 40_000 for number in range(40_000)]}), npartitions=4
    ).set_index("b").a.sum(),
    "columns of text": lambda: table().name.str.upper().value_counts(),
    "a function for each partition": lambda: table().map_partitions(lambda part: part.assign(z=part.x * 2)),
    "quantiles and describe": lambda: table()[["x", "y"]].describe(),
    "word counts in a bag": lambda: db.from_sequence(_WORDS, npartitions=4).frequencies(sort=True),
    "a bag's fold": lambda: db.from_sequence(range(100), npartitions=5).map(lambda x: x * x).fold(operator.add),
    "a bag's group by": lambda: db.from_sequence(range(30), npartitions=3).groupby(lambda x: x % 3).map(
        lambda pair: (pair[0], sorted(pair[1]))
    ),
    "a bag as a table": lambda: db.from_sequence([{"a": n, "b": n} for n in range(9)], npartitions=3).to_dataframe(),
    "a tree of calls": lambda: tree([delayed(operator.mul)(n, n) for n in range(33)], delayed(operator.add)),
    "a diamond": diamond,
    "calls in containers": nested,
    "a chain": lambda: tree([delayed(operator.neg)(delayed(operator.neg)(delayed(n))) for n in range(4)], delayed(max)),
    "objects of the user's class": lambda: tree([delayed(Point)(n, -n) for n in range(9)], delayed(operator.add)),
    "several collections at once": lambda: [array().sum(), array().max(axis=0), delayed(len)("four")],
    "xarray: a mean by month": lambda: dataset().groupby("time.day").mean(),
    "xarray: apply_ufunc": lambda: xr.apply_ufunc(
        centred, dataset().t, input_core_dims=[["lon"]], output_core_dims=[["lon"]], dask="parallelized",
        output_dtypes=[float],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def executor() -> Iterator[LambdaExecutor]:
    with LambdaExecutor(max_workers=2) as found:
        yield found


def computed(workload: Any, scheduler: Any) -> Any:
    if isinstance(workload, xr.Dataset | xr.DataArray):
        with dask.config.set(scheduler=scheduler):
            return workload.compute()
    return dask.compute(workload, scheduler=scheduler)[0]


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(theirs, xr.Dataset | xr.DataArray):
        xr.testing.assert_identical(ours, theirs)
    elif isinstance(theirs, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs)
    elif isinstance(theirs, pd.Series):
        pd.testing.assert_series_equal(ours, theirs)
    elif isinstance(theirs, list | tuple) and any(hasattr(each, "dtype") for each in theirs):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(theirs, np.ndarray | np.generic):
        np.testing.assert_allclose(np.ma.getdata(ours), np.ma.getdata(theirs), rtol=1e-12)
        np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
    else:
        assert ours == theirs


@pytest.mark.parametrize("way", ["scheduler", "executor"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_result_is_that_of_threads(
    name: str, way: str, dask_scheduler: DaskScheduler, executor: LambdaExecutor
) -> None:
    workload = WORKLOADS[name]()
    same(computed(workload, dask_scheduler if way == "scheduler" else executor), computed(workload, "threads"))
