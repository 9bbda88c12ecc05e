"""Random graphs of 5 to 500 tasks give what Dask's own scheduler gives, whatever their shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from dask.local import get_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdamagic.graphs.dask_scheduler import DaskScheduler

_LARGE = 10_000  # numbers of 8 bytes: such a value stays in the bucket


def mixed(number: int, *inputs: Any) -> Any:
    total = number + sum(int(np.sum(each)) % 1_000_003 for each in inputs)
    return np.full(_LARGE, total) if number % 7 == 0 else total


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[Any, Any], list[Any]]:
    count = draw(st.integers(5, 500))
    reach = draw(st.sampled_from([1, 3, 20, 500]))  # 1: chains; 500: wide
    random = draw(st.randoms(use_true_random=False))
    dsk: dict[Any, Any] = {"constant": 3}
    for number in range(count):
        nearest = range(max(0, number - reach), number)
        needs = [("t", each) for each in random.sample(nearest, min(len(nearest), random.choice([0, 1, 1, 2, 4])))]
        if not needs or random.random() < 0.1:
            needs.append("constant")
        kind = random.random()
        if kind < 0.05:
            dsk["t", number] = needs[0]  # another name
        elif kind < 0.1:
            dsk["t", number] = (mixed, number, (mixed, 1, needs[0]), *needs[1:])
        else:
            dsk["t", number] = (mixed, number, *needs)
    wanted = random.sample(range(count), min(count, 5))
    return dsk, [("t", count - 1), [("t", each) for each in wanted]]


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(graph=graphs())
def test_any_graph_gives_the_same(graph: tuple[dict[Any, Any], list[Any]], dask_scheduler: DaskScheduler) -> None:
    dsk, keys = graph
    ours, theirs = dask_scheduler(dsk, keys), get_sync(dsk, keys)
    np.testing.assert_array_equal(ours[0], theirs[0])
    for one, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_array_equal(one, other)
