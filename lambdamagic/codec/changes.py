"""In-place changes: the state that is sent of a changed object, and how it is applied to another."""

from __future__ import annotations

import builtins
import contextlib
import itertools
import operator
import pickle
import warnings
from collections import defaultdict, deque
from typing import Any

from lambdamagic.codec import containers, kinds, lru_caches, opened_files
from lambdamagic.codec.class_parts import ABC_MEMBERSHIP, ABC_REGISTRY, MEMBER_MACHINERY, setter_of
from lambdamagic.codec.placeholder import Placeholder
from lambdamagic.codec.rebuild import is_with_constants, scope_of_builtins, set_quietly, with_constants
from lambdamagic.codec.reduce_code import FunctionGlobals
from lambdamagic.codec.reducers import Rewritten, reduced
from lambdamagic.codec.tracking import Deleted, Tracked
from lambdamagic.codec.transplant import transplant_for
from lambdamagic.codec.unbegun import progress
from lambdamagic.codec.written_as import Called


def state_to_send(item: Tracked) -> Any:
    """Copy the state shallowly: the object itself would be written as a number."""
    value, kind = item.value, item.kind
    if kind == kinds.DICT:
        return without_builtins(value)
    if kind in (kinds.LIST, kinds.SET):
        return value.copy()
    if kind == kinds.CACHE:
        return tuple(lru_caches.remembered(value)), dict(value.__dict__)
    if kind == kinds.BYTES:
        return pickle.PickleBuffer(bytes(value))
    if kind in (kinds.ARRAY, kinds.OBJECTS):
        return value.view(), value.flags.writeable
    if kind == kinds.STATE:
        return reduced(value)[2]
    if kind == kinds.GENERATOR:
        return _Ended(value)
    if kind == kinds.FILE:
        return opened_files.position(value)
    if kind == kinds.ENDED:
        return operator.length_hint(value)
    if kind == kinds.OPAQUE:
        return Rewritten(value)
    state = kinds.state_of(value, kind)
    if kind == kinds.MEMBER:
        return state[1]
    if kind == kinds.FUNCTION:
        code = None if state[3] is item.before[3] else state[3]
        named = {name: value for name, value in state[5].items() if value is not item.before[5][name]}
        return (*state[:3], code, named)
    if kind in (kinds.CELL, kinds.VARIABLE):
        return () if state[0] is kinds.Missing else state
    cls, attributes, slots, *rest = state
    names = containers.slot_names(type(value))
    held = {name: item for name, item in zip(names, slots, strict=True) if item is not kinds.Missing}
    return (cls, attributes, held, *rest)


def without_builtins(value: dict[Any, Any]) -> dict[Any, Any]:
    """Copy a dictionary; where code was run in it, Python's builtins are those of the reader."""
    found = value.copy()
    if found.get("__builtins__") is vars(builtins):
        found["__builtins__"] = Called(scope_of_builtins)
    return found


def apply(target: Any, kind: int, state: Any) -> None:
    """Give an object the state that `state_to_send` took from another.

    Raises:
        TypeError, ValueError, AttributeError, LookupError, BufferError: It does not take it.
    """
    if isinstance(state, Placeholder):
        raise TypeError(state.described()[1])
    if type(target) is FunctionGlobals:  # `isinstance` would run a `__getattribute__`
        function: Any = target.function
        first, target = {"__builtins__": function.__builtins__}, function.__globals__
        state = {**first, **state, **first}  # code that is run in a dictionary finds them, or puts them there first
    if kind == kinds.LIST:
        target[:] = state
    elif kind in (kinds.DICT, kinds.SET):
        target.clear()
        target.update(state)
    elif kind == kinds.BYTES:
        target[:] = state
    elif kind in (kinds.ARRAY, kinds.OBJECTS):
        _apply_array(target, *state)
    elif kind == kinds.VARIABLE:
        if state:
            target.set(state[0])
    elif kind == kinds.CELL:
        if state:
            target.cell_contents = state[0]
        else:
            del target.cell_contents
    elif kind == kinds.FUNCTION:
        target.__defaults__, target.__kwdefaults__ = state[0], state[1] or None
        target.__dict__.clear()
        target.__dict__.update(state[2])
        if state[3] is not None:
            target.__code__ = state[3]
        for name, value in state[4].items():
            setattr(target, name, value)
    elif kind == kinds.MEMBER:
        _apply_member(target, state)
    elif kind == kinds.CACHE:
        lru_caches.give(target, lru_caches.Remembered(*state[0]))
        target.__dict__.update(state[1])
    elif kind == kinds.FILE:
        opened_files.move(target, state)
    elif kind == kinds.GENERATOR:
        _end(target)
    elif kind == kinds.ENDED:
        if type(target) is itertools.chain:
            set_quietly(target, (iter(()),))  # its parts may be generators, which end by themselves
        else:
            deque(itertools.islice(target, operator.length_hint(target) - state) if state else target, maxlen=0)
    elif kind == kinds.STATE:
        set_quietly(target, state)
    elif kind == kinds.INSTANCE:
        _apply_instance(target, *state)
    elif kind == kinds.OPAQUE:
        transplant = transplant_for(type(target))
        assert transplant is not None, "the other side asked the same question"
        transplant(target, state)
    elif kind == kinds.CONTAINER:
        cls, attributes, slots, default_factory, *content = state
        if not containers.is_weak(cls):
            _apply_instance(target, cls, attributes, slots)
        if isinstance(target, defaultdict):
            target.default_factory = default_factory
        containers.fill(target, tuple(content))


def _apply_instance(target: Any, cls: type, attributes: dict[str, Any], slots: dict[str, Any]) -> None:
    if type(target) is not cls and type(target).__qualname__ != cls.__qualname__:
        object.__setattr__(target, "__class__", cls)
    held = containers.attributes_of(target)
    if held is not None:
        module = is_with_constants(cls)
        held.clear()
        held.update(attributes if module is None else with_constants(attributes, module))
    for name in containers.slot_names(type(target)):
        if name in slots:
            object.__setattr__(target, name, slots[name])
        elif containers.slot_of(target, name, kinds.Missing) is not kinds.Missing:
            object.__delattr__(target, name)


class _Ended:
    """The state of a generator that ended; one that has only begun cannot be pickled."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __reduce__(self) -> Any:
        if progress(self._generator) != "closed":
            raise TypeError(f"a {type(self._generator).__name__} that has begun cannot be sent")
        return bool, ()


def _end(target: Any) -> None:
    if hasattr(target, "close"):
        target.close()  # no code of it runs, as it has not begun here
    else:
        # An asynchronous generator ends in an event loop: by hand where there is none to wait for.
        with contextlib.suppress(StopIteration, StopAsyncIteration):
            target.aclose().send(None)


def _apply_array(target: Any, content: Any, writeable: bool) -> None:
    if target.shape != content.shape:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy would rather have a new array; this is to stay the same one
            target.shape = content.shape
    if not target.flags.writeable:
        target.flags.writeable = True
    target[...] = content
    target.flags.writeable = writeable


def _apply_member(target: Any, attributes: dict[str, Any]) -> None:
    for name in set(target.__dict__) - MEMBER_MACHINERY - set(attributes):
        del target.__dict__[name]
    target.__dict__.update(attributes)


def apply_class(cls: type, changes: dict[str, Any]) -> None:
    """Change a class; see `tracking.class_changes`."""
    for name, value in changes.items():
        if name == ABC_REGISTRY:
            for virtual in value:
                cls.register(virtual)  # type: ignore[attr-defined]  # only classes of ABCMeta have a registry
        elif name == ABC_MEMBERSHIP:
            for base in value:
                base.register(cls)
        elif value is Deleted:
            setter_of(cls).__delattr__(cls, name)
        else:
            setter_of(cls).__setattr__(cls, name, value)
