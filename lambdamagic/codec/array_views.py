"""Find arrays that share memory before a payload is written, so that they share it on the other side too.

numpy pickles every view as a copy. `train = X[:800]` would part from `X`, and what a cell writes into one would not be
seen in the other.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from types import CellType, FunctionType
from typing import Any, cast

from lambdamagic.codec.containers import attributes_of

_MAX_ITEMS = 1000  # of a container that is searched; lists of very many arrays are not looked through
_MAX_LOOKED_AT = 20_000  # objects in all
_MAX_DEPTH = 6
_MAX_GROWTH = 4  # an array that was not asked for is sent for its views' sake up to so many times their size


def shared_memory(values: Iterable[Any], *, known: Iterable[Any] = ()) -> dict[int, Any]:
    """Return the owner of the memory for each array, by `id`, that shares some with another of the values.

    Args:
        values: Arrays, containers and instances that hold some, and anything else.
        known: Arrays that the reader has, and whose memory is laid out there as here.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return {}
    here = {id(array): array for array in known}
    groups: dict[int, tuple[Any, dict[int, Any]]] = {}
    for array in _arrays(values, numpy.ndarray):
        if array.size and not array.dtype.hasobject and id(array) not in here:
            owner = _owner(array, numpy.ndarray)
            groups.setdefault(id(owner), (owner, {}))[1][id(array)] = array
    if not groups:
        return {}
    wholes: dict[int, Any] = {}
    for array in here.values():
        owner = _owner(array, numpy.ndarray)
        if id(owner) in groups and _is_whole(array, owner):
            wholes.setdefault(id(owner), array)
    found: dict[int, Any] = {}
    for owner, members in groups.values():
        whole = wholes.get(id(owner))
        if whole is not None:
            found.update((key, whole) for key in members)
        elif len(members) > 1 and (owner.flags.c_contiguous or owner.flags.f_contiguous):
            together = _overlapping(list(members.values()), numpy)
            if id(owner) in members or owner.nbytes <= _MAX_GROWTH * sum(array.nbytes for array in together):
                found.update((id(array), owner) for array in together if array is not owner)
    return found


def _is_whole(array: Any, owner: Any) -> bool:
    is_contiguous = array.flags.c_contiguous or array.flags.f_contiguous
    start = array.__array_interface__["data"][0]
    return bool(is_contiguous and array.nbytes == owner.nbytes and start == owner.__array_interface__["data"][0])


def _arrays(values: Iterable[Any], kind: type) -> Iterable[Any]:
    layer, left = list(values), _MAX_LOOKED_AT
    seen: set[int] = set()
    for _ in range(_MAX_DEPTH):
        following: list[Any] = []
        for value in layer[:left]:
            if type(value) is kind:
                yield value
            elif id(value) not in seen:
                seen.add(id(value))
                following += _parts(value)
        left -= len(layer)
        layer = following
        if not layer or left <= 0:
            return


def _parts(value: Any) -> Iterable[Any]:
    cls = type(value)
    if cls in (list, tuple, set) and len(value) <= _MAX_ITEMS:
        return cast("Iterable[Any]", value)
    if cls is dict and len(value) <= _MAX_ITEMS:
        return cast("dict[Any, Any]", value).values()
    if cls is CellType:
        return gc.get_referents(value)
    if cls is FunctionType:
        return value.__closure__ or ()
    if cls.__module__ == "__main__" and not issubclass(cls, type):
        return (attributes_of(value) or {}).values()
    return ()


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
    """Return the arguments of `rebuild.array_view`."""
    start = owner.__array_interface__["data"][0]
    offset = array.__array_interface__["data"][0] - start
    return owner, array.dtype, array.shape, array.strides, offset, array.flags.writeable
