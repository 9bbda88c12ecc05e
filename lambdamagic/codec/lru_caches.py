"""Read and restore the content of a `functools.lru_cache`, as far as it is small and plain.

The cache cannot be reached from Python, but the garbage collector shows what it holds, and it is filled by calling the
function while the code below it returns what is to be remembered. What is large, or more than numbers, strings and
containers of them, is left out: it can be computed again.
"""

from __future__ import annotations

import contextlib
import enum
import gc
import types
from typing import Any, NamedTuple

_HASH_BY_IDENTITY: Any = object.__hash__
_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_CONTAINERS = frozenset({list, tuple, set, frozenset})
_MAX_PARTS = 1_000  # of one result
_MAX_TEXT = 100_000  # characters or bytes of one string
_MAX_ENTRIES = 100_000
_MAX_HITS = 1_000_000


class Remembered(NamedTuple):
    """The entries of a cache, oldest first, and its counters."""

    calls: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = ()
    results: tuple[Any, ...] = ()
    hits: int = 0
    misses: int = 0


def remembered(wrapper: Any) -> Remembered:
    """Return a function's cache; empty if some of it cannot be sent."""
    info = wrapper.cache_info()
    if not info.misses or info.currsize > _MAX_ENTRIES:
        return Remembered()
    held = gc.get_referents(wrapper)  # keys and results, the cache, the function, and what stands before keywords
    place = max(n for n, each in enumerate(held) if type(each) is dict and each is not wrapper.__dict__)
    cache, mark = held[place], held[place + 2]
    pairs = list(cache.items()) if info.maxsize is None else _links(held[:place], cache, type(wrapper))
    if len(pairs) != info.currsize or not all(_is_plain(key, mark) and _is_plain(value) for key, value in pairs):
        return Remembered()
    typed = wrapper.cache_parameters()["typed"]
    calls = tuple(_call(key, mark, typed=typed) for key, _ in pairs)
    return Remembered(calls, tuple(value for _, value in pairs), info.hits, info.misses)


def _links(held: list[Any], cache: dict[Any, Any], own: type) -> list[tuple[Any, Any]]:
    """Pair keys and results as the collector lists them: in the order of their last use."""
    link = type(next(iter(cache.values()), None))
    flat = [each for each in held if each is not own and each is not link]
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    return pairs if all(key in cache for key, _ in pairs) else []


def _is_plain(value: Any, mark: Any = None) -> bool:
    waiting, parts = [value], 0
    while waiting:
        each = waiting.pop()
        kind = type(each)
        parts += 1
        if parts > _MAX_PARTS:
            return False
        if kind in _CONTAINERS:
            waiting += each
        elif kind is dict:
            waiting += [*each.keys(), *each.values()]
        elif kind in (str, bytes):
            if len(each) > _MAX_TEXT:
                return False
        elif _is_of_the_notebook(kind):
            waiting += vars(each).values()
        elif kind not in _PLAIN and not isinstance(each, type) and (mark is None or each is not mark):
            return False
    return True


def _is_of_the_notebook(kind: type) -> bool:
    """Whether instances of a class are nothing but attributes, and are hashed without these."""
    return (
        kind.__module__ == "__main__"
        and kind.__hash__ is _HASH_BY_IDENTITY
        and not isinstance(kind, enum.EnumMeta)
        and kind.__dictoffset__ != 0
        and all(base is object or base.__module__ == "__main__" for base in kind.__mro__)
    )


def _call(key: Any, mark: Any, *, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments that a key was made of, as `lru_cache_make_key` in CPython's _functoolsmodule.c does."""
    if type(key) is not tuple:
        return (key,), {}
    at = next((n for n, each in enumerate(key) if each is mark), None)
    if at is None:
        return (key[: len(key) // 2] if typed else key), {}
    named = key[at + 1 :]
    if typed:
        named = named[: 2 * (len(named) - at) // 3]
    return key[:at], dict(zip(named[::2], named[1::2], strict=True))


def give(wrapper: Any, what: Remembered) -> None:
    """Fill a function's cache with the content of another's."""
    wrapper.cache_clear()
    function = wrapper.__wrapped__
    if type(function) is not types.FunctionType or not what.misses:
        return
    code = function.__code__
    try:
        for _ in range(min(what.misses - len(what.calls), _MAX_HITS)):
            _become(function, _RAISES, _MissError())
            with contextlib.suppress(_MissError):
                wrapper()
        for (args, kwargs), result in zip(what.calls, what.results, strict=True):
            _become(function, _RETURNS, result)
            wrapper(*args, **kwargs)
        if what.calls:
            args, kwargs = what.calls[-1]
            for _ in range(min(what.hits, _MAX_HITS)):
                wrapper(*args, **kwargs)
    finally:
        function.__code__ = code


class _MissError(Exception):
    """Counts as a miss that left nothing behind."""


def _returns(*args: Any, **kwargs: Any) -> Any:
    return "what is to be returned"


def _raises(*args: Any, **kwargs: Any) -> Any:
    raise "what is to be raised"  # type: ignore[misc]  # noqa: B016  # an exception is put in its place


_RETURNS, _RAISES = _returns.__code__, _raises.__code__


def _become(function: types.FunctionType, template: types.CodeType, constant: Any) -> None:
    """Let a function return or raise a constant."""
    constants = tuple(constant if str(each).startswith("what is to be") else each for each in template.co_consts)
    function.__code__ = template.replace(co_consts=constants, co_freevars=function.__code__.co_freevars)
