"""Views of memory are described, and made again on the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lambdamagic.codec.memory_views import parts, view

_VIEWS: dict[str, Callable[[memoryview], memoryview]] = {
    "whole": lambda whole: whole,
    "part": lambda whole: whole[3:9],
    "one element": lambda whole: whole[5:6],
    "each third": lambda whole: whole[2:20:3],
    "backwards": lambda whole: whole[::-1],
    "each third backwards": lambda whole: whole[20:2:-3],
    "nothing": lambda whole: whole[5:5],
    "nothing backwards": lambda whole: whole[5:5:-3],
    "read-only": lambda whole: whole[1:3].toreadonly(),
    "numbers": lambda whole: whole.cast("d"),
    "some numbers": lambda whole: whole[8:].cast("d")[1:4],
    "numbers backwards": lambda whole: whole.cast("i")[::-2],
    "table": lambda whole: whole[16:32].cast("h", (2, 4)),
    "box": lambda whole: whole.cast("B", (2, 4, 8)),
    "no dimension": lambda whole: whole[7:8].cast("B", ()),
}


@pytest.mark.parametrize("name", [*_VIEWS])
def test_the_same_part_again(name: str) -> None:
    """Of the object that holds the memory, with the same elements in the same order."""
    held = bytearray(range(64))
    shown = _VIEWS[name](memoryview(held))
    described = parts(shown)
    assert described[0] is held
    assert shown.nbytes or described[1] == 0, "where nothing is does not matter"
    again = view(*described)
    assert (again.tolist(), again.format, again.shape) == (shown.tolist(), shown.format, shown.shape)
    assert (again.ndim, again.itemsize, again.readonly) == (shown.ndim, shown.itemsize, shown.readonly)
    assert again.strides == shown.strides
    held[:] = held[::-1]
    assert again.tolist() == shown.tolist(), "it shows the memory, and is no copy"
    assert parts(again) == described


def test_memory_that_cannot_be_written() -> None:
    """A view of it is read-only by itself."""
    again = view(*parts(memoryview(b"abc")[1:]))
    assert again.readonly
    assert (again.tobytes(), again.obj) == (b"bc", b"abc")


def test_a_released_view_is_released_there() -> None:
    """It shows nothing any more."""
    released = memoryview(b"q")
    released.release()
    assert parts(released) == (None,)
    with pytest.raises(ValueError, match="released"):
        view(None).tobytes()


_RECORDS: Any = np.zeros(3, dtype=[("a", "u1"), ("b", "i4")])


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4))[:, :2], np.zeros((4, 4)).T[:2], _RECORDS, _RECORDS["b"], np.zeros(2, ">i4")],
    ids=["columns", "Fortran's order", "records", "a field of records", "another machine's numbers"],
)
def test_what_cannot_be_described_is_refused(array: Any) -> None:
    """In words that say why."""
    with pytest.raises(TypeError, match=r"^cannot pickle 'memoryview' object: its parts are not next to each other$"):
        parts(memoryview(array))


def test_arrays_are_shown_with_their_steps() -> None:
    """Those of one dimension."""
    array = np.arange(10.0)[::2]
    again = view(*parts(memoryview(np.arange(10.0))[::2]))
    assert again.tolist() == array.tolist()
    assert parts(memoryview(array))[1:4] == (0, "d", 2)
