"""Sizes are estimated from samples."""

from __future__ import annotations

import pickle
from collections import deque
from typing import Any

import numpy as np
import pytest

from lambdamagic.codec.frames import ALONE_MIN_BYTES
from lambdamagic.codec.size_estimate import looks_large, pickled_bytes

_HALF = ALONE_MIN_BYTES // 2
_TEXT = "x" * (_HALF // 8)


class _Holder:
    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


class _Small:
    __slots__ = ()

    def __reduce__(self) -> Any:
        raise ValueError


class _Refusing:
    def __reduce__(self) -> Any:
        raise ValueError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * _HALF, True), (b"x" * (_HALF - 1), False), (bytearray(_HALF), True),
        ([_TEXT] * 8, True), ([_TEXT] * 7, False), ((_TEXT,) * 8, True), ({"k": "x" * _HALF}, True),
        ({"x" * _HALF: 1}, False), ([1] * (_HALF // 4), True), ([1] * (_HALF // 4 - 1), False),
        ([_TEXT, *[1] * 16], True), ([1, *[_TEXT] * 16], False), ([1, *[_TEXT] * 15], True), ([1] * 16, False),
        (["x" * (_HALF // 17 + 1), *[1] * 16], True), (["x" * (_HALF // 17), *[1] * 16], False),
        ([[["x" * _HALF]]], True), ([[[["x" * _HALF]]]], False), ([], False), (5, False), (deque([_TEXT] * 8), False),
        (np.zeros(_HALF), False), ([[[_TEXT] * 17] * 17] * 17, True),
        ([[[[_TEXT] * 17] * 17] * 17] * 17, False), ([1, 2, *[_TEXT] * 8], True), (frozenset({"x" * _HALF}), True),
        ([_Holder()] * (_HALF // 4), True),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_what_may_take_a_separate_frame(value: Any, expected: bool) -> None:
    """Texts and containers of them, three levels deep: all of few items, or as many times the first."""
    assert looks_large(value) is expected


@pytest.mark.parametrize(
    "value",
    [
        [*range(10_000)], [f"text {number}" for number in range(5000)], {n: str(n) for n in range(3000)},
        {str(n) for n in range(3000)}, deque(range(3000)), ["x" * 100] * 30,
        [bytes(1000) + bytes(n) for n in range(300)],
        [[float(n)] * 100 for n in range(70)], {n: [float(n)] * 100 for n in range(70)}, np.arange(500_000.0),
        [_Holder(a=[*range(1000)], b=n) for n in range(3)], {n: _Holder(a=[*range(500)]) for n in range(5)},
        _Holder(a=[*range(1000)]),
        [np.arange(1000)] * 1, np.arange(100.0), [[1.5] * 64] * 64,
        np.zeros((3000, 100)),
        np.zeros((100, 3000)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_estimate_is_near(value: Any) -> None:
    """Within a third."""
    size = len(pickle.dumps(value, 5))
    assert 0.7 * size < pickled_bytes(value) < 1.3 * size + 50


def test_a_table_is_estimated_by_its_rows() -> None:
    """Of a data frame and of a series."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": np.arange(20_000.0), "b": np.arange(20_000)})
    for value in (table, table["a"]):
        size = len(pickle.dumps(value, 5))
        assert 0.8 * size < pickled_bytes(value) < 3 * size
    assert pickled_bytes(table[:0]) == pickled_bytes(np.zeros(0)) == 0


def test_what_no_sample_can_say_is_nothing() -> None:
    """Objects that cannot be written, other kinds, and what is deeper than it looks."""
    assert pickled_bytes(_Refusing()) == 0
    assert pickled_bytes([_Refusing()]) == pickled_bytes([_Small()]) == pickled_bytes([1, _Small()]) == 0
    assert pickled_bytes(_Holder(a=_Holder(b=_Holder(c=_Holder(d=_Holder(e=1)))))) == 0
    assert pickled_bytes(_Holder(a=_Holder(b=_Holder(c=_Holder(d=1))))) == len(pickle.dumps(1, 5))
    assert pickled_bytes(5) == 0
    assert pickled_bytes(len) == 0
    assert pickled_bytes(_Holder) == 0
    assert pickled_bytes([]) == pickled_bytes({}) == 2
    large = ["x" * 1000] * 1000
    value: Any = [large, _Holder()]
    for depth in range(6):
        assert (pickled_bytes(value) > 3000) is (depth < 4)
        value = [value, _Holder()]
