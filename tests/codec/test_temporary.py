"""Containers that only a pickler's memo, or such a container, refers to."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from lambdamagic.codec.temporary import held_by_nothing


class Gives:
    """Gives what a test says as its state."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __getstate__(self) -> Any:
        return self._make()

    def __setstate__(self, state: Any) -> None:
        """Take any."""


class InC(pickle.Pickler):
    """Written in C."""


class InPython(pickle._Pickler):
    """Written in Python."""


def _temporary(kind: Any, value: Any) -> list[Any]:
    """Return what was made for a moment, in the order of its numbers."""
    pickler = kind(io.BytesIO(), 5)
    pickler.dump(value)
    found = sorted(held_by_nothing(pickler))
    by_number = dict(pickler.memo.copy().values())
    return [by_number[number] for number in found]


@pytest.mark.parametrize("kind", [InC, InPython])
def test_what_a_state_has_made(kind: Any) -> None:
    """A dictionary with lists and sets, and what they alone hold; not what the notebook holds."""
    held: list[Any] = [1]
    more = {"k": held}
    for make, expected in (
        (lambda: [1], [[1]]),
        (lambda: {"a": [1], "b": {2}}, [{"a": [1], "b": {2}}, [1], {2}]),
        (lambda: [held, [3]], [[held, [3]], [3]]),
        (lambda: held, []),
        (lambda: more, []),
        (lambda: ([4], held), [[4]]),
        (lambda: [([5],)], [[([5],)], [5]]),
        (lambda: (lambda x: [x, x])([6]), [[[6], [6]], [6]]),
        (lambda: (lambda x: [x, [x]])([7]), [[[7], [[7]]], [7], [[7]]]),
        (lambda: {(8, 9): [0]}, [{(8, 9): [0]}, [0]]),
        (lambda: 5, []),
    ):
        found = _temporary(kind, [held, Gives(make), more])
        assert found == expected


def test_a_temporary_list_within_one_that_is_held_stays() -> None:
    """What something here leads to is the notebook's."""
    inner = [1]
    outer = [inner]
    assert _temporary(InC, Gives(lambda: {"a": outer})) == [{"a": outer}]
    del inner
    assert _temporary(InC, Gives(lambda: {"a": outer})) == [{"a": outer}]
