"""Rebuild objects of the standard library from their parts."""

from __future__ import annotations

import contextvars
import functools
import io
import threading
import types
import typing
import warnings
import weakref
from typing import Any

from lambdamagic.codec import containers, lru_caches, opened_files
from lambdamagic.codec import home as _home


def weak_container(cls: type) -> Any:
    """Return an empty dictionary or set of weak references."""
    return cls()


def set_weak(target: Any, content: tuple[Any, ...]) -> None:
    """Fill it."""
    containers.fill(target, content)


class _Gone:
    """The referent of a weak reference that was dead when it was written."""


def weak_reference(target: Any) -> weakref.ref[Any]:
    """Return a weak reference; one that leads to nothing for None."""
    return weakref.ref(_Gone() if target is None else target)


def shared(digest: str) -> Any:
    """Return the shared object of this content."""
    resolve = _home.active().shared
    if resolve is None:
        raise LookupError("the payload refers to a shared object that it does not contain")
    return resolve(digest)


def mapping_proxy(content: dict[Any, Any]) -> types.MappingProxyType[Any, Any]:
    """Return a read-only view."""
    return types.MappingProxyType(content)


def lru_cache(wrapped: Any, parameters: dict[str, Any], attributes: dict[str, Any]) -> Any:
    """Return a cached function with an empty cache."""
    made = functools.lru_cache(**parameters)(wrapped)
    made.__dict__.update(attributes)
    return made


def set_lru_cache(target: Any, held: tuple[Any, ...]) -> None:
    """Fill the cache of a cached function."""
    lru_caches.give(target, lru_caches.Remembered(*held))


def cached_property(func: Any, attrname: str | None, doc: str | None) -> Any:
    """Return a functools.cached_property; on 3.11 it holds a lock, which cannot be sent."""
    made = functools.cached_property(func)
    made.attrname = attrname
    made.__doc__ = doc
    return made


def dataclass_sentinel(name: str) -> Any:
    """Return one of the dataclasses module's sentinels, which are compared by identity."""
    import dataclasses

    return getattr(dataclasses, name)


def type_variable(kind: str, name: str, constraints: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return a TypeVar, ParamSpec, TypeVarTuple or NewType of the notebook."""
    made = getattr(typing, kind)(name, *constraints, **options)
    made.__module__ = "__main__"
    return made


def type_alias(name: str, value: Any, parameters: tuple[Any, ...] = ()) -> Any:
    """Return the alias of a `type X = ...` statement (Python 3.12 and newer)."""
    return typing.TypeAliasType(name, value, type_params=parameters)  # type: ignore[attr-defined]


def lazy_alias(name: str) -> Any:
    """Return an alias whose value is given later, since it may lead back to it."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(f"type {name} = {_VALUE_OF_ALIAS}", scope)  # a name, as was checked before it was written
    _aliases[id(scope[name])] = scope
    return scope[name]


def set_alias(target: Any, value: tuple[Any]) -> None:
    """Give it its value."""
    _aliases.pop(id(target))[_VALUE_OF_ALIAS] = value[0]


_VALUE_OF_ALIAS = "_value_of_the_alias"
_aliases: dict[int, dict[str, Any]] = {}


def context_variable(name: str, default: tuple[Any, ...], value: tuple[Any, ...]) -> Any:
    """Return a context variable with the value that it had."""
    made: contextvars.ContextVar[Any] = (
        contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)
    )
    if value:
        made.set(value[0])
    return made


def opened_file(*taken: Any) -> Any:
    """Return a file; see `opened_files.opened`."""
    return opened_files.opened(*taken)


def text_over_bytes(buffer: io.BytesIO, encoding: str, errors: str, where: int) -> Any:
    """Return a text stream over bytes in memory, at its position."""
    made = io.TextIOWrapper(buffer, encoding, errors)
    opened_files.move(made, where)
    return made


def lock(kind: str) -> Any:
    """Return a lock that is not held."""
    return threading.Lock() if kind == "lock" else threading.RLock()


def match(pattern: Any, method: str, string: Any, start: int, end: int) -> Any:
    """Find a match again."""
    return getattr(pattern, method)(string, start, end)


def set_quietly(target: Any, state: Any) -> None:
    """Give one of itertools' objects its state: since Python 3.12 that warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target.__setstate__(state)


def simple_queue() -> Any:
    """Return an empty queue."""
    import queue

    made: queue.SimpleQueue[Any] = queue.SimpleQueue()
    return made


def set_simple_queue(target: Any, items: list[Any]) -> None:
    """Fill it."""
    for item in items:
        target.put(item)
