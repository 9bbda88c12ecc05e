"""Values that are nested deeper than C code can follow."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections import deque
from collections.abc import Sized
from typing import Any

import pytest

from lambdamagic.codec.deep_pickler import DeepPickler
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.reducers import Reducers

_DEEP = 5_000


def nested(depth: int) -> list:
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


class Node:
    """A link of a chain."""

    def __init__(self, after: Any) -> None:
        self.after = after


class Stated(Node):
    """A link that says itself what is sent."""

    def __reduce__(self) -> Any:
        return Stated, (None,), {"after": self.after}


class Items(list):
    """A list that is reduced with its items."""


_KINDS: dict[str, Any] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "longer tuple": lambda value: (1, 2, 3, value),
    "dict": lambda value: {"in": value, "more": 1},
    "deque": lambda value: deque([value]),
    "subclass of list": lambda value: Items([value]),
    "object": Node,
    "object with its own reduction": Stated,
}


@pytest.mark.parametrize("kind", _KINDS)
def test_data_of_any_depth(kind: str) -> None:
    """Each kind of nesting is written at the usual limit of recursion, which stays as it is, and read."""
    value: Any = "end"
    for _ in range(_DEEP):
        value = _KINDS[kind](value)
    limit = sys.getrecursionlimit()
    home = Home({"Node": Node})
    encoder = Encoder(home, kind="deep")
    encoder.dump(value)
    read = Decoder(encoder.frames().segments, Home({})).load()
    assert sys.getrecursionlimit() == limit
    for _ in range(_DEEP):
        assert type(read).__name__ == type(value).__name__
        read, value = (
            (each.after if isinstance(each, Node) else each["in"] if isinstance(each, dict) else each[-1])
            for each in (read, value)
        )
    assert (read, value) == ("end", "end")


def _as_deep(value: Any) -> Any:
    file = io.BytesIO()
    DeepPickler(file, Reducers(Home({})), None).dump(value)
    return pickle.loads(file.getvalue())


_SHARED: list[Any] = ["shared"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1.5, "text", b"bytes", bytearray(b"array"), 1 << 80, int, len, ..., print,
        (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, 2], {}, {1: 2}, {1: 2, 3: 4}, set(), {1}, {1, 2},
        frozenset(), frozenset({1, 2}), list(range(1000)), list(range(1001)), list(range(2500)), set(range(2001)),
        dict.fromkeys(range(1000)), dict.fromkeys(range(2001)), deque([1, 2], 3), range(3), complex(1, 2),
    ],
    ids=repr,
)  # fmt: skip
def test_each_kind_is_written_as_by_pickle(value: Any) -> None:
    """Sizes around those of a batch, kinds for which pickle has separate ways, and names."""
    read = _as_deep(value)
    assert read == value
    assert type(read) is type(value)


def test_what_is_shared_stays_shared() -> None:
    """One list in several places, also within itself, and tuples and sets that lead to themselves."""
    one, other = _as_deep([_SHARED, _SHARED])
    assert one is other
    itself: list[Any] = []
    itself.append(itself)
    read = _as_deep(itself)
    assert read[0] is read
    for filled in (("x",), (1, 2, 3, 4)):
        cycle: list[Any] = []
        pair = (*filled, cycle)
        cycle.append(pair)
        read = _as_deep(pair)
        assert read[-1][0] is read
        assert read[:-1] == filled
    member = Node(None)
    member.after = frozenset({member})
    read = _as_deep(member.after)
    assert next(iter(read)).after is read


class New:
    """Is made with what `__new__` needs."""

    def __new__(cls, one: int, two: int) -> New:
        made = super().__new__(cls)
        made.args = one, two  # type: ignore[attr-defined]
        return made

    def __getnewargs__(self) -> tuple[int, int]:
        return self.args  # type: ignore[attr-defined,no-any-return]  # of `__new__`

    def __setstate__(self, state: Any) -> None:
        assert state is not None


class NewByName(New):
    """The same, by names."""

    def __new__(cls, *, one: int, two: int) -> NewByName:
        return super().__new__(cls, one, two)

    def __getnewargs_ex__(self) -> Any:
        return (), dict(zip(("one", "two"), self.args, strict=True))  # type: ignore[attr-defined]  # of `__new__`


class Stateless(New):
    """Has no state."""

    def __reduce__(self) -> Any:
        return Stateless, self.args  # type: ignore[attr-defined]  # of `__new__`


class Meta(type):
    """A metaclass whose classes are pickled by a registered function."""


class Registered(metaclass=Meta):
    """One of them."""


class Set:
    """Is given its state by a function."""

    def __reduce__(self) -> Any:
        return Set, (), {"a": 1}, None, None, _set


def _set(target: Any, state: Any) -> None:
    target.set = state


def test_objects_as_pickle_makes_them() -> None:
    """With arguments, by position or by name, with a state or none, and with a function that sets it."""
    assert _as_deep(Set()).set == {"a": 1}
    for value in (New(1, 2), NewByName(one=1, two=2), Stateless(1, 2)):
        read = _as_deep(value)
        assert type(read) is type(value)
        assert read.args == (1, 2)


def test_classes_are_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their metaclass is, unless that was registered."""
    for cls in (int, Sized, New, Registered):
        assert _as_deep(cls) is cls
    monkeypatch.setitem(copyreg.dispatch_table, Meta, lambda _: (str, ("registered",)))
    assert _as_deep(Registered) == "registered"


class _Reduced:
    def __init__(self, found: Any) -> None:
        self.found = found

    def __reduce__(self) -> Any:
        return self.found


@pytest.mark.parametrize("found", [5, (), (list,), (list, (), 1, 2, 3, 4, 5), ("list", ()), (list, [])], ids=repr)
def test_what_is_no_reduction_is_refused(found: Any) -> None:
    """As pickle refuses it."""
    for write in (_as_deep, pickle.dumps):
        with pytest.raises(pickle.PicklingError):
            write(_Reduced(found))


def test_code_of_a_class_has_the_usual_limit() -> None:
    """An endless recursion in it, in Python or in C, is its RecursionError, however deep the data are around it."""

    class Endless:
        def __reduce__(self) -> Any:
            return sorted([1], key=lambda _: self.__reduce__())

    value = nested(20_000)
    inner = value
    while inner:
        inner = inner[0]
    inner.append(Endless())
    with pytest.raises(RecursionError):
        Encoder(Home({}), kind="deep").dump(value)
    while isinstance(value, list):
        value = value.pop()
