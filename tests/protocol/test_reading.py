"""Numbers, texts and lists of JSON that may be anything: what is taken, and what is refused with one kind of error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.protocol import reading

_LARGEST = 1 << 50


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (reading.number, 0),
        (reading.number, 0.5),
        (reading.number, 1.0),
        (reading.number, _LARGEST),
        (reading.count, 0),
        (reading.count, 1),
        (reading.count, _LARGEST),
        (reading.text, ""),
        (reading.table, {}),
        (reading.listed, []),
    ],
)
def test_what_is_taken(read: Callable[[Any], Any], value: Any) -> None:
    """The ends of the ranges are."""
    assert read(value) == value


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((read, value) for read in (reading.number, reading.count) for value in (True, False, -1, _LARGEST + 1, "1")),
        (reading.number, -0.001),
        (reading.number, float("nan")),
        (reading.number, None),
        (reading.count, 1.0),
        (reading.text, b"x"),
        (reading.text, 1),
        (reading.table, []),
        (reading.listed, {}),
        (reading.listed, "ab"),
    ],
)
def test_what_is_refused(read: Callable[[Any], Any], value: Any) -> None:
    """Other types, numbers below zero, and those that no size or price has."""
    with pytest.raises(ValueError, match="is not"):
        read(value)


def test_a_tuple_is_a_list_too() -> None:
    """Lists of ours may be made by hand, and are copied."""
    given = [1]
    assert reading.listed((1, 2)) == [1, 2]
    assert reading.listed(given) is not given


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("007", 7), ("9" * 15, 999_999_999_999_999), ("1" * 16, None), ("", None), ("-1", None), ("1_0", None),
     ("²", None), ("٣", None), (" 1", None), ("x", None)],
)  # fmt: skip
def test_digits(text: str, expected: int | None) -> None:
    """Up to 15 of them, and nothing that Python alone takes for a number."""
    assert reading.digits(text) == expected


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN", "Infinity", "[" * 100_000, "{", ""])
def test_json_that_is_refused(text: str) -> None:
    """Numbers that are not finite, nesting without bounds, and what is no JSON."""
    with pytest.raises(ValueError):  # in json's words, or ours
        reading.read_json(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_is_read_in_each_of_its_encodings(encoding: str) -> None:
    """Bytes say which one they have; a lone surrogate is kept, as in a text."""
    assert reading.read_json('{"a": [1.5, "ä"]}'.encode(encoding)) == {"a": [1.5, "ä"]}
    assert reading.read_json(bytearray(b'"\xed\xa0\x80"')) == "\ud800"
