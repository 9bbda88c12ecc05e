"""New content is moved into an existing object, where its kind is known."""

from __future__ import annotations

import array
import ctypes
import decimal
import pickle
import queue
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdamagic.codec.transplant import holds_attributes, transplant_for


class _Random(random.Random):
    pass


class _Slots:
    __slots__ = ("a", "b")


class _Held(_Slots):
    __slots__ = ("__dict__",)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value * 2 if isinstance(value, int) else value)

    def __delattr__(self, name: str) -> None:
        raise AssertionError


class _Leaves:
    def __getstate__(self) -> Any:
        return {"a": self.a}  # type: ignore[attr-defined]


class _Frame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
    _metadata = ["unit"]  # noqa: RUF012  # as pandas has it


def _random(seed: int, cls: Any = random.Random) -> Any:
    found = cls(seed)
    found.random()
    found.gauss()
    return found


def _queue(*items: Any) -> Any:
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for item in items:
        found.put(item)
    return found


def _all(value: Any) -> list[Any]:
    return [value.get() for _ in range(value.qsize())]


def _generator(seed: int, kind: Any) -> Any:
    found = np.random.Generator(kind(seed))
    found.random()
    return found


def _legacy(seed: int) -> Any:
    found = np.random.RandomState(seed)
    found.randn()  # the second of its pair is kept
    return found


def _with(made: Any, **held: Any) -> Any:
    for name, value in held.items():
        object.__setattr__(made, name, value)
    return made


def _structure(**values: int) -> Any:
    return _with(_Pair(**values), note=[values])


class _Pair(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int))


def _attributes(value: Any) -> dict[str, Any]:
    slots = {name: getattr(value, name) for name in ("a", "b") if hasattr(value, name)}
    return {**getattr(value, "__dict__", {}), **slots}


def _frame(unit: str, **columns: Any) -> Any:
    found = _Frame(columns)
    found.attrs["source"] = unit
    found.flags.allows_duplicate_labels = unit == "m"
    return _with(found, unit=unit)


_KINDS: dict[str, tuple[Any, Any, Any]] = {
    "random": (_random(1), _random(2), lambda x: (x.random(), x.gauss())),
    "a class of random": (
        _with(_random(1, _Random), a=1), _with(_random(2, _Random), a=2, b=3), lambda x: (x.random(), vars(x))
    ),
    "array": (array.array("i", [1, 2]), array.array("i", [3]), list),
    "queue": (_queue(1, 2), _queue(3, None, 4), _all),
    "structure": (_structure(x=1, y=2), _structure(x=3, y=4), lambda x: (x.x, x.y, x.note)),
    "ndarray": (np.zeros((2, 2)), np.ones((2, 2)), lambda x: x.tolist()),
    "generator": (_generator(1, np.random.PCG64), _generator(2, np.random.PCG64), lambda x: x.random()),
    "legacy": (_legacy(1), _legacy(2), lambda x: (x.randn(), x.randn())),
    "mersenne": (np.random.MT19937(1), np.random.MT19937(2), lambda x: x.random_raw()),
    "philox": (np.random.Philox(1), np.random.Philox(2), lambda x: x.random_raw()),
    "sfc": (np.random.SFC64(1), np.random.SFC64(2), lambda x: x.random_raw()),
    "permuted": (np.random.PCG64DXSM(1), np.random.PCG64DXSM(2), lambda x: x.random_raw()),
    "table": (
        _frame("s", x=[1]), _frame("m", x=[2, 3], y=[4, 5]),
        lambda x: (x.to_dict("list"), x.attrs, x.flags.allows_duplicate_labels, x.unit),
    ),
    "series": (pd.Series([1], name="a"), pd.Series([2, 3], name="b"), lambda x: (x.tolist(), x.name)),
    "index": (pd.Index([1], name="a"), pd.Index([1], name="b"), lambda x: x.names),
    "context": (
        decimal.Context(5), decimal.Context(
            7, decimal.ROUND_UP, -5, 8, 0, 1, flags=[decimal.Inexact], traps=[decimal.Underflow, decimal.Rounded]
        ), repr,
    ),
    "attributes": (_with(_Held(), a=1, c=2), _with(_Held(), a=3, b=4, d=5), _attributes),
    "a slot that is empty": (_with(_Held(), a=1, b=2), _with(_Held(), b=4), _attributes),
    "slots": (_with(_Slots(), a=1), _with(_Slots(), b=2), _attributes),
}  # fmt: skip


@pytest.mark.parametrize("name", _KINDS)
def test_content_is_moved(name: str) -> None:
    """The object has all that the new one has, and the new one stays as it is."""
    target, source, look = _KINDS[name]
    moves = transplant_for(type(target))
    assert moves is not None
    moves(target, source)
    if name == "queue":
        assert look(target) == [3, None, 4]
    else:
        assert look(target) == look(source)


def test_what_a_state_leaves_out_stays() -> None:
    """A cache, or a lock."""
    target, source = _with(_Leaves(), a=1, cache=2), _with(_Leaves(), a=3)
    moves = transplant_for(_Leaves)
    assert moves is not None
    moves(target, source)
    assert vars(target) == {"a": 3, "cache": 2}


def test_a_function_of_c_keeps_its_place_in_the_process() -> None:
    """Only its types are moved."""
    library = ctypes.CDLL(None)
    target, source = library["labs"], library["abs"]
    source.restype, source.argtypes = ctypes.c_long, [ctypes.c_long]
    moves = transplant_for(type(target))
    assert moves is not None
    moves(target, source)
    assert (target.restype, target.argtypes, target.__name__) == (ctypes.c_long, [ctypes.c_long], "labs")
    assert target(-(1 << 40)) == 1 << 40


_Named = type("_Named", (), {"__module__": None})
_Base = type("Base", (), {"__module__": "pandas.core.base"})
_Index = type("Index", (_Base,), {})


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (object, True), (_Slots, True), (_Held, True), (_Leaves, True), (list, False), (type("L", (list,), {}), False),
        (_Named, True), (_Base, False), (_Index, False), (type("Mine", (_Index,), {"__module__": "x"}), False),
        (pd.Timestamp, False), (dict, False), (decimal.Decimal, False), (type("ndarray", (), {}), True),
        (type("Generator", (), {"__module__": "numpy.random._generator"}), False), (random.Random, False),
        (type("Context", (), {}), True), (type("Decimal", (), {"__module__": "decimal"}), True),
        (type("Context", (), {"__module__": "decimal"}), False), (type("other", (), {"__module__": "numpy"}), True),
        (type("Unknown", (), {"__module__": "numpy.random"}), False),
    ],
)  # fmt: skip
def test_classes_whose_objects_are_nothing_but_attributes(cls: type, expected: bool) -> None:
    """No part of them is written in C, and no other way is known."""
    assert holds_attributes(cls) is expected


def test_kinds_that_are_rebound() -> None:
    """They are immutable, or of a library of which nothing is known."""
    for cls in (list, dict, _Base, pd.Timestamp, type("Unknown", (), {"__module__": "numpy.random"}), pickle.Pickler):
        assert transplant_for(cls) is None, cls
    assert transplant_for(_Index) is transplant_for(pd.Index) is not None
    assert transplant_for(pd.DataFrame) is transplant_for(_Frame) is not None
