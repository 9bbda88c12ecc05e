"""Which values of the user's own modules have a place, and how a place is read, set and deleted."""

from __future__ import annotations

import functools
import types
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import pytest

from lambdamagic.codec import module_places
from lambdamagic.codec.module_names import NAMES
from lambdamagic.codec.module_places import PlaceReference, drop, held, is_plain, label, own_place, places, put
from tests.codec.conftest import Import

_SOURCE = """
    import collections
    import enum
    import json
    from decimal import Decimal
    from json import dumps
    from json import _default_encoder as encoder

    __version__ = [1]
    _number = 1
    items = [1]
    length = len
    count = collections.Counter("aab")

    class Registry:
        "Says what it is."
        __hidden__ = [1]
        items = [2]
        limit = 3
        unlike = object()
        def add(self, x, seen=[3]):
            seen.append(x)
        @property
        def size(self):
            return len(self.items)

    class Plain:
        pass

    class Color(enum.Enum):
        RED = 1
        extra = [1]

    def f(x, first=4, seen=[5], *, key=6, cache={7: 7}):
        return x

    f.calls, f.seen, f.unlike, f.__wrapped__ = 8, [9], object(), [10]

    def outer():
        held, number, unlike = [11], 12, object()
        def inner():
            return held, number, unlike, late
        return inner
        late = 1

    inner = outer()
    plain = Plain()
"""


def test_each_place_of_a_module(own: Import) -> None:
    """Names whatever they mean, and what classes and functions hold if it is plain data or a container."""
    module = own(_SOURCE)
    NAMES.refresh()
    found = {label(place): value for place, value in places(module)}
    assert found == {
        "own_one._number": 1,
        "own_one.items": [1],
        "own_one.count": {"a": 2, "b": 1},
        "own_one.Registry.items": [2],
        "own_one.Registry.limit": 3,
        "own_one.Registry.add's default 0": [3],
        "own_one.f.calls": 8,
        "own_one.f.seen": [9],
        "own_one.f's default 1": [5],
        "own_one.f's default cache": {7: 7},
        "own_one.inner's variable held": [11],
        "own_one.inner's variable number": 12,
        "own_one.plain": module.plain,
    }
    for place, value in places(module):
        assert held(place) is value


def test_what_other_code_has_put_into_a_module_has_a_place(own: Import) -> None:
    """Classes and functions to which no import leads; what an installed module has belongs to it."""
    own("def imported(x=[]): ...\nclass Imported: items = []", "own_two")
    module = own("from own_two import imported, Imported")
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("def there(x=[1]): ...\nclass There: items = [1]", scope)
    local: dict[str, Any] = {"__name__": "own_one"}
    exec("def other(x=[1]): ...", local)
    unnamed = types.FunctionType((lambda: None).__code__, {})
    unnamed.__module__ = None  # type: ignore[assignment]  # as code does that has no name
    module.__dict__.update(
        there=scope["there"], There=scope["There"], another=local["other"], Decimal=Decimal, wraps=functools.wraps,
        unnamed=unnamed, method=[].append,
    )  # fmt: skip
    assert [label(place) for place, _ in places(module)] == [
        "own_one.imported's default 0", "own_one.there", "own_one.There", "own_one.another", "own_one.unnamed"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ((("attribute", "items"),), [21]),
        ((("attribute", "Registry"), ("attribute", "items")), [22]),
        ((("attribute", "plain"), ("attribute", "x")), 23),
        ((("attribute", "f"), ("default", 1)), [24]),
        ((("attribute", "f"), ("keyword", "cache")), {25: 25}),
        ((("attribute", "inner"), ("cell", "held")), [26]),
        ((("attribute", "inner"), ("cell", "late")), [27]),
    ],
    ids=lambda value: str(value),
)
def test_a_place_is_set(own: Import, steps: Any, value: Any) -> None:
    """The others stay as they are."""
    module = own(_SOURCE)
    before = dict(places(module))
    put(("own_one", *steps), value)
    assert held(("own_one", *steps)) is value
    before[("own_one", *steps)] = value
    assert {place: before[place] for place, _ in places(module)} == dict(places(module))
    assert module.f.__defaults__[0] == 4
    assert module.f.__kwdefaults__["key"] == 6


def test_a_function_without_defaults_is_given_a_keyword(own: Import) -> None:
    """A place that the module has no more is refused where it is read."""
    module = own("def f(): ...\ndef g(): ...")
    put(("own_one", ("attribute", "f"), ("keyword", "k")), 1)
    assert module.f.__kwdefaults__ == {"k": 1}
    put(("own_one", ("attribute", "f"), ("default", 0)), 1)
    assert module.f.__defaults__ == ()
    for step in (("attribute", "h"), ("default", 0), ("keyword", "k"), ("cell", "c")):
        with pytest.raises((LookupError, ValueError)):
            held(("own_one", ("attribute", "g"), step))


class _Meta(type):
    def __setattr__(cls, name: str, value: Any) -> None:
        raise AssertionError

    __delattr__ = __setattr__  # type: ignore[assignment]


class _Guarded:
    def __setattr__(self, name: str, value: Any) -> None:
        raise AssertionError

    __delattr__ = __setattr__  # type: ignore[assignment]


def test_attributes_are_set_and_deleted_past_the_code_of_a_class(own: Import) -> None:
    """Also those of a class with a metaclass; a missing one is not an error."""
    module = own("x = 1")
    module.A, module.a = _Meta("A", (), {}), _Guarded()
    for name in ("A", "a"):
        place = ("own_one", ("attribute", name), ("attribute", "x"))
        put(place, 1)
        assert held(place) == 1
        drop(place)
        assert not hasattr(getattr(module, name), "x")
        drop(place)
    drop(("own_one", ("attribute", "x")))
    assert not hasattr(module, "x")


def test_only_attributes_are_deleted(own: Import) -> None:
    """A default or a variable of a closure stays."""
    own(_SOURCE)
    for step in (("default", 1), ("keyword", "cache"), ("cell", "held"), ("keyword", "__doc__")):
        drop(("own_one", ("attribute", "inner" if step[0] == "cell" else "f"), step))
    assert held(("own_one", ("attribute", "f"), ("default", 1))) == [5]
    assert held(("own_one", ("attribute", "f"), ("keyword", "cache"))) == {7: 7}
    assert held(("own_one", ("attribute", "inner"), ("cell", "held"))) == [11]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), ("a", True), (None, True), ((1, ("a",)), True), (frozenset({1}), True), ((1, []), False), ([1], False),
     (object(), False), ((), True)],
)  # fmt: skip
def test_plain_values(value: Any, expected: bool) -> None:
    """Numbers, texts and the like, and immutable containers of them."""
    assert is_plain(value) is expected


class _Listed(list[int]):
    def __new__(cls, *args: Any) -> _Listed:
        raise AssertionError


class _Made(Exception):
    def __new__(cls, needed: int) -> _Made:
        raise AssertionError


def test_a_reference_to_a_place_is_what_it_holds(own: Import) -> None:
    """If that is of the class; else one is made there, past the class's own `__new__`."""
    module = own("items = [1]\nother = {}\ndef f(): ...")
    place = ("own_one", ("attribute", "items"))
    make, arguments = PlaceReference(place, list).__reduce__()
    assert make is own_place
    assert make(*arguments) is module.items
    for cls in (dict, OrderedDict, _Listed, _Made, _Guarded):
        made = own_place(place, cls)
        assert type(made) is cls
        assert module.items is made
    assert type(own_place(("own_one", ("attribute", "f"), ("attribute", "a"), ("attribute", "b")), list)) is list


def test_a_place_of_a_cache_that_is_gone_has_an_empty_one(own: Import) -> None:
    """Nothing can be made without the function that it remembers."""
    module = own("items = [1]")
    assert own_place(("own_one", ("attribute", "items")), None) is module.items
    made = own_place(("own_one", ("attribute", "gone")), None)
    assert made() is None
    assert made.__wrapped__ is module_places._nothing_to_remember
