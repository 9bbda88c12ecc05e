"""Graphs of tasks, culled, in order, and fused."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from lambdamagic.graphs.fusing import fused
from lambdamagic.graphs.graph import Graph, Key, Node


class Sum:
    """The sum of what it needs, and one more."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys

    def __call__(self, values: Mapping[Key, Any]) -> Any:
        return sum(values[key] for key in self.keys) + 1


def sums(key: Key, *needs: Key) -> Node:
    return Node(key, needs, Sum(*needs))


class Fails:
    def __call__(self, values: Mapping[Key, Any]) -> Any:
        raise KeyError("no such thing")


def run(graph: Graph) -> dict[Key, Any]:
    values = dict(graph.constants)
    for node in graph.nodes.values():
        values[node.key] = pickle.loads(pickle.dumps(node.run))({key: values[key] for key in node.needs})
    return graph.results(values)


def test_a_graph_is_culled_and_sorted() -> None:
    graph = Graph.of([sums("c", "a", "b"), sums("a"), sums("b", "a"), sums("d", "c")], ["c"])
    assert list(graph.nodes) == ["a", "b", "c"]
    assert run(graph) == {"c": 4}


def test_a_cycle_and_missing_tasks_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'a' -> 'b' -> 'a'|'b' -> 'a' -> 'b'"):
        Graph.of([sums("a", "b"), sums("b", "a")], ["a", "b"])
    with pytest.raises(ValueError, match="no task 'x', which 'a' needs"):
        Graph.of([sums("a", "x")], ["a"])


def test_a_long_chain_needs_no_deep_stack() -> None:
    count = 20_000
    nodes = [sums(number, *([number - 1] if number else [])) for number in range(count)]
    graph = fused(Graph.of(nodes, [count - 1]))
    assert [node.members for node in graph.nodes.values()] == [tuple(range(count))]
    assert run(graph) == {count - 1: count}


def test_chains_are_one_node_and_give_the_same() -> None:
    nodes = [
        sums("load"),
        sums("left 1", "load", "constant"),
        sums("left 2", "left 1", "constant"),
        sums("right 1", "load"),
        sums("right 2", "right 1"),
        sums("join", "left 2", "right 2"),
        sums("end", "join"),
    ]
    graph = Graph.of(nodes, ["end", "right 1", "constant"], {"constant": 10})
    short = fused(graph)
    assert {node.members for node in short.nodes.values() if len(node.members) > 1} == {
        ("left 1", "left 2"),
        ("join", "end"),
    }
    assert run(short) == run(graph)
    assert short.nodes["left 2"].needs == {"load", "constant"}


def test_a_failure_in_a_chain_names_the_step() -> None:
    graph = fused(Graph.of([sums("a"), Node("b", "a", Fails()), sums("c", "b")], ["c"]))
    with pytest.raises(KeyError) as caught:
        graph.nodes["c"].run({})
    assert caught.value.__notes__ == ["in the graph's task 'b'"]
