"""What an object is given to be as another is, and which iterators are known by what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count

import pytest

from lambdamagic.codec.tracking import only_moves, takes_state


def _after(iterator: Iterator[object]) -> Iterator[object]:
    """Return an iterator at its end."""
    assert [*iterator]
    return iterator


class _Stateful:
    """Has a state after its items, or none."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[object, ...]:
        return (_Stateful, (), *self.parts)

    def __setstate__(self, state: object) -> None:
        raise AssertionError


class _Own:
    """An iterator of a library's, at its end."""

    def __iter__(self) -> _Own:
        return self

    def __next__(self) -> None:
        raise StopIteration

    def __reduce__(self) -> tuple[object, ...]:
        return iter, ((),)


_Stateless = type("_Stateless", (), {"__reduce__": lambda self: (_Stateful, (), 1)})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (iter([1]), True),
        (iter([]), True),
        (_after(iter([1])), False),
        (_Stateful(1), True),
        (_Stateful(), False),
        (_Stateful(None), False),
        (_Stateful(None, iter([1])), False),
        (_Stateless(), False),
    ],
)
def test_a_state_is_what_another_can_be_given(value: object, expected: bool) -> None:
    """As pickle gives it; what has none but what it is made from is none."""
    assert takes_state(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_after(iter([1])), True),
        (iter([1]), False),
        (iter(lambda: 1, 0), False),
        (iter(range(3)), True),
        (iter(range(1 << 70)), True),
        (chain([1]), False),
        (_after(chain([1])), True),
        (count(), False),
        (_Own(), False),
        ([1], False),
    ],
)
def test_an_iterator_that_only_moves_is_known_by_what_is_left(value: object, expected: bool) -> None:
    """At its end, or over a range; of another it is not known how far it is."""
    assert only_moves(value) is expected
