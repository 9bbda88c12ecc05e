"""Start a graph in Lambda, cut into walks, which need no client."""

from __future__ import annotations

import sys
from typing import Any

from lambdamagic.api.graph_job import GraphJob, start_graph
from lambdamagic.api.launcher import Launcher
from lambdamagic.graphs.graph import Graph, Key
from lambdamagic.graphs.paces import name_of
from lambdamagic.graphs.walk_nodes import Finish, WalkNode
from lambdamagic.runs.walks_work import GraphCode
from lambdamagic.walks.structure import structure_of

#: Constants from this size on are stored in the bucket once; smaller ones go with each node that needs them.
_STORED_MIN_BYTES = 4096


def code_of(graph: Graph, keys: Any) -> GraphCode:
    """Return a graph's nodes by number; chains are worth fusing before.

    Args:
        graph: The graph.
        keys: What was asked for, as it was: a key, or lists of keys.
    """
    numbers = {key: number for number, key in enumerate(graph.nodes)}
    stored: dict[Key, int] = {}
    calls, needs = [], []
    for node in graph.nodes.values():
        needed = sorted((key for key in node.needs if key in numbers), key=numbers.__getitem__)
        small, large = {}, {}
        for key in node.needs - numbers.keys():
            value = graph.constants[key]
            if _size_bytes(value) < _STORED_MIN_BYTES:
                small[key] = value
            else:
                large[key] = stored.setdefault(key, len(stored))
        calls.append(WalkNode(node.key, node.run, tuple(needed), small, large))
        needs.append([numbers[key] for key in needed])
    sources = {key: graph.aliases.get(key, key) for key in graph.wanted}
    finish = Finish(
        keys,
        {key: numbers[source] for key, source in sources.items() if source in numbers},
        {key: graph.constants[source] for key, source in sources.items() if source not in numbers},
    )
    structure = structure_of(needs, {numbers[key] for key in graph.kept})
    constants = {number: graph.constants[key] for key, number in stored.items()}
    names = [name_of(node.key, len(node.members)) for node in graph.nodes.values()]
    return GraphCode(structure, calls, constants, finish, names)


def start_walks(launcher: Launcher, graph: Graph, keys: Any, *, label: str) -> GraphJob:
    """Start a graph and return it as a job; it continues when this process ends.

    Raises:
        CaptureError, EncodeError: Something cannot be sent.
        TargetError: The target is not usable; nothing was sent.
    """
    return start_graph(launcher, code_of(graph, keys), label=label, run=WalkNode)


def _size_bytes(value: Any) -> int:
    size = getattr(value, "nbytes", None)
    return size if isinstance(size, int) else sys.getsizeof(value)
