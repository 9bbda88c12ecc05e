"""Dask's graphs: against Dask's threads, and against the executor through which all values pass this process."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
from dask import delayed

from benchmarks.measure import Comparison, compare, show
from lambdamagic import LambdaExecutor
from lambdamagic.events import Event, InvocationFinished
from lambdamagic.graphs.dask_scheduler import DaskScheduler

_TASKS, _CHAINS, _LENGTH, _LEAVES = 1_000, 30, 10, 128
#: Seven tenths of the threads' pace.
_PACE = 1 / 0.7


def _independent() -> list[Any]:
    return [delayed(operator.neg)(number) for number in range(_TASKS)]


def _chains() -> list[Any]:
    found = []
    for start in range(_CHAINS):
        value = delayed(operator.neg)(start)
        for _ in range(_LENGTH - 1):
            value = delayed(operator.neg)(value)
        found.append(value)
    return found


def _tree() -> list[Any]:
    values = [delayed(operator.neg)(number) for number in range(_LEAVES)]
    while len(values) > 1:
        values = [delayed(operator.add)(*values[start : start + 2]) for start in range(0, len(values), 2)]
    return values


def _tiles() -> Any:
    """Sixteen tiles of 8 MB, each read by two tasks; little is computed."""
    tiles = da.ones((4_096, 4_096), chunks=1_024)
    return (tiles[::-1] + tiles.T).max()


def _product() -> Any:
    tiles = da.ones((2_048, 2_048), chunks=1_024)
    return (tiles @ (tiles + 1)).max()


def _shuffle() -> Any:
    import pandas as pd
    from dask.dataframe import from_pandas

    table = pd.DataFrame({"a": range(200_000), "b": [number * 7919 % 200_000 for number in range(200_000)]})
    return from_pandas(table, npartitions=8).set_index("b").a.sum()


class _Requests:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, InvocationFinished):
            self.count += event.s3_requests


def main() -> list[Comparison]:
    """Measure, print and return the lines."""
    requests = _Requests()
    scheduler = DaskScheduler(max_workers=2, progress=False)
    scheduler.add_listener(requests)
    with LambdaExecutor(max_workers=2) as executor:

        def by(who: Any, make: Callable[[], Any]) -> Callable[[], None]:
            what = make()
            return lambda: dask.compute(what, scheduler=who) and None

        def against(name: str, make: Callable[[], Any], other: str, goal: float | None, rounds: int) -> Comparison:
            baseline = by("threads" if other == "threads" else executor, make)
            return compare(name, by(scheduler, make), other, baseline, goal=goal, rounds=rounds)

        lines = [
            against(f"{_TASKS:,} independent calls", _independent, "threads", _PACE, 5),
            against(f"{_CHAINS} chains of {_LENGTH}", _chains, "threads", _PACE, 7),
            against(f"a tree over {_LEAVES} leaves", _tree, "threads", None, 5),
        ]
        small = requests.count
        lines += [
            against("a tree, through the client", _tree, "LambdaExecutor", None, 3),
            against("tiles of 8 MB that stay", _tiles, "LambdaExecutor", 0.2, 3),
            against("a product of 8 MB tiles", _product, "LambdaExecutor", None, 3),
            against("a shuffle", _shuffle, "LambdaExecutor", None, 3),
        ]
    notes = [f"S3 requests of the graphs with small values: {small} (goal 0)"]
    if small:
        lines.append(Comparison("S3 requests for small values", "one", small, 1, small, 0.0, unit=""))
    show("graphs", lines, notes)
    return lines
