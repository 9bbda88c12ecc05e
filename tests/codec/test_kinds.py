"""How each type of object is watched, what it leads to, and what of it can change."""

from __future__ import annotations

import array
import collections
import contextvars
import copyreg
import csv
import ctypes
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import pathlib
import re
import threading
import types
import typing
import uuid
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdamagic.codec import kinds
from lambdamagic.codec.kinds import Missing, children_of, kind_of, kind_of_value, state_of


class Plain:
    """Nothing but attributes."""

    def method(self) -> None:
        """Do nothing."""


class Slotted:
    """Has slots."""

    __slots__ = ("__dict__", "empty", "slot")


class Color(enum.Enum):
    """A library's Enum."""

    RED = 1


class Own(dict):
    """A container with attributes."""


class Locals(threading.local):
    """A class of thread-local attributes."""


class Registered:
    """Its pickling is registered."""


def _made(name: str = "Made", base: type = object, **attributes: Any) -> Any:
    return type(name, (base,), {"__module__": "somewhere", **attributes})


_HOOKS = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")


def _hooked(hook: str) -> Any:
    cls = _made(**{hook: lambda *args: ()})
    return object.__new__(cls)


def _function(a: Any, *, b: Any = 1) -> Any:
    yield a


async def _coroutine(a: Any) -> Any:
    return a


_KINDS: list[tuple[int, list[Any]]] = [
    (kinds.LIST, [[]]),
    (kinds.DICT, [{}]),
    (kinds.SET, [set()]),
    (kinds.TUPLE, [(), frozenset()]),
    (kinds.BYTES, [bytearray()]),
    (kinds.FUNCTION, [_function]),
    (kinds.CELL, [types.CellType(1)]),
    (kinds.CLASS, [Plain, type, Color, int]),
    (kinds.CACHE, [functools.lru_cache(print)]),
    (kinds.GENERATOR, [_function(1)]),
    (kinds.VARIABLE, [contextvars.ContextVar("x")]),
    (
        kinds.HOLDER,
        [Plain().method, functools.partial(print), staticmethod(print), classmethod(print), property(print), [].append,
         [].__len__, types.MappingProxyType({}), csv.reader([]), csv.writer(io.StringIO()), memoryview(b""),
         weakref.proxy(Plain)],
    ),
    (kinds.INSTANCE, [Plain(), Slotted(), types.SimpleNamespace(), Locals(), threading.local(), types.ModuleType("m")]),
    (kinds.CONTAINER, [Own(), collections.Counter(), collections.deque(), weakref.WeakSet(), _made(base=list)()]),
    (
        kinds.SKIP,
        [1, 1.5, 1j, True, "a", b"a", None, range(1), slice(1), ..., NotImplemented, threading.Lock(),
         threading.RLock(), _function.__code__, list[int], Color.RED, datetime.date(2020, 1, 1), decimal.Decimal(1),
         fractions.Fraction(1), uuid.UUID(int=1), pathlib.Path("a"), re.compile("a"), typing.Literal[1],
         np.float64(1), np.bool_(1), pd.Timestamp(0), pd.Timedelta(1), pd.NaT, pd.NA, pd.Period("2020"),
         pd.Interval(0, 1), pd.offsets.Day(1), {"__spec__": None}, types],
    ),
    (kinds.ARRAY, [np.zeros(1), np.zeros(1, "S3")]),
    (kinds.OBJECTS, [np.zeros(1, object)]),
    (
        kinds.OPAQUE,
        [array.array("d"), itertools.count(), np.zeros(1, [("a", object), ("b", int)]), np.zeros(1).view(np.matrix),
         decimal.Context(), ctypes.c_int(1), ctypes.CDLL(None), np.dtype("f8"), pd.Series([1]), pd.Index([1]),
         Registered(), *(_hooked(hook) for hook in _HOOKS)],
    ),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    copyreg.pickle(Registered, lambda value: (Registered, ()))  # type: ignore[arg-type]  # typeshed's form is narrower
    yield
    del copyreg.dispatch_table[Registered]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(("kind", "number"), [(kind, n) for kind, values in _KINDS for n in range(len(values))])
def test_how_an_object_is_watched(kind: int, number: int) -> None:
    """By its type, and by what it is of that type."""
    value = dict(_KINDS)[kind][number]
    assert kind_of_value(value) == kind


def test_names_that_are_alike_are_no_reason() -> None:
    """A class is what its module's name is, not what it begins with."""
    for module, name in (
        ("datetimes", "X"), ("my.datetime", "X"), ("pandas_more", "Timestamp"), ("pandas", "Other"),
        ("sympy.core", "Other"), ("sympyx", "Basic"), ("numpy.more", "ndarray"), ("numpyx", "generic"),
        ("ctypesx", "X"),
    ):  # fmt: skip
        assert kind_of(_made(name, __module__=module)) == kinds.INSTANCE, (module, name)
    assert kind_of(_made("Basic", __module__="sympy.core")) == kinds.SKIP
    assert kind_of(_made("Basic", __module__=None)) == kinds.SKIP, "sympy makes classes without a module"
    assert kind_of(_made("X", __module__=None)) == kinds.INSTANCE
    assert kind_of(_made("X", __module__="ctypes")) == kinds.OPAQUE


def test_classes_of_the_notebook_are_not_kept() -> None:
    """They come and go; of others it is known from then on."""
    ours, theirs = _made(__module__="__main__"), _made()
    member: Any = enum.Enum("member", {"A": 1}, module="__main__")
    for cls, kind in ((ours, kinds.INSTANCE), (theirs, kinds.INSTANCE), (member, kinds.MEMBER)):
        assert kind_of(cls) == kind
    assert (ours in kinds._kinds, theirs in kinds._kinds) == (False, True)


def _held(value: Any) -> list[Any]:
    return children_of(value, kind_of_value(value))


def _with(value: Any, **attributes: Any) -> Any:
    for name, each in attributes.items():
        setattr(value, name, each)
    return value


def _closure(held: Any) -> Any:
    def inner(default: Any = "d", *, keyword: Any = "k") -> Any:
        return held

    inner.mark = "m"  # type: ignore[attr-defined]
    inner.__annotations__ = {"x": int}
    return inner


def test_what_leads_on() -> None:
    """Each part that an object refers to, as far as it is followed."""
    one, two = object(), object()
    for value, expected in [
        ([one, two], [one, two]),
        ({one}, [one]),
        ((one,), [one]),
        ({"a": one}, ["a", one]),
        (np.array([[one], [two]], dtype=object), [one, two]),
        (np.zeros(2), []),
        (types.CellType(one), [one]),
        (types.CellType(), [Missing]),
        (_with(Plain(), a=one), [one]),
        (_with(Slotted(), a=one, slot=two), [one, Missing, two]),
        (_with(Own(k=one), a=two), [two, None, "k", one]),
        (collections.defaultdict(int, a=one), [int, "a", one]),
        (functools.partial(print, one, end=two), [print, one, two]),
        (_with(functools.partial(print), a=one), [print, one]),
        (staticmethod(print), [print]),
        (types.MappingProxyType({"a": one}), ["a", one]),
        (property(print, repr, str), [print, repr, str]),
        (len, []),
        (5, []),
        (array.array("d"), []),
    ]:  # fmt: skip
        found = _held(value)
        assert len(found) == len(expected), value
        assert all(each is other or each == other for each, other in zip(found, expected, strict=True)), value


def test_what_holds_one_object() -> None:
    """Methods, views, proxies and readers."""
    plain, items, data = Plain(), [1], bytearray(b"a")
    assert _held(plain.method) == [plain, Plain.method]
    assert _held(items.append)[0] is items
    assert _held(items.__len__)[0] is items
    assert _held(weakref.proxy(plain))[0] is plain
    assert _held(memoryview(data))[0] is data
    assert len(_held(memoryview(data))) == 1
    reader = csv.reader(lines := iter(["a"]))
    assert any(each is lines for each in _held(reader))


def test_what_functions_lead_to() -> None:
    """Defaults, keywords, attributes, closures and annotations; a cache's results, and what a call was given."""
    function = _closure("held")
    assert _held(function) == ["d", "k", "m", function.__closure__[0], {"x": int}]
    assert _held(Plain.method) == [Plain.method.__annotations__]
    cached = functools.lru_cache(lambda x: x + 1)
    cached(1)
    cached.mark = "m"  # type: ignore[attr-defined]
    assert _held(cached)[-2:] == ["m", 2]
    made = _function("a", b="b")
    assert _held(made) == [_function, "a", "b"]
    next(made)
    assert _held(made) == []


def test_what_opaque_objects_lead_to() -> None:
    """Their attributes and slots, if no part of them is in C."""
    kind = _made(__reduce__=lambda self: (kind, ()), __slots__=("__dict__", "slot"))
    assert _held(_with(kind(), a="a", slot="s")) == ["a", "s"]
    assert _held(_made(__reduce__=lambda self: (), __slots__=("slot",))()) == [Missing]
    assert _held(_with(_made(base=bytes)(), a="a")) == []


def test_members_of_an_enum_of_the_notebook() -> None:
    """Their attributes beyond those of any Enum."""
    member: Any = enum.Enum("member", {"A": 1}, module="__main__").A  # type: ignore[attr-defined]
    member.mark = "m"
    assert _held(member) == ["m"]
    assert state_of(member, kinds.MEMBER) == (type(member), {"mark": "m"})


def test_the_state_of_a_function() -> None:
    """All that code can set."""
    function = _closure("held")
    defaults, keywords, attributes, code, closure, named = state_of(function, kinds.FUNCTION)
    assert (defaults, keywords, attributes) == (("d",), {"keyword": "k"}, {"mark": "m"})
    assert (code, closure) == (function.__code__, function.__closure__)
    names = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")
    assert named == {name: getattr(function, name) for name in names}
    assert state_of(Plain.method, kinds.FUNCTION)[:3] == (None, {}, {})
    attributes["new"] = keywords["new"] = 1
    assert state_of(function, kinds.FUNCTION)[1:3] == ({"keyword": "k"}, {"mark": "m"})


def test_the_state_of_variables() -> None:
    """What is in them, or that there is nothing."""
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("x")
    assert state_of(variable, kinds.VARIABLE) == (Missing,)
    variable.set(None)
    assert state_of(variable, kinds.VARIABLE) == (None,)
    assert _held(variable) == [None]
    assert state_of(types.CellType(), kinds.CELL) == (Missing,)
    assert state_of(types.CellType(None), kinds.CELL) == (None,)


def test_the_state_of_instances_and_containers() -> None:
    """Copied, so that a change is seen; a module's without Python's builtins, a weak container's content alone."""
    value = _with(Slotted(), a=1, slot=2)
    before = state_of(value, kinds.INSTANCE)
    value.b = 3
    assert before == (Slotted, {"a": 1}, (Missing, 2))
    assert state_of(_with(Own(k=1), a=2), kinds.CONTAINER) == (Own, {"a": 2}, (), None, ("k",), (1,))
    found = state_of(collections.defaultdict(int, a=1), kinds.CONTAINER)
    assert found == (collections.defaultdict, {}, (), int, ("a",), (1,))
    module = types.ModuleType("m")
    exec("x = 1", vars(module))
    names = state_of(module, kinds.INSTANCE)[1]
    assert (names["x"], "__builtins__" in names, "__builtins__" in vars(module)) == (1, False, True)
    assert "__builtins__" in state_of(_with(Plain(), __builtins__=1), kinds.INSTANCE)[1]
    held = Plain()
    assert state_of(weakref.WeakSet([held]), kinds.CONTAINER) == (weakref.WeakSet, {}, (), None, (held,))


def test_the_state_of_a_cache() -> None:
    """Its results and its counters."""
    cached = functools.lru_cache(lambda x: x + 1)
    for _ in range(3):
        cached(1)
    attributes, results, hits, misses = state_of(cached, kinds.CACHE)
    assert (results, hits, misses) == ((2,), 2, 1)
    assert attributes == vars(cached)
