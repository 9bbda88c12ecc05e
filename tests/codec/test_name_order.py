"""Modules are read first, then functions, classes and constants; then what may run code."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lambdamagic.codec.name_order import first_read, rank


class _Meta(type):
    pass


class _Made(metaclass=_Meta):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math, 0), (1, 1), ("a", 1), (None, 1), (True, 1), (rank, 1), (_Made, 1), (int, 1), (_Made(), 2),
        ([], 2), (len, 2),
    ],
)  # fmt: skip
def test_the_rank_of_a_value(value: Any, expected: int) -> None:
    """A class is one whatever its metaclass."""
    assert rank(value) == expected


def test_names_that_are_read_before_others() -> None:
    """In groups without empty ones; none where no code of the user's may run."""
    names = {"a": [], "f": rank, "m": math, "b": 1}
    assert first_read(names) == [{"m": math}, {"f": rank, "b": 1}]
    assert first_read({"a": [], "b": 1}) == [{"b": 1}]
    assert first_read({"a": []}) == []
    assert first_read({"f": rank, "m": math}) == []
