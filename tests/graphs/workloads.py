"""Computations with Dask, whose results are the threaded scheduler's whichever scheduler computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import numpy as np

Make = Callable[[], Any]


def _array(shape: tuple[int, ...] = (40, 30), chunks: tuple[int, ...] = (10, 10)) -> Any:
    return da.from_array(np.arange(np.prod(shape), dtype="float64").reshape(shape), chunks=chunks)


def _inc(value: int) -> int:
    return value + 1


def _add(first: int, second: int) -> int:
    return first + second


def _tree() -> Any:
    level = [dask.delayed(_inc)(number) for number in range(32)]
    while len(level) > 1:
        level = [dask.delayed(_add)(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def _diamonds() -> Any:
    value = dask.delayed(_inc)(1)
    for _ in range(6):
        value = dask.delayed(_add)(dask.delayed(_inc)(value), dask.delayed(_inc)(value))
    return value


def _chains() -> Any:
    values = []
    for number in range(6):
        value = dask.delayed(_inc)(number)
        for _ in range(5):
            value = dask.delayed(_inc)(value)
        values.append(value)
    return dask.delayed(list)(values)


def _shared_input() -> Any:
    array = dask.delayed(np.arange)(20_000)
    return dask.delayed(sum)([dask.delayed(np.sum)(dask.delayed(np.multiply)(array, number)) for number in range(6)])


def _words() -> Any:
    bag = db.from_sequence(["one two", "two three", "three four five", "one"] * 6, npartitions=4)
    return bag.map(str.split).flatten().frequencies(split_every=2)


def _frame() -> Any:
    import pandas as pd

    dd = __import__("dask.dataframe").dataframe
    table = pd.DataFrame({"key": [number % 3 for number in range(60)], "x": np.arange(60.0), "y": np.arange(60) ** 2})
    return dd.from_pandas(table, npartitions=5)


WORKLOADS: dict[str, Make] = {
    "array sum": lambda: _array().sum(),
    "array mean by axis": lambda: _array().mean(axis=0),
    "array std": lambda: _array().std(),
    "array product": lambda: _array().dot(_array().T),
    "array transposed": lambda: _array() + _array().T[:30, :30].sum(),
    "array slices": lambda: _array()[3:27:2, ::-1],
    "array rechunked": lambda: _array().rechunk((7, 30)).sum(axis=1),
    "array blocks": lambda: _array().map_blocks(np.sqrt).max(),
    "array overlap": lambda: _array().map_overlap(lambda block: block * 2, depth=1),
    "array cumulative": lambda: _array().cumsum(axis=0),
    "array where": lambda: da.where(_array() > 100, _array(), 0).sum(),
    "array stacked": lambda: da.stack([_array(), _array() * 2]).sum(axis=0),
    "array argmax": lambda: _array().argmax(axis=1),
    "array histogram": lambda: da.histogram(_array(), bins=5, range=(0, 1200))[0],
    "array tensordot": lambda: da.tensordot(_array(), _array(), axes=((0,), (0,))),
    "array svd": lambda: da.linalg.svd(_array((40, 5), (10, 5)))[1],
    "bag words": _words,
    "bag fold": lambda: db.range(40, npartitions=5).fold(_add),
    "bag filter": lambda: db.range(40, npartitions=5).filter(lambda n: n % 3 == 0).sum(),
    "bag groups": lambda: db.range(20, npartitions=4).foldby(lambda n: n % 3, _add, 0, _add, 0),
    "delayed tree": _tree,
    "delayed diamonds": _diamonds,
    "delayed chains": _chains,
    "delayed shared input": _shared_input,
    "frame sums": lambda: _frame()[["x", "y"]].sum(),
    "frame groups": lambda: _frame().groupby("key").x.mean(),
    "frame rows": lambda: _frame()[_frame().x > 20].assign(z=lambda table: table.x + table.y),
    "frame shuffled": lambda: _frame().set_index("y", npartitions=3).x.sum(),
    "frame merged": lambda: _frame().merge(_frame(), on="key").x_x.sum(),
}


def same(first: Any, second: Any) -> bool:
    """Return whether two results are equal; orders of bags' parts are the graph's own, and so the same."""
    if hasattr(first, "equals"):
        return bool(first.sort_index().equals(second.sort_index()))
    if isinstance(first, np.ndarray):
        return bool(np.allclose(first, second)) and first.dtype == second.dtype
    if isinstance(first, float):
        return bool(np.isclose(first, second))
    return bool(first == second)
