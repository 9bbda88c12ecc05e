"""Objects of earlier answers under the numbers that a later answer has for them."""

from __future__ import annotations

import pickle

import pytest

from lambdamagic.codec import earlier
from lambdamagic.codec.earlier import (
    InOrder,
    WithEarlier,
    numbered_as_earlier,
    refers_to_earlier,
    without_unused,
)

_FIRST, _SECOND = 1 << 40, 2 << 40
_ANSWERS = [{3: "a", 0: "b"}, {1: "c"}]


def test_objects_of_earlier_answers_have_numbers_above_the_questions() -> None:
    """One range an answer; the numbers within it are the answer's."""
    assert numbered_as_earlier(_ANSWERS) == {_FIRST + 3: "a", _FIRST: "b", _SECOND + 1: "c"}
    found = WithEarlier(InOrder(["x", "y", "z"]), _ANSWERS)
    assert found.objects_by_number([2, _FIRST + 3, 0, _SECOND + 1, _FIRST, 1]) == ["z", "a", "x", "c", "b", "y"]
    assert InOrder(["x", "y"]).objects_by_number(iter([1, 0, 1])) == ["y", "x", "y"]


@pytest.mark.parametrize(
    ("numbers", "expected"), [([], False), ([0, _FIRST - 1], False), ([_FIRST], True), ([0, _SECOND + 7], True)]
)
def test_an_answer_that_refers_to_earlier_ones(numbers: list[int], expected: bool) -> None:
    """By one of its numbers."""
    assert refers_to_earlier(numbers) is expected


def test_what_an_answer_does_not_refer_to_needs_no_earlier_answer() -> None:
    """Each form of a reference counts, in each of its pickles; a number that is data does not."""
    pickles = [b"h\1.", b"\x80\5j\2\0\0\0.", b"g3\n.", pickle.dumps(4)]
    numbers = [_FIRST, *range(_FIRST + 1, _FIRST + 5), 9]
    for stream in (b"".join(pickles), bytearray(b"".join(pickles)), memoryview(b"".join(pickles))):
        assert without_unused(numbers, stream) == [0, _FIRST + 1, _FIRST + 2, _FIRST + 3, 0, 9]
    assert without_unused([7, 8], b"no pickle") == [7, 8]


def test_a_long_answer_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read with all that it could refer to."""
    stream = pickle.dumps([])
    monkeypatch.setattr(earlier, "_MOST_SCANNED", len(stream))
    assert without_unused([_FIRST], stream) == [0]
    assert without_unused([_FIRST], stream + stream) == [_FIRST]
