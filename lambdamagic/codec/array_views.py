"""Arrays that share memory: found before a payload is written, so that they share it on the other side too.

numpy pickles every view as a copy. `train = X[:800]` would part from `X`, and what a cell writes into one would not be
seen in the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

_MAX_ITEMS = 1000  # of a container that is searched; lists of very many arrays are not looked through
_MAX_GROWTH = 4  # an array that was not asked for is sent for its views' sake up to so many times their size


def shared_memory(values: Iterable[Any], *, apart: Sequence[Any] = ()) -> dict[int, Any]:
    """Return the owner of the memory for each array, by `id`, that shares some with another of the values.

    Args:
        values: Arrays, lists, tuples and dictionaries of them, and anything else.
        apart: Owners whose memory may lie otherwise where this is read: an array that came from there.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return {}
    groups: dict[int, tuple[Any, dict[int, Any]]] = {}
    for array in _arrays(values, numpy.ndarray, depth=1):
        if array.size and not array.dtype.hasobject:
            owner = _owner(array, numpy.ndarray)
            groups.setdefault(id(owner), (owner, {}))[1][id(array)] = array
    found: dict[int, Any] = {}
    for owner, members in groups.values():
        if (
            len(members) > 1
            and not any(owner is value for value in apart)
            and (owner.flags.c_contiguous or owner.flags.f_contiguous)
        ):
            together = _overlapping(list(members.values()), numpy)
            if id(owner) in members or owner.nbytes <= _MAX_GROWTH * sum(array.nbytes for array in together):
                found.update((id(array), owner) for array in together if array is not owner)
    return found


def _arrays(values: Iterable[Any], kind: type, *, depth: int) -> Iterable[Any]:
    for value in values:
        if type(value) is kind:
            yield value
        elif depth and type(value) in (list, tuple, dict) and len(value) <= _MAX_ITEMS:
            yield from _arrays(value.values() if type(value) is dict else value, kind, depth=depth - 1)


def _owner(array: Any, kind: type) -> Any:
    while type(array.base) is kind:
        array = array.base
    return array


def _overlapping(arrays: list[Any], numpy: Any) -> list[Any]:
    bounds = getattr(numpy.lib, "array_utils", numpy).byte_bounds  # moved in numpy 2
    ranges = sorted(((*bounds(array), array) for array in arrays), key=lambda item: item[:2])
    found: dict[int, Any] = {}
    reach, last = 0, None
    for low, high, array in ranges:
        if low < reach:
            found[id(last)], found[id(array)] = last, array
        if high > reach:
            reach, last = high, array
    return list(found.values())


def reduced(array: Any, owner: Any) -> tuple[Any, ...]:
    """Return what `rebuild.array_view` takes."""
    start = owner.__array_interface__["data"][0]
    offset = array.__array_interface__["data"][0] - start
    return owner, array.dtype, array.shape, array.strides, offset, array.flags.writeable
