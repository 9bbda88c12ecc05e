"""Arrays that share memory are found before they are written, and made again on one memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lambdamagic.codec import array_views
from lambdamagic.codec.array_views import reduced, shared_memory
from lambdamagic.codec.home import Home
from lambdamagic.codec.rebuild import array_view


def _owners(*values: Any, known: Any = ()) -> dict[int, int]:
    """Return by the place of each array among the values the place of its owner; -1 for one that is not there."""
    found = shared_memory(values, known=known)
    places = {id(value): place for place, value in enumerate((*values, *known))}
    return {places[key]: places.get(id(owner), -1) for key, owner in found.items()}


_MEMORY = np.zeros(81, "u1")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda a: [a, a[:8]], {1: 0}),
        (lambda a: [a[:8], 1, a, a[70:]], {0: 2, 3: 2}),
        (lambda a: [a[::2], a[1::2]], {0: -1, 1: -1}),
        (lambda a: [a.reshape(9, 9), a], {0: 1}),
        (lambda a: [a[:8]], {}),
        (lambda a: [a, a.copy()], {}),
        (lambda a: [a[:40], a[40:]], {}),
        (lambda a: [a[:40], a[39:]], {0: -1, 1: -1}),
        (lambda a: [a[39:], a[:40]], {0: -1, 1: -1}),
        (lambda a: [a[:40], a[40:], a[2:4]], {0: -1, 2: -1}),
        (lambda a: [a[:30], a[2:4], a[29:35]], {0: -1, 1: -1, 2: -1}),
        (lambda a: [a[:30], a[:0]], {}),
        (lambda a: [a, a[:1], a[:0]], {1: 0}),
        (lambda a: [a, 1, None], {}),
        (lambda a: [a.view(np.matrix), a.view(np.matrix)], {}),
    ],
)
def test_views_of_one_memory_have_one_owner(make: Callable[[Any], list[Any]], expected: dict[int, int]) -> None:
    """The owner itself is written as it is; what shares no memory with another is written alone."""
    assert _owners(*make(_MEMORY)) == expected


@pytest.mark.parametrize(("size", "is_sent"), [(79, True), (80, True), (81, False)])
def test_an_array_that_was_not_asked_for_is_sent_if_it_is_small(size: int, is_sent: bool) -> None:
    """Up to four times what its views take."""
    memory = np.zeros(size, "u1")
    assert _owners(memory[:10], memory[5:15]) == ({0: -1, 1: -1} if is_sent else {})
    assert _owners(memory[:10], memory[5:15], memory) == {0: 2, 1: 2}


def test_the_owner_of_views_of_views() -> None:
    """It is the array at the end, in whichever order it has its elements."""
    for memory in (np.zeros((4, 5)), np.zeros((4, 5), order="F")):
        rows = memory[1:]
        assert _owners(rows[1:], rows, memory) == {0: 2, 1: 2}
        assert [id(each) for each in shared_memory([rows, rows[:1]]).values()] == [id(memory)] * 2


def test_memory_with_gaps_is_no_owner() -> None:
    """An array over other memory, of which it shows a part."""
    spread: Any = np.ndarray((4,), "u1", bytearray(16), strides=(4,))
    assert _owners(spread, spread[:2]) == {}


def test_objects_share_no_memory() -> None:
    """Their arrays hold references."""
    objects = np.zeros(4, object)
    assert _owners(objects, objects[:2]) == {}


def test_what_the_reader_has_is_the_owner() -> None:
    """If it is all of the memory, in any shape; of several the first one."""
    memory = np.zeros(12)
    table, rows = memory.reshape(3, 4), memory.reshape(4, 3)
    assert _owners(memory[:3], known=[memory]) == {0: 1}
    assert _owners(memory[:3], memory[5:], known=[table, rows]) == {0: 2, 1: 2}
    assert _owners(memory[:3], memory, known=[table]) == {0: 2, 1: 2}
    for part in (memory[1:], memory[:11], memory[::-1], table[:, 1:]):
        assert _owners(memory[:3], known=[part]) == {}
    other = np.zeros(12)
    assert _owners(memory[:3], known=[other]) == {}
    assert _owners(memory, known=[memory]) == {}
    turned = np.zeros((3, 4), order="F")
    assert _owners(turned[0], known=[turned]) == {0: 1}


class Holder:
    """Has attributes."""

    def __init__(self, held: Any) -> None:
        self.held = held


def _closed(held: Any) -> Callable[[], Any]:
    return lambda: held


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def _finds(make: Callable[[Any], Any]) -> bool:
    memory = np.zeros(4)
    view = memory[:2]
    return [*shared_memory([memory, make(view)])] == [id(view)]


def test_where_arrays_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers, closures, and the attributes of the notebook's objects; not in those of libraries."""
    monkeypatch.setattr(Holder, "__module__", "__main__")
    for make in (
        lambda a: [1, a],
        lambda a: (a,),
        lambda a: {"a": a},
        Holder,
        _closed,
        lambda a: _closed(a).__closure__[0],
    ):
        assert _finds(make), make
    assert not _finds(lambda a: type("C", (), {"held": a, "__module__": "__main__"}))
    monkeypatch.setattr(Holder, "__module__", "library")
    assert not _finds(Holder)
    assert not _finds(lambda a: _closed(1))
    assert _finds(lambda a: [a, *[0] * 999])
    assert not _finds(lambda a: [a, *[0] * 1000])
    assert _finds(lambda a: dict(enumerate([a, *[0] * 999])))
    assert not _finds(lambda a: dict(enumerate([a, *[0] * 1000])))


def test_how_far_arrays_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six levels of containers, a bounded number of objects, and each container once."""
    assert _finds(lambda a: _nested(a, 5))
    assert not _finds(lambda a: _nested(a, 6))
    memory = np.zeros(4)
    ring: list[Any] = [memory, memory[:2]]
    ring.append(ring)
    assert len(shared_memory([ring])) == 1
    monkeypatch.setattr(array_views, "_MAX_LOOKED_AT", 4)
    assert _owners(1, 2, memory, memory[:2]) == {3: 2}
    assert _owners(1, 2, 3, memory, memory[:2]) == {}
    assert shared_memory([[memory, memory[:2], 3], 1, 2, 3, 4]) == {}
    assert len(shared_memory([1, [memory, memory[:2]]])) == 1
    assert len(shared_memory([1, 2, [memory, memory[:2]]])) == 0
    assert len(shared_memory([1, 2, 3, [memory, memory[:2]]])) == 0


def test_without_numpy_there_are_no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not imported for that."""
    monkeypatch.delitem(sys.modules, "numpy")
    assert shared_memory([_MEMORY, _MEMORY[:2]]) == {}


@pytest.mark.parametrize(
    "show",
    [lambda a: a[3:9], lambda a: a[::-2], lambda a: a.reshape(3, 4)[1:, ::2], lambda a: a.view("u1")[5:9],
     lambda a: a.reshape(3, 4).T],
)  # fmt: skip
@pytest.mark.parametrize("is_writeable", [True, False])
def test_a_view_is_made_again_on_its_owner(show: Callable[[Any], Any], is_writeable: bool) -> None:
    """Of the same type, shape and steps."""
    memory = np.arange(12.0)
    view = show(memory)
    view.flags.writeable = is_writeable
    with Home({}).loading():
        again = array_view(*reduced(view, memory))
    assert (again.dtype, again.shape, again.strides) == (view.dtype, view.shape, view.strides)
    assert again.__array_interface__["data"] == view.__array_interface__["data"]
    assert again.flags.writeable is is_writeable
