"""Dask's forms of graphs become ours, and give what Dask's own scheduler gives."""

from __future__ import annotations

from operator import add
from typing import Any

import dask
import pytest
from dask._task_spec import Alias, DataNode, Task, TaskRef
from dask.local import get_sync

from lambdamagic.graphs.dask_graph import graph_from_dask, in_shape_of
from lambdamagic.graphs.fusing import fused
from tests.graphs.test_graph import run


def inc(number: int) -> int:
    return number + 1


def by_ours(dsk: Any, keys: Any) -> Any:
    return in_shape_of(keys, run(fused(graph_from_dask(dsk, keys))))


@pytest.mark.parametrize(
    ("dsk", "keys"),
    [
        pytest.param({"x": 1, "y": (inc, "x"), "z": (add, "y", (inc, "x"))}, "z", id="legacy, nested"),
        pytest.param({"x": 1, "y": (sum, ["x", (inc, "x"), 5])}, ["x", "y"], id="legacy, a list in a task"),
        pytest.param({"x": 1, "y": "x", "z": "y", "a": (inc, "z")}, [["z"], ["a", "y"]], id="legacy aliases"),
        pytest.param({("x", 0): 1, ("x", 1): (inc, ("x", 0))}, [("x", 1), [("x", 0)]], id="tuples as keys"),
        pytest.param({"x": [1, 2], "y": ["x", (sum, "x")]}, "y", id="containers as tasks"),
        pytest.param({"x": {"a": 1}, "y": (dict.get, "x", "a")}, "y", id="a dict as a value"),
        pytest.param(
            {
                "a": DataNode("a", 1),
                "b": Task("b", inc, TaskRef("a")),
                "c": Alias("c", "b"),
                "d": Task("d", sum, dask._task_spec.List(TaskRef("c"), TaskRef("b"), 3)),
                "e": Task("e", add, Task(None, inc, TaskRef("c")), TaskRef("d")),
            },
            ["e", "c"],
            id="tasks, aliases, data",
        ),
    ],
)
def test_the_values_are_those_of_dasks_own_scheduler(dsk: Any, keys: Any) -> None:
    assert by_ours(dsk, keys) == get_sync(dsk, keys)


def test_collections_hand_over_layers() -> None:
    import dask.array as da

    x = (da.ones((40, 40), chunks=10) + 1).sum(axis=0)
    graph = graph_from_dask(x.__dask_graph__(), x.__dask_keys__())
    assert run(graph).keys() == {key for row in [x.__dask_keys__()] for key in row}


def test_an_alias_of_itself_in_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        graph_from_dask({"a": Alias("a", "b"), "b": Alias("b", "a")}, "a")
