"""How an object of the payload is tracked: its kind, its references, and its state."""

from __future__ import annotations

import contextvars
import copyreg
import enum
import functools
import types
import weakref
from itertools import chain
from typing import Any

from lambdamagic.codec import opened_files, unbegun
from lambdamagic.codec.class_parts import MEMBER_MACHINERY, module_of
from lambdamagic.codec.containers import (
    attributes_of,
    container_base,
    content_of,
    is_weak,
    options_of,
    slot_names,
    slot_of,
)
from lambdamagic.codec.lru_caches import remembered
from lambdamagic.codec.memory_views import parts
from lambdamagic.codec.reduce_code import is_made_by_code
from lambdamagic.codec.reduce_library import Local, Reader, Writer, held_by_csv, target_of
from lambdamagic.codec.reduce_values import variable_content
from lambdamagic.codec.transplant import holds_attributes
from lambdamagic.codec.written_classes import native_base

SKIP, LIST, DICT, SET, TUPLE, BYTES, ARRAY, FUNCTION, CELL, CLASS, INSTANCE, HOLDER, OPAQUE, CONTAINER = range(14)
OBJECTS = 14  # an array of objects
MEMBER = 15  # of an Enum class of the notebook
STATE = 16  # what an opaque object is given after it was made, if only that changed
ENDED = 21  # one of Python's own iterators of which less is left
FILE = 19  # open for reading
GENERATOR = 18  # or a coroutine
VARIABLE = 20  # a context variable
CACHE = 17  # a function of functools.lru_cache

_EXACT: dict[type, int] = {
    list: LIST,
    dict: DICT,
    set: SET,
    tuple: TUPLE,
    frozenset: TUPLE,
    bytearray: BYTES,
    types.FunctionType: FUNCTION,
    types.CellType: CELL,
    types.MethodType: HOLDER,
    functools.partial: HOLDER,
    staticmethod: HOLDER,
    classmethod: HOLDER,
    property: HOLDER,
    types.BuiltinMethodType: HOLDER,
    types.MethodWrapperType: HOLDER,
    types.MappingProxyType: HOLDER,
    type(functools.lru_cache(lambda: None)): CACHE,
    **dict.fromkeys((types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType), GENERATOR),
    **dict.fromkeys((unbegun.Lock, unbegun.RLock), SKIP),
    **dict.fromkeys(opened_files.KINDS, FILE),
    types.SimpleNamespace: INSTANCE,
    Local: INSTANCE,
    **dict.fromkeys((Reader, Writer, memoryview, *weakref.ProxyTypes), HOLDER),
    contextvars.ContextVar: VARIABLE,
    **dict.fromkeys(
        (int, float, complex, bool, str, bytes, type(None), range, slice, type(...), type(NotImplemented)), SKIP
    ),
    **dict.fromkeys((types.CodeType, types.GenericAlias), SKIP),
    types.ModuleType: INSTANCE,
}
# Modules whose value types cannot change once made.
_IMMUTABLE_MODULES = ("datetime", "decimal", "fractions", "uuid", "pathlib", "re", "zoneinfo", "ipaddress", "typing")
#: Exceptions to this.
_MUTABLE = frozenset({("decimal", "Context")})
#: Values of pandas, which since its version 3 say that they are of the modules that export them.
_OF_PANDAS = frozenset({"Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType"})


class Missing:
    """Marks an empty slot or cell."""


_kinds: dict[type, int] = dict(_EXACT)


def kind_of(cls: type) -> int:
    """Return how objects of a type are watched."""
    kind = _kinds.get(cls)
    if kind is None:
        kind = _classify(cls)
        if cls.__module__ != "__main__":
            # Classes of the notebook come and go; remembering them would keep them alive in a warm environment.
            _kinds[cls] = kind
    return kind


def _classify(cls: type) -> int:
    if issubclass(cls, type):
        return CLASS
    if issubclass(cls, enum.Enum):
        return MEMBER if cls.__module__ == "__main__" else SKIP
    module = module_of(cls)
    if module.split(".")[0] in _IMMUTABLE_MODULES and (module, cls.__name__) not in _MUTABLE:
        return SKIP
    if (module.startswith("sympy.") or not module) and any(base.__name__ == "Basic" for base in cls.__mro__):
        return SKIP  # expressions: what changes in them are caches
    if module == "numpy":
        if cls.__name__ == "ndarray":
            return ARRAY
        if any(base.__name__ == "generic" for base in cls.__mro__):
            return SKIP
    if module.startswith("pandas._libs") or (module.split(".")[0] == "pandas" and cls.__name__ in _OF_PANDAS):
        return SKIP
    if module == "ctypes":
        return OPAQUE  # a library's address is that of one process
    if container_base(cls) is not None:
        return CONTAINER
    if issubclass(cls, Local):
        return INSTANCE
    return INSTANCE if _is_plain(cls) else OPAQUE


def _is_plain(cls: Any) -> bool:
    """Return whether instances are nothing but attributes, rebuilt by pickle's default."""
    return (
        cls.__reduce_ex__ is object.__reduce_ex__
        and cls.__reduce__ is object.__reduce__
        and getattr(cls, "__getstate__", None) is getattr(object, "__getstate__", None)
        and not hasattr(cls, "__setstate__")
        and not hasattr(cls, "__getnewargs__")
        and not hasattr(cls, "__getnewargs_ex__")
        and cls not in copyreg.dispatch_table
        and native_base(cls) is object
    )


def kind_of_value(value: Any) -> int:
    """Return how an object is watched."""
    kind = kind_of(type(value))
    if kind == DICT and "__spec__" in value:
        return SKIP  # a module's namespace
    if kind == INSTANCE and type(value) is types.ModuleType and not is_made_by_code(value):
        return SKIP
    # Arrays of objects hold references, not bytes; those with objects in some fields only are compared by digest.
    if kind == ARRAY and value.dtype.hasobject:
        return OBJECTS if value.dtype.kind == "O" else OPAQUE
    return kind


def children_of(value: Any, kind: int) -> list[Any]:
    """List what an object refers to, as far as it is followed."""
    if kind in (LIST, SET, TUPLE):
        return list(value)
    if kind == DICT:
        return [*value.keys(), *value.values()]
    if kind == OBJECTS:
        listed: list[Any] = value.ravel().tolist()
        return listed
    if kind in (CELL, VARIABLE):
        return list(state_of(value, kind))
    if kind == FUNCTION:
        defaults, keywords, attributes, _, closure, named = state_of(value, kind)
        return [
            *(defaults or ()), *keywords.values(), *attributes.values(), *(closure or ()), named["__annotations__"]
        ]  # fmt: skip
    if kind == MEMBER:
        return list(state_of(value, kind)[1].values())
    if kind == GENERATOR:
        if unbegun.progress(value) != "created":
            return []
        function, args, kwargs = unbegun.call_of(value)
        return [function, *args, *kwargs.values()]
    if kind == CACHE:
        attributes, results, _, _ = state_of(value, kind)
        return [*attributes.values(), *results]
    if kind == INSTANCE:
        _, attributes, slots = state_of(value, kind)
        return [*attributes.values(), *slots]
    if kind == CONTAINER:
        _, attributes, slots, factory, *content = state_of(value, kind)
        return [*attributes.values(), *slots, factory, *chain.from_iterable(content)]
    if kind == OPAQUE and holds_attributes(type(value)):
        return [*(attributes_of(value) or {}).values(), *_slots_of(value)]
    if kind == HOLDER:
        return _held_by(value)
    return []


def _held_by(value: Any) -> list[Any]:
    if type(value) in weakref.ProxyTypes:
        return [target_of(value)]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values(), *value.__dict__.values()]
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, types.BuiltinMethodType | types.MethodWrapperType):
        return [] if isinstance(value.__self__, types.ModuleType) else [value.__self__]
    if isinstance(value, types.MappingProxyType):
        return [*value.keys(), *value.values()]
    if isinstance(value, Reader | Writer):
        return held_by_csv(value)
    if isinstance(value, memoryview):
        return list(parts(value)[:1])
    return [value.__func__]


def state_of(value: Any, kind: int) -> tuple[Any, ...]:
    """Return the changeable state of a function, a closure cell, an instance or a container, shallow and copied."""
    if kind == CELL:
        try:
            return (value.cell_contents,)
        except ValueError:
            return (Missing,)
    if kind == FUNCTION:
        return (
            value.__defaults__,
            dict(value.__kwdefaults__ or {}),
            dict(value.__dict__),
            value.__code__,
            value.__closure__,
            {name: getattr(value, name) for name in _FUNCTION_ATTRIBUTES},
        )
    if kind == VARIABLE:
        return variable_content(value) or (Missing,)
    if kind == MEMBER:
        return type(value), {name: item for name, item in value.__dict__.items() if name not in MEMBER_MACHINERY}
    if kind == CACHE:
        held = remembered(value)
        return dict(value.__dict__), held.results, held.hits, held.misses
    if is_weak(type(value)):
        return (type(value), {}, (), None, *content_of(value))
    attributes = dict(attributes_of(value) or {})
    if type(value) is types.ModuleType:
        attributes.pop("__builtins__", None)
    slots = _slots_of(value)
    if kind == CONTAINER:
        return (type(value), attributes, slots, options_of(value)[0], *content_of(value))
    return (type(value), attributes, slots)


_FUNCTION_ATTRIBUTES = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")


def _slots_of(value: Any) -> tuple[Any, ...]:
    return tuple(slot_of(value, name, Missing) for name in slot_names(type(value)))
