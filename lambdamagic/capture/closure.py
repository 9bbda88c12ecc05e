"""From a value of the notebook to the notebook code that it holds, which reads the notebook's names in turn.

Only looks: calls no method of the user's, so that capture changes nothing. The work is bounded; anything beyond
the bounds is not in `visited_functions`: what the encoder then meets is planned by `plan_met`.
"""

from __future__ import annotations

import builtins
import functools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import (
    BuiltinFunctionType,
    CodeType,
    EllipsisType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    NoneType,
    NotImplementedType,
)
from typing import Any, NamedTuple

from lambdamagic.capture.modules import contents
from lambdamagic.codec.home import MAIN_NAMES
from lambdamagic.codec.module_names import NAMES
from lambdamagic.codec.shared import Shared

_MAX_DEPTH = 8
_MAX_VALUES = 5_000  # visited one by one
_MAX_LOOKED_AT = 100_000  # elements of one container of which the type is looked at, in C
_MAX_FOLLOWED = 1_000  # elements of one container that are visited

# Exact types that hold no code and come with every Python.
_LEAVES: frozenset[type] = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, range, slice, memoryview, object}
    | {NoneType, EllipsisType, NotImplementedType, CodeType}
)
_SEQUENCES = (list, tuple, set, frozenset, deque)
_WRAPPERS = (staticmethod, classmethod)
_PARTIALS = (functools.partial, functools.partialmethod)
_FOLLOWED = (
    FunctionType, MethodType, BuiltinFunctionType, ModuleType, type, property, dict, MappingProxyType,
    functools.cached_property, functools.singledispatchmethod, *_SEQUENCES, *_WRAPPERS, *_PARTIALS,
)  # fmt: skip
_LRU_CACHE = type(functools.lru_cache(maxsize=None)(int))
_CLASS_MODULE = type.__dict__["__module__"]
_CLASS_BOOKKEEPING = frozenset({"__annotations__", "__module__", "__doc__", "__dict__", "__weakref__", "__qualname__"})


class Reach(NamedTuple):
    """The functions and modules reachable from a value.

    Attributes:
        functions: Functions whose globals are the notebook's.
        modules: Full names of the modules that the value needs by reference, with what needs them.
    """

    functions: tuple[FunctionType, ...]
    modules: dict[str, str]


_NOTHING = Reach((), {})


def reach(value: object, namespace: Mapping[str, Any]) -> Reach:
    """Return the notebook's functions and the modules that are reachable from the value.

    Args:
        value: Any value of the notebook; it is not changed, and none of its methods is called.
        namespace: The notebook's globals.
    """
    if type(value) in _LEAVES:
        return _NOTHING
    NAMES.refresh()
    return _Walk(namespace).run(value)


def is_notebook_function(fn: FunctionType, namespace: Mapping[str, Any]) -> bool:
    """Whether the function's globals are the notebook's."""
    return fn.__globals__ is namespace or fn.__globals__.get("__name__") in MAIN_NAMES


class _Walk:
    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.functions: list[FunctionType] = []
        self.modules: dict[str, str] = {}
        self.seen = {id(vars(builtins))}  # `exec` puts them into the dictionary that it runs code in

    def run(self, value: object) -> Reach:
        waiting: deque[tuple[object, int]] = deque([(value, 0)])
        left = _MAX_VALUES
        while waiting and left:
            value, depth = waiting.popleft()
            if id(value) in self.seen or type(value) in _LEAVES:
                continue
            self.seen.add(id(value))
            left -= 1
            owner = NAMES.of(value)
            if owner is not None:
                self.needs(owner[0], f"{owner[1]} of it")
                continue
            # Children of functions and classes are always near; the depth bounds nests of containers.
            if depth <= _MAX_DEPTH:
                waiting.extend((child, depth + 1) for child in self.children(value))
        return Reach(tuple(self.functions), self.modules)

    def needs(self, module: object, why: str) -> None:
        if isinstance(module, str) and module != "builtins" and module not in MAIN_NAMES:
            self.modules.setdefault(module, why)

    def children(self, value: Any) -> Iterable[object]:
        # type(), not isinstance(): a proxy's __class__ is the user's code.
        kind = type(value)
        if kind is FunctionType:
            return self.of_function(value)
        if kind is MethodType:
            return (value.__func__, value.__self__)
        if kind is BuiltinFunctionType:
            self.needs(value.__module__, f"function {value.__name__}")
            return (value.__self__,)
        if issubclass(kind, ModuleType):
            name = contents(value).get("__name__")
            self.needs(name, f"module {name}")
            return ()
        if issubclass(kind, type):
            return self.of_class(value)
        if issubclass(kind, _WRAPPERS):
            return (value.__func__,)
        if issubclass(kind, property):
            return (value.fget, value.fset, value.fdel)
        found: list[object] = []
        if issubclass(kind, _PARTIALS):
            found += [value.func, *value.args, *value.keywords.values()]
        elif kind is functools.cached_property:
            found.append(value.func)
        elif kind is functools.singledispatchmethod:
            found += [value.func, value.dispatcher]
        elif issubclass(kind, dict):
            found += [*self.among(lambda: dict.__iter__(value)), *self.among(lambda: iter(dict.values(value)))]
            if issubclass(kind, defaultdict):
                found.append(value.default_factory)
        elif kind is MappingProxyType:
            found += self.among(lambda: iter(value.values()))
        elif issubclass(kind, _SEQUENCES):
            found += self.among(lambda: _base_iterator(value))
        found += self.of_instance(value, kind)
        return found

    def of_function(self, fn: FunctionType) -> Iterator[object]:
        if is_notebook_function(fn, self.namespace):
            self.functions.append(fn)
        else:
            self.needs(fn.__globals__.get("__name__"), f"function {fn.__qualname__}")
            # A function that its module's namespace holds goes by reference; one made inside another goes by value.
            if "<locals>" not in fn.__qualname__ and fn.__module__ not in MAIN_NAMES:
                return
        for cell in fn.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not yet filled
                continue
        yield from fn.__defaults__ or ()
        yield from (fn.__kwdefaults__ or {}).values()
        yield from vars(fn).values()
        for annotation in fn.__annotations__.values():
            # They are sent with the function, though no code of them runs: only where they come from matters.
            kind = annotation if issubclass(type(annotation), type) else type(annotation)
            self.needs(_module_of(kind), f"annotation of {fn.__qualname__}")

    def of_class(self, cls: type) -> Iterator[object]:
        self.needs(_module_of(cls), f"class {cls.__qualname__}")
        if _module_of(cls) not in MAIN_NAMES:
            return
        members = [value for name, value in vars(cls).items() if name not in _CLASS_BOOKKEEPING]
        yield from self.among(lambda: iter(members))
        yield from cls.__bases__
        yield type(cls)

    def of_instance(self, value: object, kind: type) -> Iterator[object]:
        self.needs(_module_of(kind), f"an instance of {kind.__qualname__}")
        try:
            attributes = object.__getattribute__(value, "__dict__")
        except AttributeError:
            return
        if type(attributes) is not dict:
            return
        if _module_of(kind) in MAIN_NAMES:
            yield kind
            yield from self.among(lambda: iter(attributes.values()))
        elif "__wrapped__" in attributes:  # functools.lru_cache and other decorators that are objects
            yield attributes["__wrapped__"]

    def among(self, iterate: Callable[[], Iterator[object]]) -> list[object]:
        """Return those of the values that can lead to code; the types decide, so a million floats cost little."""
        followed = set()
        for kind in set(map(type, islice(iterate(), _MAX_LOOKED_AT))) - _LEAVES:
            if _leads_to_code(kind):
                followed.add(kind)
            else:
                self.needs(_module_of(kind), f"an instance of {kind.__qualname__}")
        if not followed:
            return []
        head = islice(iterate(), _MAX_LOOKED_AT)
        return list(islice((value for value in head if type(value) in followed), _MAX_FOLLOWED))


def _leads_to_code(kind: type) -> bool:
    return (
        issubclass(kind, _FOLLOWED) or _module_of(kind) in MAIN_NAMES or kind is _LRU_CACHE or issubclass(kind, Shared)
    )


def _module_of(cls: type) -> object:
    # type's own slot: a metaclass can define __module__ as it likes.
    return _CLASS_MODULE.__get__(cls)


def _base_iterator(value: Any) -> Iterator[object]:
    for base in _SEQUENCES:
        if issubclass(type(value), base):
            return base.__iter__(value)
    raise AssertionError("only called for a subclass of a sequence")
