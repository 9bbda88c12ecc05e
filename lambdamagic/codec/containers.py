"""Subclasses of list, dict, set and deque: read and filled without calling their overridden methods."""

from __future__ import annotations

import collections
import copyreg
import types
import weakref
from typing import Any

from lambdamagic.codec.written_classes import is_written_in_python

WEAK = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
_BASES = (collections.defaultdict, collections.OrderedDict, collections.deque, dict, list, set, *WEAK)
PICKLING_HOOKS = frozenset(
    ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
)


def container_base(cls: type) -> type | None:
    """Return the built-in container type that a class derives from, if the class adds attributes at most."""
    for base in cls.__mro__:
        if base in _BASES:
            others = [other for other in cls.__mro__ if other not in base.__mro__]
            return base if all(map(is_written_in_python, others)) else None
        if base is not collections.Counter and not PICKLING_HOOKS.isdisjoint(base.__dict__):
            return None
    return None


def attributes_of(value: Any) -> dict[str, Any] | None:
    """Return the dictionary of an object's attributes, without asking code of its class for it."""
    if not is_watched(type(value)):
        return getattr(value, "__dict__", None)
    try:
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found


def is_watched(cls: type) -> bool:
    """Whether code of a class's author may run when an attribute of its objects is read, or one that they lack."""
    return type(cls.__getattribute__) is types.FunctionType or hasattr(cls, "__getattr__")


def slot_of(value: Any, name: str, default: Any) -> Any:
    """Return what is in a slot of an object."""
    if not is_watched(type(value)):
        return getattr(value, name, default)
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return default


def slot_names(cls: type) -> list[str]:
    """Return the names of a class's slots, mangled as they are stored."""
    names: list[str] = copyreg._slotnames(cls)  # type: ignore[attr-defined]  # what pickle itself uses
    return names


def is_weak(cls: type) -> bool:
    """Whether a container holds weak references."""
    return issubclass(cls, WEAK)


def options_of(value: Any) -> tuple[Any, Any]:
    """Return a container's `default_factory` and `maxlen`; a `__getattr__` of its class is not asked for them."""
    return (
        value.default_factory if isinstance(value, collections.defaultdict) else None,
        value.maxlen if isinstance(value, collections.deque) else None,
    )


def content_of(value: Any) -> tuple[tuple[Any, ...], ...]:
    """Return a container's content: a dictionary's keys and values, or the items of another."""
    base: Any = container_base(type(value))
    if is_weak(base) and hasattr(base, "items"):
        pairs = list(base.items(value))
        return tuple(key for key, _ in pairs), tuple(item for _, item in pairs)
    if issubclass(base, dict):
        return tuple(base.keys(value)), tuple(base.values(value))
    return (tuple(base.__iter__(value)),)


def fill(target: Any, content: tuple[Any, ...]) -> None:
    """Replace a container's content."""
    base: Any = container_base(type(target))
    base.clear(target)
    if hasattr(base, "items"):
        for key, value in zip(*content, strict=True):
            base.__setitem__(target, key, value)
    elif issubclass(base, set | weakref.WeakSet):
        base.update(target, *content)
    else:
        base.extend(target, *content)
