"""Dask's graphs: against Dask's threads, the executor through which all values pass here, and Lithops; and in walks."""

from __future__ import annotations

import operator
import statistics
import time
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
from dask import delayed

from benchmarks import lithops_run
from benchmarks.measure import Comparison, compare, show
from lambdamagic import LambdaExecutor
from lambdamagic.events import Event, InvocationFinished
from lambdamagic.graphs.dask_scheduler import DaskScheduler

_TASKS, _CHAINS, _LENGTH, _LEAVES = 1_000, 30, 10, 128
#: Of Lithops' tree: each of its tasks is a process that takes about a second.
_LITHOPS_LEAVES = 8
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


def tree(leaves: int = _LEAVES) -> list[Any]:
    """Return a tree of sums; the number of leaves is a power of two."""
    values = [delayed(operator.neg)(number) for number in range(leaves)]
    while len(values) > 1:
        values = [delayed(operator.add)(*values[start : start + 2]) for start in range(0, len(values), 2)]
    return values


def sum_of_tree(leaves: int) -> int:
    """Return the value of such a tree."""
    return -sum(range(leaves))


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


#: Each is run in walks, and scheduled from here.
_BOTH_WAYS: dict[str, Callable[[], Any]] = {
    f"{_TASKS:,} independent calls": _independent,
    f"{_CHAINS} chains of {_LENGTH}": _chains,
    f"a tree over {_LEAVES} leaves": tree,
    "tiles of 8 MB": _tiles,
    "a product of 8 MB tiles": _product,
    "a shuffle": _shuffle,
}


def _lithops(scheduler: DaskScheduler) -> tuple[list[Comparison], list[str]]:
    """Compare with Lithops' executor, handed to Dask as one of `concurrent.futures`: Dask schedules each task there."""
    if not lithops_run.is_installed():
        return [], ["Lithops is not installed (the dependency group bench): its line is left out"]
    try:
        theirs = lithops_run.timed_tree(_LITHOPS_LEAVES)
    except RuntimeError as error:
        return [], [str(error)]
    if theirs is None:
        return [], [f"Lithops did not end a tree over {_LITHOPS_LEAVES} leaves within its bound"]
    made, times = tree(_LITHOPS_LEAVES), []
    for _ in range(4):
        began = time.perf_counter()
        assert dask.compute(*made, scheduler=scheduler) == (sum_of_tree(_LITHOPS_LEAVES),)
        times.append((time.perf_counter() - began) * 1000)
    ours = statistics.median(times[1:])
    name = "Dask through Lithops' executor in its local mode"
    return [Comparison(f"a tree over {_LITHOPS_LEAVES} leaves", name, ours, theirs, ours / theirs, None)], []


def main() -> list[Comparison]:
    """Measure, print and return the lines."""
    requests = _Requests()
    scheduler = DaskScheduler(max_workers=2, progress=False)
    scheduler.add_listener(requests)
    in_walks = DaskScheduler(max_workers=2, progress=False, mode="event")
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
            against(f"a tree over {_LEAVES} leaves", tree, "threads", None, 5),
        ]
        small = requests.count
        lines += [
            against("a tree, through the client", tree, "LambdaExecutor", None, 3),
            against("tiles of 8 MB that stay", _tiles, "LambdaExecutor", 0.2, 3),
            against("a product of 8 MB tiles", _product, "LambdaExecutor", None, 3),
            against("a shuffle", _shuffle, "LambdaExecutor", None, 3),
        ]
        for name, make in _BOTH_WAYS.items():
            ours, theirs = by(in_walks, make), by(scheduler, make)
            lines.append(compare(f"{name}, in walks", ours, "the client's way", theirs, goal=None, rounds=3, warm_up=1))
    with_lithops, shown = _lithops(scheduler)
    lines += with_lithops
    notes = [f"S3 requests of the graphs with small values: {small} (goal 0)", *shown]
    if small:
        lines.append(Comparison("S3 requests for small values", "one", small, 1, small, 0.0, unit=""))
    show("graphs", lines, notes)
    return lines
