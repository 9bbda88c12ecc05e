"""Digests of objects that pickle themselves: equal until such an object is changed."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy
import pytest

from lambdamagic.codec.digests import Digest, Digests
from lambdamagic.codec.home import Home


class Own:
    """Says what it is made from and what it is given, as a test has it."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced[0] if isinstance(self.reduced[0], str) else (Own, *self.reduced)


def _digests(*known: Any) -> Digests:
    return Digests(Home({}), {id(each): each for each in known})


def _of(*reduced: Any) -> Digest:
    found = _digests().of(Own(*reduced))
    assert found is not None
    return found


def test_likeness_is_that_of_the_making_and_the_state() -> None:
    """What is referred to is compared by itself."""
    digest = Digest(b"a", b"b", (1,))
    assert digest.is_like(Digest(b"a", b"b", (2,)))
    assert Digest(b"a", b"b").refers_to == ()
    for other in (Digest(b"a", b"c", (1,)), Digest(b"c", b"b", (1,)), None):
        assert not digest.is_like(other)


def test_the_making_and_the_state_are_apart() -> None:
    """A change of one is none of the other; items of an iterator are of the state."""
    first = _of((1,), {"a": 1}, iter([1, 2]))
    assert first.is_like(_of((1,), {"a": 1}, iter([1, 2])))
    assert first.is_like(_of((1,), {"a": 1}, [1, 2])), "an iterator is known by its items"
    made, stated, listed = _of((2,), {"a": 1}, [1, 2]), _of((1,), {"a": 2}, [1, 2]), _of((1,), {"a": 1}, [1, 3])
    assert (made.making != first.making, made.state == first.state) == (True, True)
    for other in (stated, listed):
        assert (other.making == first.making, other.state != first.state) == (True, True)


def test_an_object_that_is_a_name() -> None:
    """Its name is what it is made from."""
    assert _of("name") == Digest(b"name", b"")


def test_large_buffers_count() -> None:
    """They are not in the pickle."""
    one, other, third = (numpy.zeros(1000) for _ in range(3))
    third[999] = 1
    assert _of((), one).is_like(_of((), other))
    assert not _of((), one).is_like(_of((), third))


def test_objects_with_their_own_pictures_are_in_it_by_identity() -> None:
    """A change of theirs is not one of what holds them; another object is. The object itself is no part of it."""
    held, equal = [1], [1]
    value = Own((held,), {"again": held, "other": equal})
    digests = _digests(held, equal, value)
    before = digests.of(value)
    assert before is not None
    assert [id(each) for each in before.refers_to] == [id(held), id(equal)]
    held.append(2)
    assert before.is_like(digests.of(value))
    value.reduced = ((held,), {"again": equal, "other": equal})
    assert not before.is_like(digests.of(value))
    unknown = _digests(value).of(value)
    assert unknown is not None
    assert unknown.refers_to == ()


def test_an_object_that_holds_itself() -> None:
    """It is not a reference to another one, also where its picture is known."""
    value = Own((), None)
    value.reduced = ((), {"me": value})
    found = _digests(value).of(value)
    assert found is not None
    assert found.refers_to == ()


def test_equal_objects_are_not_the_same() -> None:
    """One that is equal to its holder is another one."""

    class Equal(Own):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # as Python has it

    held = Equal((), None)
    value = Equal((), {"held": held})
    found = _digests(value, held).of(value)
    assert found is not None
    assert [id(each) for each in found.refers_to] == [id(held)]


def test_what_cannot_be_pickled_has_no_digest() -> None:
    """Neither its making nor its state."""
    frame = sys._getframe()
    assert _digests().of(Own((frame,))) is None
    assert _digests().of(Own((), frame)) is None


@pytest.mark.filterwarnings("error")
def test_the_user_has_not_pickled_it() -> None:
    """Warnings about what will not be picklable one day are not shown."""

    class Warns:
        def __reduce__(self) -> Any:
            import warnings

            warnings.warn("one day", DeprecationWarning, stacklevel=1)
            return list, ()

    assert _digests().of(Warns()) is not None
    assert _digests().of(itertools.count(1)) is not None
