"""Objects of earlier answers, to which a later answer can refer.

A cell that runs behind another on Lambda begins with the other's program and answer. What it gives back may hold
objects of that answer; these have their own numbers, above all that the cell's program has.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

_SHIFT = 40
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
#: Looking through more would take longer than reading the earlier answer.
_MOST_SCANNED = 4 << 20


class Numbered(Protocol):
    """Knows which objects the numbers of a payload mean."""

    def objects_by_number(self, numbers: Iterable[int]) -> list[Any]:
        """Return the objects that the given numbers mean, in their order."""


def refers_to_earlier(numbers: Iterable[int]) -> bool:
    """Whether some of the numbers mean objects of earlier answers."""
    return any(number >> _SHIFT for number in numbers)


def without_unused(numbers: list[int], stream: bytes | bytearray | memoryview) -> list[int]:
    """Return an answer's numbers with those of earlier answers' objects only where the answer refers to them.

    An answer lists all objects that it could refer to. The reader need not have the earlier answers if it refers to
    none of their objects; number 0, which every program has, takes the place of these.

    Args:
        numbers: What the answer lists.
        stream: Its pickles, one after the other.
    """
    if len(stream) > _MOST_SCANNED or not refers_to_earlier(numbers):
        return numbers
    import pickletools

    file, used = io.BytesIO(stream), set()
    while file.tell() < len(stream):
        used |= {value for opcode, value, _ in pickletools.genops(file) if opcode.name in _GETS}
    return [0 if number >> _SHIFT and place not in used else number for place, number in enumerate(numbers)]


def numbered_as_earlier(answers: Sequence[Mapping[int, Any]]) -> dict[int, Any]:
    """Return earlier answers' objects under the numbers that they have for the answer behind them."""
    return {
        ((position + 1) << _SHIFT) + number: value
        for position, memo in enumerate(answers)
        for number, value in memo.items()
    }


class WithEarlier:
    """Knows the objects of a question and those of the answers before it.

    Args:
        question: Knows the question's.
        answers: The objects of each earlier answer.
    """

    def __init__(self, question: Numbered, answers: Sequence[Mapping[int, Any]]) -> None:
        self._question, self._answers = question, answers

    def objects_by_number(self, numbers: Iterable[int]) -> list[Any]:
        """Return the objects that the given numbers mean, in their order."""
        wanted = list(numbers)
        own = iter(self._question.objects_by_number([number for number in wanted if not number >> _SHIFT]))
        return [
            self._answers[(number >> _SHIFT) - 1][number & ((1 << _SHIFT) - 1)] if number >> _SHIFT else next(own)
            for number in wanted
        ]


class InOrder:
    """Knows objects by their place in a list."""

    def __init__(self, objects: Sequence[Any]) -> None:
        self._objects = objects

    def objects_by_number(self, numbers: Iterable[int]) -> list[Any]:
        """Return the objects that the given numbers mean, in their order."""
        return [self._objects[number] for number in numbers]
