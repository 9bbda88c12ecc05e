"""Dask's callbacks (`ProgressBar`, `Profiler`, those of users) for a graph that runs on Lambda."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from dask.callbacks import unpack_callbacks

from lambdamagic.graphs.graph import Graph, Key

#: Stands where Dask's own schedulers say which thread ran a task.
_WORKER = "lambdamagic"


class Watching:
    """Calls callbacks as Dask's local schedulers do, one at a time. The tasks are those that are sent: fused chains.

    Args:
        callbacks: Those in force, as Dask keeps them.
        dsk: The graph as it was given.
        graph: The graph that is sent.
    """

    def __init__(self, callbacks: Iterable[Any], dsk: Any, graph: Graph) -> None:
        self._all = list(callbacks)
        self._dsk, self._began = dsk, list[Any]()
        _, self._starts, self._before, self._after, _ = unpack_callbacks(self._all)
        self._lock = threading.Lock()
        keys = list(graph.nodes)
        ready = [node.key for node in graph.nodes.values() if graph.nodes.keys().isdisjoint(node.needs)]
        self._state: dict[str, Any] = {
            "waiting": {key: graph.nodes[key].needs for key in set(keys) - set(ready)},
            "ready": ready,
            "running": set(),
            "finished": set(),
            "released": set(),
            "cache": dict(graph.constants),
            "dependencies": {node.key: node.needs for node in graph.nodes.values()},
        }

    @property
    def is_watched(self) -> bool:
        """Whether there are callbacks at all."""
        return bool(self._all)

    def begin(self) -> None:
        """Say that the graph begins."""
        for callback in self._all:
            if callback[0]:
                callback[0](self._dsk)
            self._began.append(callback)
        for start in self._starts:
            if start:
                start(self._dsk, self._state)

    def sent(self, keys: Sequence[Key]) -> None:
        """Say that tasks are about to run."""
        with self._lock:
            for key in keys:
                self._state["waiting"].pop(key, None)
                if key in self._state["ready"]:
                    self._state["ready"].remove(key)
                self._state["running"].add(key)
                for before in self._before:
                    before(key, self._dsk, self._state)

    def done(self, key: Key, value: Any) -> None:
        """Say that a task has its value; for one that stays in the bucket, its reference."""
        with self._lock:
            self._state["waiting"].pop(key, None)
            self._state["running"].discard(key)
            self._state["finished"].add(key)
            for after in self._after:
                after(key, value, self._dsk, self._state, _WORKER)

    def end(self, *, failed: bool) -> None:
        """Say that the graph has ended."""
        for callback in self._began:
            if callback[4]:
                callback[4](self._dsk, self._state, failed)
