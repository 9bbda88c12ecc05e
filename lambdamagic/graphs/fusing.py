"""Fuse linear chains to one node each. This code also runs in Lambda: standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambdamagic.graphs.graph import Graph, Key, Node, Run


class Chain:
    """Runs nodes of which each needs the one before it; returns the last node's value.

    Args:
        steps: Key and `run` of each.
    """

    __slots__ = ("steps",)

    def __init__(self, steps: tuple[tuple[Key, Run], ...]) -> None:
        self.steps = steps

    def __call__(self, values: Mapping[Key, Any]) -> Any:
        """Return the last node's value, given what all of them need from outside."""
        values = dict(values)
        previous: Key = None
        value: Any = None
        for number, (key, run) in enumerate(self.steps):
            if number:
                values[previous] = value
                value = None
            try:
                value = run(values)
            except Exception as error:
                named(error, key)
                raise
            if number:
                del values[previous]  # only this step needed it
            previous = key
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return Chain, (self.steps,)


_NOTE = "in the graph's task"


def named(error: BaseException, key: Key) -> None:
    """Note on an exception which task's code raised it; the innermost is named, and only that."""
    if not any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ())):
        error.add_note(f"{_NOTE} {key!r}")


def fused(graph: Graph) -> Graph:
    """Return the graph with each linear chain as one node.

    A node joins the one before it if it needs no other node, no other node needs that one, and it was not requested.
    """
    dependents, kept = graph.dependents(), graph.kept
    chains: dict[Key, list[Node]] = {}
    for node in graph.nodes.values():
        before = [key for key in node.needs if key in graph.nodes]
        if len(before) == 1 and len(dependents[before[0]]) == 1 and before[0] not in kept:
            chain = chains.pop(before[0])
            chain.append(node)
        else:
            chain = [node]
        chains[node.key] = chain
    # A chain stands where its last one stood: all that it needs stood before its first, or next to a step.
    nodes = {key: chain[0] if len(chain) == 1 else _joined(chain) for key, chain in chains.items()}
    return Graph(nodes, graph.constants, graph.aliases, graph.wanted)


def _joined(chain: Iterable[Node]) -> Node:
    nodes = list(chain)
    inner = {node.key for node in nodes}
    needs = frozenset().union(*(node.needs for node in nodes)) - inner
    members = tuple(key for node in nodes for key in node.members)
    return Node(nodes[-1].key, needs, Chain(tuple((node.key, node.run) for node in nodes)), members)
