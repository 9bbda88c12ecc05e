"""How locks, matches, caches, files and other objects of the standard library are pickled."""

from __future__ import annotations

import _queue
import _struct
import contextvars
import functools
import gc
import io
import itertools
import operator
import re
import sys
import types
import typing
import warnings
import weakref
from typing import Any

from lambdamagic.codec import lru_caches, opened_files, rebuild, unbegun
from lambdamagic.codec.containers import WEAK, content_of
from lambdamagic.codec.writing import Rule, Writing

_DATACLASS_SENTINELS = ("MISSING", "KW_ONLY", "_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR", "_HAS_DEFAULT_FACTORY")


def _lru_cache(writing: Writing, value: Any) -> Any:
    if writing.is_importable(value, value.__module__, value.__qualname__):
        return NotImplemented
    # functools.update_wrapper put the wrapped function's attributes here; they come again with it.
    attributes = {name: item for name, item in value.__dict__.items() if name != "__wrapped__"}
    attributes.pop("cache_parameters", None)
    arguments = (value.__wrapped__, value.cache_parameters(), attributes)
    held = lru_caches.remembered(value)
    return (
        rebuild.lru_cache,
        arguments,
        *((tuple(held), None, None, rebuild.set_lru_cache) if held.misses else ()),
    )


def _cached_property(writing: Writing, value: functools.cached_property[Any]) -> Any:
    return rebuild.cached_property, (value.func, value.attrname, value.__doc__)


def dataclass_sentinel(value: Any) -> Any:
    """Return how a sentinel of the module `dataclasses` is written; None for another object of it."""
    for name in _DATACLASS_SENTINELS:
        if getattr(sys.modules["dataclasses"], name, None) is value:
            return rebuild.dataclass_sentinel, (name,)
    return None


def _type_variable(writing: Writing, value: Any) -> Any:
    if writing.is_importable(value, value.__module__, value.__name__):
        return NotImplemented
    constraints: tuple[Any, ...] = ()
    options: dict[str, Any] = {}
    kind = type(value).__name__
    if kind == "TypeVar":
        constraints = value.__constraints__
        options = {"covariant": value.__covariant__, "contravariant": value.__contravariant__}
        if value.__bound__ is not None:
            options["bound"] = value.__bound__
    elif kind == "NewType":
        constraints = (value.__supertype__,)
    if getattr(value, "__infer_variance__", False):  # a type parameter of Python 3.12
        options = {name: held for name, held in options.items() if name == "bound"} | {"infer_variance": True}
    if getattr(value, "has_default", bool)():  # since Python 3.13
        options["default"] = value.__default__
    return rebuild.type_variable, (kind, value.__name__, constraints, options)


def _union(writing: Writing, value: Any) -> Any:
    # `typing` remembers for a while what it has made, and `Optional[int]` apart from `Union[int, None]`.
    args = value.__args__
    if len(args) == 2 and args[1] is type(None):
        return operator.getitem, (typing.Optional, args[0])
    return NotImplemented


def _type_alias(writing: Writing, value: Any) -> Any:
    if value.__type_params__ or not value.__name__.isidentifier():
        return rebuild.type_alias, (value.__name__, value.__value__, value.__type_params__)
    return rebuild.lazy_alias, (value.__name__,), (value.__value__,), None, None, rebuild.set_alias


def _weak(writing: Writing, value: Any) -> Any:
    return rebuild.weak_container, (type(value),), content_of(value), None, None, rebuild.set_weak


def _weak_reference(writing: Writing, value: weakref.ref[Any]) -> Any:
    return rebuild.weak_reference, (value(),)


def _generator(writing: Writing, value: Any) -> Any:
    if unbegun.progress(value) == "closed":
        return rebuild.ended, (type(value).__name__, value.__name__, value.__qualname__)
    function, args, kwargs = unbegun.call_of(value)
    return rebuild.called, (function, args, kwargs, value.__name__, value.__qualname__)


def _lock(writing: Writing, value: Any) -> Any:
    if not unbegun.is_unlocked(value):
        raise TypeError(f"cannot pickle '_thread.{type(value).__name__}' object: it is locked")
    return rebuild.lock, (type(value).__name__,)


def _match(writing: Writing, value: re.Match[str]) -> Any:
    name, start = unbegun.search_of(value)
    return rebuild.match, (value.re, name, value.string, start, value.endpos)


def _simple_queue(writing: Writing, value: Any) -> Any:
    items = []
    while not value.empty():
        items.append(value.get())
    for item in items:
        value.put(item)
    return rebuild.simple_queue, (), items, None, None, rebuild.set_simple_queue


def _file(writing: Writing, value: Any) -> Any:
    name = getattr(value, "name", None)
    if writing.home.answers and name in ("<stdout>", "<stderr>"):
        return rebuild.stream, (name[1:-1],)
    if type(value) is io.TextIOWrapper and not value.closed and type(value.buffer) is io.BytesIO:
        value.flush()
        return rebuild.text_over_bytes, (value.buffer, value.encoding, value.errors, opened_files.position(value))
    return rebuild.opened_file, opened_files.taken(value)


def _context_variable(writing: Writing, value: contextvars.ContextVar[Any]) -> Any:
    if writing.is_importable(value, getattr(value, "__module__", None), value.name):
        return NotImplemented
    default = variable_content(value, contextvars.Context())
    return rebuild.context_variable, (value.name, default, variable_content(value))


def reduced_quietly(value: Any) -> Any:
    """Take apart one of itertools' objects: since Python 3.12 that warns, which code that sends none need not see."""
    if type(value) is itertools.pairwise:
        return _pairwise(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return value.__reduce_ex__(5)


def _of_itertools(writing: Writing, value: Any) -> Any:
    found = reduced_quietly(value)
    return (*found[:3], None, None, rebuild.set_quietly) if found[2:3] not in ((), (None,)) else found


def _pairwise(value: Any) -> Any:
    """Begin with the item that is already read, of which the next pair is made; only the collector shows it."""
    held = [each for each in gc.get_referents(value) if each is not itertools.pairwise]
    source, *before = held[: len(held) - _PAIRS_HELD] or ((),)
    return itertools.pairwise, (itertools.chain(before, source) if before else source,)


#: Since Python 3.13 it holds the pair that it gave, for the next.
_PAIRS_HELD = sum(type(each) is tuple for each in gc.get_referents(itertools.pairwise(())))


def _key_wrapper(writing: Writing, value: Any) -> Any:
    compare = next((each for each in gc.get_referents(value) if callable(each) and not isinstance(each, type)), None)
    return NotImplemented if compare is None else (functools.cmp_to_key, (compare,))


def variable_content(
    variable: contextvars.ContextVar[Any], context: contextvars.Context | None = None
) -> tuple[Any, ...]:
    """Return what a context variable holds here, or in a context, as a tuple; an empty one for nothing."""
    try:
        return (variable.get() if context is None else context.run(variable.get),)
    except LookupError:
        return ()


RULES: dict[type, Rule] = {
    types.GeneratorType: _generator,
    types.CoroutineType: _generator,
    types.AsyncGeneratorType: _generator,
    unbegun.Lock: _lock,
    unbegun.RLock: _lock,
    re.Match: _match,
    contextvars.ContextVar: _context_variable,
    _struct.Struct: lambda _, value: (_struct.Struct, (value.format,)),
    type(functools.cmp_to_key(lambda a, b: 0)): _key_wrapper,
    **dict.fromkeys(opened_files.KINDS, _file),
    _queue.SimpleQueue: _simple_queue,
    weakref.ref: _weak_reference,
    **dict.fromkeys([each for each in vars(itertools).values() if isinstance(each, type)], _of_itertools),
    **dict.fromkeys(WEAK, _weak),
    functools.cached_property: _cached_property,
    type(functools.lru_cache(lambda: None)): _lru_cache,
    typing.TypeVar: _type_variable,
    typing.ParamSpec: _type_variable,
    typing.TypeVarTuple: _type_variable,
    typing.NewType: _type_variable,
    type(typing.Union[int, str]): _union,  # noqa: UP007  # this very type
}
if hasattr(typing, "TypeAliasType"):
    RULES[typing.TypeAliasType] = _type_alias
