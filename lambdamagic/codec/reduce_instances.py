"""How instances of the notebook's classes, and exceptions, are pickled."""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import rebuild
from lambdamagic.codec.containers import PICKLING_HOOKS, container_base, content_of
from lambdamagic.codec.writing import Writing

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
#: How to get the value of an immutable object without what a subclass has made of its methods.
_IMMUTABLE: dict[type, Callable[[Any], Any]] = {
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    int: int.__int__,
    float: float.__float__,
}


def needs_rule(cls: type) -> bool:
    """Whether pickle's default would run code of a class too early, which need not be the notebook's."""
    return _needs_arguments(cls.__new__) or (
        type(cls.__hash__) is types.FunctionType and cls.__reduce_ex__ is _REDUCED_BY_DEFAULT
    )


def instance_rule(writing: Writing, value: Any) -> Any:
    """Rebuild instances of the notebook's classes where pickle's default would run code of theirs too early.

    pickle calls `__new__` with what is in an immutable object, which is not what its author's `__new__` takes; it
    fills a container by the container's own methods; and it asks a bare instance for `__setstate__`, which a
    `__getattr__` that relies on attributes cannot answer.
    """
    cls = type(value)
    hooks = [
        base for base in cls.__mro__ if base.__flags__ & _HEAP_TYPE and not PICKLING_HOOKS.isdisjoint(base.__dict__)
    ]
    native = next(base for base in cls.__mro__ if not base.__flags__ & _HEAP_TYPE)
    if hooks or enum.Enum in cls.__mro__:
        return NotImplemented
    if native in _IMMUTABLE and cls.__new__ is not native.__new__:
        return rebuild.immutable, (cls, native, _IMMUTABLE[native](value)), getattr(value, "__dict__", None) or None
    if container_base(cls) is not None:
        state: Any = object.__reduce_ex__(value, 2)[2]
        if getattr(value, "__dict__", None) is value:
            state = rebuild.Itself
        options = [getattr(value, name, None) for name in ("default_factory", "maxlen")]
        return rebuild.container, (cls,), (state, *options, *content_of(value)), None, None, rebuild.set_container
    if native is not object:
        return NotImplemented
    is_shared = hasattr(value, "__dict__") and _is_held_elsewhere(value)
    state = object.__reduce_ex__(value, 2)[2]
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if is_shared and attributes is not None:
        return rebuild.bare, (cls,), state, None, None, rebuild.share_state
    if cls.__hash__ not in (None, _HASH_BY_IDENTITY):
        known = {name: held for part in (attributes, slots) for name, held in (part or {}).items() if _is_plain(held)}
        return rebuild.keyed, (cls, known), state, None, None, rebuild.set_state
    if hasattr(cls, "__getattr__") or "__new__" in _names_of(cls):
        return rebuild.bare, (cls,), state, None, None, rebuild.set_state
    return NotImplemented


def state_with_originals(value: Any) -> Any:
    """Send what an object holds where its `__getstate__` gives copies: other names for it are to stay true."""
    cls: Any = type(value)
    is_default = cls.__reduce_ex__ is _REDUCED_BY_DEFAULT and cls.__reduce__ is object.__reduce__
    if not is_default or not any("__getstate__" in vars(base) for base in cls.__mro__[:-1]) or enum.Enum in cls.__mro__:
        return NotImplemented
    found: Any = object.__reduce_ex__(value, 5)
    function, args, state, *items = found
    held = getattr(value, "__dict__", {})
    if type(state) is dict and state is not held:
        state = {name: held[name] if _is_copy(item, held.get(name)) else item for name, item in state.items()}
    return function, args, state, *items


def _is_copy(value: Any, original: Any) -> bool:
    """Whether a list, dictionary or set is another one that holds the very same."""
    kind = type(value)
    if kind is not type(original) or kind not in (list, dict, set) or len(value) != len(original):
        return False
    if kind is set:
        return set(map(id, value)) == set(map(id, original))
    parts = [(value.values(), original.values())] if kind is dict else []
    return all(one is other for each in [*parts, (value, original)] for one, other in zip(*each, strict=True))


def exception_rule(writing: Writing, value: BaseException) -> Any:
    """Take an exception apart, with those that it came from."""
    cls = type(value)
    if cls.__reduce__ is BaseException.__reduce__ and cls.__flags__ & _HEAP_TYPE:
        found: Any = (rebuild.exception, (cls, value.args, value.__dict__))
    elif value.__cause__ is None and value.__context__ is None:
        return NotImplemented
    else:
        found = value.__reduce_ex__(5)
    if value.__cause__ is None and value.__context__ is None:
        return found
    function, args, *state = found
    chain = (state[0] if state else {}, value.__cause__, value.__context__, value.__suppress_context__)
    return function, args, chain, None, None, rebuild.set_exception


_HASH_BY_IDENTITY: Any = object.__hash__
_REDUCED_BY_DEFAULT: Any = object.__reduce_ex__


class _Probe:
    pass


def _references_to_attributes(value: Any) -> int:
    return sys.getrefcount(value.__dict__)


_USUAL_REFERENCES = _references_to_attributes(_Probe())


def _is_held_elsewhere(value: Any) -> bool:
    """Whether an object's dictionary of attributes is that of another one, too, or has a name."""
    return _references_to_attributes(value) > _USUAL_REFERENCES


def _is_plain(value: Any) -> bool:
    """Whether a value leads to no other object, so that a hash can be made of it from the beginning."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in _ATOMS


_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})


def _names_of(cls: type) -> set[str]:
    """Return the attributes of a class and its parents, what all objects have apart."""
    return {name for base in cls.__mro__ if base is not object for name in base.__dict__}


def _needs_arguments(new: Any) -> bool:
    """Whether a `__new__` cannot be called with the class alone, as pickle does."""
    return type(new) is types.FunctionType and new.__code__.co_argcount - len(new.__defaults__ or ()) > 1
