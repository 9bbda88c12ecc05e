"""Temporary containers created by an object's own pickling: no object of the notebook receives their changes.

`def __getstate__(self): return {"items": list(self.items)}` writes a dictionary and a list that are gone afterwards.
What code on the other side does to its list is a change of the object.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
from typing import Any

_CONTAINERS = frozenset({list, dict, set, tuple})


def held_by_nothing(pickler: Any) -> list[int]:
    """Return the numbers of lists, dictionaries and sets that only the memo, or such a container, refers to."""
    kind: Any = type(pickler)
    others = _held(pickler, _references(kind))
    waiting = [key for key, (_, _, more) in others.items() if more <= 0]
    found = []
    while waiting:
        number, value, _ = others[waiting.pop()]
        if type(value) is not tuple:
            found.append(number)
        for child in [*value.keys(), *value.values()] if type(value) is dict else value:
            if id(child) in others:
                at, each, more = others[id(child)]
                others[id(child)] = at, each, more - 1
                if more == 1:
                    waiting.append(id(child))
    return found


def _held(pickler: Any, usual: int) -> dict[int, tuple[int, Any, int]]:
    """Return containers by `id`, with their numbers and how many references there are to them beyond the usual."""
    found = {}
    for number, value in pickler.memo.copy().values():
        if type(value) in _CONTAINERS:
            found[id(value)] = number, value, sys.getrefcount(value) - usual
    return found


class _Made:
    def __getstate__(self) -> Any:
        return [None]


@functools.cache
def _references(kind: Any) -> int:
    """Return how many references `_held` sees to an object that only the memo of such a pickler holds."""
    base: Any = pickle.Pickler if issubclass(kind, pickle.Pickler) else pickle._Pickler
    pickler = base(io.BytesIO(), pickle.HIGHEST_PROTOCOL)
    pickler.dump(_Made())
    return next(more for _, value, more in _held(pickler, 0).values() if type(value) is list)
