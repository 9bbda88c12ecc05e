"""Durations of nodes and sizes of their values, by operation."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock

from lambdamagic.graphs.graph import Key
from lambdamagic.jobs.chunks import Pace

_KINDS_KEPT = 1_000
#: A dash and so many digits distinguish calls of one function in a view.
_UNIQUE_SHOWN = 7
#: What Dask and others put behind a name so that it occurs once.
_UNIQUE = re.compile(r"-[0-9a-f]{8,}.*$|-[0-9a-f]{8}-[0-9a-f-]{27}$", re.DOTALL)


def kind_of(key: Key) -> str:
    """Return the operation that a task's key names: tasks of one operation take about equally long."""
    while isinstance(key, tuple) and key:
        key = key[0]
    return _UNIQUE.sub("", key) if isinstance(key, str) else type(key).__name__


def name_of(key: Key, members: int = 1) -> str:
    """Return a task's name, for display: the operation with as much of the key as distinguishes it.

    Args:
        key: The task's key, such as `("sum-3f2a...", 0, 1)`.
        members: How many tasks it stands for.
    """
    first, *places = key if isinstance(key, tuple) and key else (key,)
    kind = kind_of(first)
    unique = str(first)[len(kind) : len(kind) + _UNIQUE_SHOWN] if isinstance(first, str) and not places else ""
    shown = f"{kind}{unique}" if isinstance(first, str) else repr(first)
    where = f" ({', '.join(map(str, places))})" if places else ""
    return f"{shown}{where}" + (f" and {members - 1} before it" if members > 1 else "")


class Paces:
    """How long nodes take, by their kinds; known from graph to graph. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_kind: OrderedDict[str, Pace] = OrderedDict()
        self._stayed_bytes: dict[str, int] = {}
        self.overhead_s = 0.0

    def of(self, kind: str) -> Pace | None:
        """Return what is known of a kind; None before one of it has ended."""
        found = self._by_kind.get(kind)
        return found if found is not None and found.seconds is not None else None

    def stayed_bytes(self, kind: str) -> int:
        """Return how large the values of a kind are where they stay in the bucket; 0 where they come back."""
        return self._stayed_bytes.get(kind, 0)

    def learn(self, kind: str, seconds: float) -> None:
        """Record a node's duration."""
        self._pace(kind).learn(tasks=1, seconds=seconds, result_bytes=0)

    def learn_bytes(self, kind: str, *, item_bytes: float = 0.0, result_bytes: float = 0.0) -> None:
        """Record the size of a sent node, or of its value."""
        pace = self._pace(kind)
        if item_bytes:
            pace.learn_items(tasks=1, item_bytes=int(item_bytes))
        if result_bytes:
            pace.result_bytes = result_bytes if not pace.result_bytes else (pace.result_bytes + result_bytes) / 2

    def learn_stayed(self, kind: str, size_bytes: int) -> None:
        """Record the size of a value that stayed in the bucket."""
        self._stayed_bytes[kind] = size_bytes

    def learn_overhead(self, seconds: float) -> None:
        """Record the overhead of a warm invocation."""
        self.overhead_s = seconds if not self.overhead_s else 0.9 * self.overhead_s + 0.1 * seconds

    def _pace(self, kind: str) -> Pace:
        with self._lock:
            found = self._by_kind.get(kind)
            if found is None:
                found = self._by_kind[kind] = Pace()
                if len(self._by_kind) > _KINDS_KEPT:
                    oldest, _ = self._by_kind.popitem(last=False)
                    self._stayed_bytes.pop(oldest, None)
            return found
