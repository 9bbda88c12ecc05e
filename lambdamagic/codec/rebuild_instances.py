"""Rebuild instances of the notebook's classes, containers and exceptions: created first, filled afterwards."""

from __future__ import annotations

import collections
from typing import Any

from lambdamagic.codec import containers
from lambdamagic.codec import home as _home
from lambdamagic.codec.written_classes import native_base


def exception(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Return an exception without calling its own `__init__`, whose parameters need not be its `args`."""
    made = cls.__new__(cls, *args)
    native = native_base(cls)
    native.__init__(made, *args)  # type: ignore[misc]  # fills the fields of a SyntaxError, a StopIteration, ...
    made.args = args
    made.__dict__.update(state)
    return made


def set_exception(target: BaseException, state: tuple[Any, ...]) -> None:
    """Give an exception its attributes and those it came from."""
    attributes, target.__cause__, target.__context__, target.__suppress_context__ = state
    target.__dict__.update(attributes)


def immutable(cls: type, native: type, value: Any) -> Any:
    """Return an instance of a subclass of `int`, `str`, `tuple`, ... past the subclass's own `__new__`."""
    return native.__new__(cls, value)


def made(cls: Any, *args: Any) -> Any:
    """Return what `copyreg.__newobj__` returns; by another name, which pickle does not look at."""
    return cls.__new__(cls, *args)


def made_ex(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what `copyreg.__newobj_ex__` returns, likewise."""
    return cls.__new__(cls, *args, **kwargs)


def bare(cls: type) -> Any:
    """Return an instance without attributes."""
    return object.__new__(cls)


def set_state(target: Any, state: Any) -> None:
    """Give an instance its attributes as pickle does by default, without asking the instance itself."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        object.__getattribute__(target, "__dict__").update(attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(target, name, value)


def share_state(target: Any, state: Any) -> None:
    """Give an instance a dictionary of attributes that another process has, too."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    object.__setattr__(target, "__dict__", attributes)
    set_state(target, (None, slots))


def keyed(cls: type, known: dict[str, Any]) -> Any:
    """Return an instance with what it may be hashed by: it may be a key before the rest of it is read."""
    made: Any = object.__new__(cls)
    for name, value in known.items():
        object.__setattr__(made, name, value)
    return made


def vars_of(instance: Any) -> Any:
    """Return the dictionary in which an instance has its attributes."""
    return object.__getattribute__(instance, "__dict__")


def set_whole(target: Any, state: Any) -> None:
    """Give an instance all its attributes, past its own `__setstate__`."""
    set_state(target, state)
    _home.active().note_whole(target)


def share_whole(target: Any, state: Any) -> None:
    """Do both: a dictionary of attributes that another process has, too, and no `__setstate__`."""
    share_state(target, state)
    _home.active().note_whole(target)


class Itself:
    """The state of an object that is its own dictionary of attributes."""


def container(cls: type) -> Any:
    """Return an empty container of a subclass of `list`, `dict`, `set`, ... past the subclass's own methods."""
    base: Any = containers.container_base(cls)
    return base.__new__(cls)


def set_container(target: Any, state: tuple[Any, ...]) -> None:
    """Give a container its attributes and its content."""
    attributes, default_factory, maxlen, *content = state
    if attributes is Itself:
        target.__dict__ = target
    else:
        set_state(target, attributes)
    if isinstance(target, collections.defaultdict):
        target.default_factory = default_factory
    if isinstance(target, collections.deque):
        collections.deque.__init__(target, (), maxlen)
    containers.fill(target, tuple(content))
