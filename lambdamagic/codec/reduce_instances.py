"""How instances of the notebook's classes, and exceptions, are pickled."""

from __future__ import annotations

import collections
import copyreg
import enum
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import rebuild
from lambdamagic.codec.buffers import BoundedFile, taker
from lambdamagic.codec.containers import (
    PICKLING_HOOKS,
    attributes_of,
    container_base,
    content_of,
    is_watched,
    options_of,
    slot_names,
    slot_of,
)
from lambdamagic.codec.writing import Writing
from lambdamagic.codec.written_classes import is_written_in_python, native_base

#: How to get the value of an immutable object without what a subclass has made of its methods.
IMMUTABLE: dict[type, Callable[[Any], Any]] = {
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    int: int.__int__,
    float: float.__float__,
}


def needs_rule(cls: type) -> bool:
    """Whether pickle's default would run code of a class too early, which need not be the notebook's."""
    return _needs_arguments(cls.__new__) or (
        cls.__reduce_ex__ is _REDUCED_BY_DEFAULT
        and (type(cls.__hash__) is types.FunctionType or _answers_for_missing(cls))
    )


def _answers_for_missing(cls: type) -> bool:
    """Whether pickle asks an object for `__setstate__` that has no attributes yet, and a `__getattr__` of its class."""
    if not hasattr(cls, "__getattr__") or cls in copyreg.dispatch_table:
        return False
    made = filter(is_written_in_python, cls.__mro__)
    return all(PICKLING_HOOKS.intersection(vars(base)) <= {"__getstate__"} for base in made)


def instance_rule(writing: Writing, value: Any) -> Any:
    """Rebuild instances of the notebook's classes where pickle's default would run code of theirs too early.

    pickle calls `__new__` with what is in an immutable object, which is not what its author's `__new__` takes; it
    fills a container by the container's own methods; and it asks a bare instance for `__setstate__`, which a
    `__getattr__` that relies on attributes cannot answer.
    """
    cls = type(value)
    hooks = [
        base
        for base in cls.__mro__
        if is_written_in_python(base) and base is not collections.Counter and not PICKLING_HOOKS.isdisjoint(vars(base))
    ]
    native = native_base(cls)
    is_whole = bool(hooks) and native is object and _only_leave_out(writing, hooks) and is_sent_whole(writing, value)
    if (hooks and not is_whole) or enum.Enum in cls.__mro__:
        return NotImplemented
    if native in IMMUTABLE and cls.__new__ is not native.__new__:
        return rebuild.immutable, (cls, native, IMMUTABLE[native](value)), attributes_of(value) or None
    if container_base(cls) is not None:
        state = _state_of(value)
        if attributes_of(value) is value:
            state = rebuild.Itself
        return (
            rebuild.container,
            (cls,),
            (state, *options_of(value), *content_of(value)),
            None,
            None,
            rebuild.set_container,
        )
    if native is not object:
        return NotImplemented
    is_shared = attributes_of(value) is not None and _is_held_elsewhere(value)
    state = _state_of(value)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if is_shared and attributes is not None:
        setter: Any = rebuild.share_whole if is_whole else rebuild.share_state
        return rebuild.bare, (cls,), state, None, None, setter
    setter = rebuild.set_whole if is_whole else rebuild.set_state
    if cls.__hash__ not in (None, _HASH_BY_IDENTITY):
        known = {name: held for part in (attributes, slots) for name, held in (part or {}).items() if _is_plain(held)}
        return rebuild.keyed, (cls, known), state, None, None, setter
    if is_whole or is_watched(cls) or "__new__" in _names_of(cls):
        return rebuild.bare, (cls,), state, None, None, setter
    return NotImplemented


def _state_of(value: Any) -> Any:
    """Return all attributes of an object as pickle has them by default, past its own `__getstate__`."""
    cls: Any = type(value)
    is_default = cls.__getstate__ is _STATE_BY_DEFAULT and cls.__reduce__ is object.__reduce__
    if is_default and not is_watched(cls):
        found: Any = object.__reduce_ex__(value, 2)
        return found[2]
    attributes = dict(attributes_of(value) or {}) or None
    held = {name: slot_of(value, name, _EMPTY) for name in slot_names(cls)}
    slots = {name: item for name, item in held.items() if item is not _EMPTY}
    return (attributes, slots) if slots else attributes


_EMPTY = object()
_STATE_BY_DEFAULT: Any = getattr(object, "__getstate__", None)


def _only_leave_out(writing: Writing, hooks: list[type]) -> bool:
    """Whether classes of the notebook say what pickle should take of their objects, and not how to make them."""
    names = {name for base in hooks for name in PICKLING_HOOKS.intersection(vars(base))}
    return names <= {"__getstate__", "__setstate__"} and all(
        writing.home.is_own_name(base.__module__) for base in hooks
    )


def is_sent_whole(writing: Writing, value: Any) -> bool:
    """Whether all attributes of an object can be sent, as those have it that run in the notebook.

    A `__getstate__` is for another process, later; what it leaves out (a cache, an unlocked lock) is as good here.
    """
    if writing.is_tried:
        return True  # it is found out for the object that leads here
    known = writing.whole.get(id(value))
    if known is None:
        known = writing.whole[id(value)] = value, _can_be_written(writing, _state_of(value))
    return known[1]


def _can_be_written(writing: Writing, state: Any) -> bool:
    if isinstance(state, dict) and _ATOMS.issuperset(map(type, state.values())):
        return True
    buffers: list[memoryview] = []
    trial = type(writing)(writing.home)
    trial.is_tried = True
    pickler = _Trial(BoundedFile(_MOST_WHOLE_BYTES), trial.reduce, taker(buffers, _MOST_WHOLE_BYTES))  # type: ignore[attr-defined]
    try:
        pickler.dump(state)
    except RecursionError:
        return True  # whoever writes it can go deeper
    except Exception:  # noqa: BLE001  # code of the user's runs
        return False
    return True


#: Of what is larger, the class's author decides what is sent.
_MOST_WHOLE_BYTES = 8 << 20


class _Trial(pickle.Pickler):
    def __init__(self, file: Any, reduce: Callable[[Any], Any], take: Callable[[pickle.PickleBuffer], bool]) -> None:
        super().__init__(file, 5, buffer_callback=take)
        self._reduce = reduce

    def reducer_override(self, obj: Any, /) -> Any:
        return self._reduce(obj)


def state_with_originals(value: Any) -> Any:
    """Send what an object holds where its `__getstate__` gives copies: other names for it are to stay true."""
    cls: Any = type(value)
    is_default = cls.__reduce_ex__ is _REDUCED_BY_DEFAULT and cls.__reduce__ is object.__reduce__
    if not is_default or not any("__getstate__" in vars(base) for base in cls.__mro__[:-1]) or enum.Enum in cls.__mro__:
        return NotImplemented
    found: Any = object.__reduce_ex__(value, 5)
    function, args, state, *items = found
    held = attributes_of(value) or {}
    if type(state) is dict and state is not held:
        state = {name: held[name] if _is_copy(item, held.get(name)) else item for name, item in state.items()}
    if isinstance(state, dict | tuple) and _answers_for_missing(cls):
        return function, args, state, *items, rebuild.set_state
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
    if cls.__reduce__ is BaseException.__reduce__ and is_written_in_python(cls):
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
    return sys.getrefcount(object.__getattribute__(value, "__dict__"))


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
