"""Converts the graphs of Dask's collections to lambdamagic's own graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask._task_spec import Alias, DataNode, convert_legacy_graph
from dask.core import flatten

from lambdamagic.graphs.graph import Graph, Key, Node


def graph_from_dask(dsk: Any, keys: Any) -> Graph:
    """Return the graph of some keys.

    Args:
        dsk: A graph of Dask's in any of its forms: a mapping of keys to tasks, legacy tuples and values among them, or
            what has a `__dask_graph__`.
        keys: A key, or lists of keys, nested as Dask's collections have them.

    Raises:
        ValueError: A task needs what is not there, or tasks need each other in a circle; names the keys.
    """
    if not isinstance(dsk, Mapping):
        dsk = dsk.__dask_graph__()
    tasks = convert_legacy_graph(dsk)
    aliases = _aliases(tasks)
    nodes, constants = [], {}
    for key, task in tasks.items():
        if isinstance(task, DataNode):
            constants[key] = task.value
        elif not isinstance(task, Alias):
            if aliases and not aliases.keys().isdisjoint(task.dependencies):
                task = task.substitute({name: aliases[name] for name in task.dependencies if name in aliases})
            nodes.append(Node(key, task.dependencies, task))
    wanted = frozenset(flatten(keys, container=list) if isinstance(keys, list) else [keys])
    graph = Graph.of(nodes, {aliases.get(key, key) for key in wanted}, constants)
    return Graph(graph.nodes, constants, {key: aliases[key] for key in wanted if key in aliases}, wanted)


def _aliases(tasks: Mapping[Key, Any]) -> dict[Key, Key]:
    """Return what each alias stands for in the end."""
    found: dict[Key, Key] = {}
    for key, task in tasks.items():
        target, seen = key, {key}
        while isinstance(task, Alias):
            target = task.target
            if target in seen:
                raise ValueError(f"the graph has a cycle: {key!r} is an alias of itself")
            seen.add(target)
            task = tasks.get(target)
        if target != key:
            found[key] = target
    return found


def in_shape_of(keys: Any, values: Mapping[Key, Any]) -> Any:
    """Return values in the shape in which their keys were asked for, as Dask's schedulers do."""
    if isinstance(keys, list):
        return tuple(in_shape_of(key, values) for key in keys)
    return values[keys]
