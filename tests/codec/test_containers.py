"""Subclasses of containers are read and filled past the methods that their authors have overridden."""

from __future__ import annotations

import collections
import types
import weakref
from typing import Any

import pytest

from lambdamagic.codec.containers import (
    attributes_of,
    container_base,
    content_of,
    fill,
    is_watched,
    is_weak,
    options_of,
    slot_names,
    slot_of,
)


def _raises(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a method of the class was called")


_OVERRIDDEN = dict.fromkeys(
    ("__iter__", "__setitem__", "__getitem__", "keys", "values", "items", "clear", "update", "append", "extend", "add",
     "__len__", "__contains__"),
    _raises,
)  # fmt: skip


def _subclass(base: type) -> Any:
    return type("Own", (base,), dict(_OVERRIDDEN))


class Reduced(dict):
    """Has its own pickling."""

    def __reduce__(self) -> Any:
        return dict, ()


class Inherits(Reduced):
    """Has that of its parent."""


class Stated(list):
    """Has its own state."""

    def __getstate__(self) -> Any:
        return None


class Mixed(collections.Counter):
    """A counter of a library's."""


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        *((base, base) for base in (dict, list, set, collections.deque, collections.OrderedDict)),
        (_subclass(list), list),
        (_subclass(collections.defaultdict), collections.defaultdict),
        (_subclass(collections.OrderedDict), collections.OrderedDict),
        (_subclass(_subclass(set)), set),
        (collections.Counter, dict),
        (Mixed, dict),
        (weakref.WeakSet, weakref.WeakSet),
        (_subclass(weakref.WeakValueDictionary), weakref.WeakValueDictionary),
        (Reduced, None),
        (Inherits, None),
        (Stated, None),
        (int, None),
        (object, None),
        (frozenset, None),
        (type("Plain", (), {}), None),
    ],
)
def test_what_a_class_derives_from(cls: type, expected: type | None) -> None:
    """Its own pickling is respected; a counter's is that of a dictionary."""
    assert container_base(cls) is expected


def test_a_class_with_a_part_in_c_is_no_plain_container() -> None:
    """What else it has is unknown."""
    cls: Any = types.SimpleNamespace(__flags__=0)
    cls.__mro__ = (cls, *dict.__mro__)
    assert container_base(cls) is None
    cls.__flags__ = 1 << 9
    assert container_base(cls) is dict


_FILLED: list[tuple[type, Any, Any]] = [
    (dict, {"a": 1}, {"b": 2, "a": 3}),
    (collections.OrderedDict, {"a": 1}, {"b": 2, "a": 3}),
    (collections.Counter, {"a": 1}, {"b": 2}),
    (list, [1, 2], [3]),
    (set, {1, 2}, {3}),
    (collections.deque, [1, 2], [3, 4]),
]


@pytest.mark.parametrize(("base", "before", "after"), _FILLED)
@pytest.mark.parametrize("is_own", [False, True])
def test_a_container_is_given_the_content_of_another(base: type, before: Any, after: Any, is_own: bool) -> None:
    """In its order, without what it had."""
    made = base if not is_own else _subclass(base)
    target: Any = container_base(base).__new__(made)  # type: ignore[union-attr]
    fill(target, content_of(base(before)))
    assert content_of(target) == content_of(base(before))
    fill(target, content_of(base(after)))
    assert content_of(target) == content_of(base(after))
    if isinstance(after, dict):
        assert content_of(target) == (tuple(after), tuple(after.values()))


def test_content_that_does_not_fit_is_refused() -> None:
    """As many values as keys."""
    with pytest.raises(ValueError, match="shorter"):
        fill({}, ((1, 2), (3,)))


class Held:
    """What weak containers hold."""


@pytest.mark.parametrize("kind", [weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet])
def test_containers_of_weak_references(kind: type) -> None:
    """Their content is what exists."""
    one, two = Held(), Held()
    target, source = kind(), kind()
    if kind is weakref.WeakSet:
        expected: Any = ((one,),)
        source.add(one)
        target.add(two)
    elif kind is weakref.WeakKeyDictionary:
        expected = ((one,), (1,))
        source[one] = 1
        target[two] = 2
    else:
        expected = ((1,), (one,))
        source[1] = one
        target[2] = two
    assert is_weak(kind)
    assert content_of(source) == expected
    fill(target, content_of(source))
    assert content_of(target) == expected
    assert not is_weak(dict)


def test_options() -> None:
    """A class that answers for any attribute is not asked."""

    class Answers(dict):
        def __getattr__(self, name: str) -> Any:
            return name

    assert options_of(Answers()) == (None, None)
    assert options_of(collections.defaultdict(int)) == (int, None)
    assert options_of(collections.deque(maxlen=3)) == (None, 3)


class Slotted:
    """Has slots and no dictionary."""

    __slots__ = ("__private", "slot")


class Watching(Slotted):
    """Answers for what is missing."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return "made up"


class Asked:
    """Its author's code is asked for each attribute."""

    def __init__(self) -> None:
        self.x = 1

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


def test_attributes_are_read_past_the_classs_own_code() -> None:
    """Those of an object without a dictionary are none."""
    assert attributes_of(Asked()) == {"x": 1}
    assert attributes_of(Watching()) is None
    assert attributes_of(Slotted()) is None
    held = Held()
    assert attributes_of(held) is vars(held)
    assert [is_watched(kind) for kind in (Asked, Watching, Slotted, Held, dict)] == [True, True, False, False, False]


def test_slots_are_read_past_the_classs_own_code() -> None:
    """An empty one is its default."""
    assert slot_names(Watching) == ["_Slotted__private", "slot"]
    for kind in (Slotted, Watching):
        made = kind()
        assert slot_of(made, "slot", None) is None
        made.slot = 1
        assert slot_of(made, "slot", None) == 1
        assert slot_of(made, "_Slotted__private", "default") == "default"
