"""Which attributes a class is made with, which it is given, and which Python adds."""

from __future__ import annotations

import abc
import collections.abc
import ctypes
import enum
import gc
import numbers
from typing import Any

import pytest

from lambdamagic.codec.class_parts import (
    ABC_MEMBERSHIP,
    ABC_REGISTRY,
    ENUM_MACHINERY,
    MEMBER_MACHINERY,
    class_state,
    is_written_by_user,
    module_of,
    setter_of,
    split_class,
)


class Plain:
    """A class."""

    value = 1

    def method(self) -> None:
        """Do nothing."""


class Slotted:
    """Has slots."""

    __slots__ = ("a", "b")


class Abstract(abc.ABC):  # noqa: B024  # it needs no methods here
    """Has a registry."""


def test_a_class_without_a_module_has_none() -> None:
    """Code can make one."""
    odd = type("Odd", (), {"__module__": 5})
    assert (module_of(Plain), module_of(odd)) == (__name__, "")


def test_what_a_class_is_made_with() -> None:
    """Its names and slots; the rest it is given, without what Python adds."""
    body, state = split_class(Plain)
    assert body == {"__module__": __name__, "__qualname__": "Plain"}
    assert {"value", "method", "__doc__"} <= {*state} <= {"value", "method", "__doc__", *_OF_PYTHON}
    assert (state["value"], state["method"]) == (1, Plain.method)
    body, state = split_class(Slotted)
    assert body == {"__module__": __name__, "__qualname__": "Slotted", "__slots__": ("a", "b")}
    assert {*state} <= {"__doc__", *_OF_PYTHON}
    assert class_state(Slotted) == state


#: Since Python 3.13.
_OF_PYTHON = frozenset({"__static_attributes__", "__firstlineno__", "__annotations__"})


def test_a_structure_is_laid_out_when_it_is_made() -> None:
    """Its fields are of its body, and no part of its state."""

    class Pair(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("a", ctypes.c_int), ("b", ctypes.c_char))
        mark = 1

    body, state = split_class(Pair)
    assert {name: body[name] for name in ("_fields_", "_pack_")} == {"_fields_": Pair._fields_, "_pack_": 1}
    assert {"mark", "__doc__"} <= {*state} <= {"mark", "__doc__", *_OF_PYTHON}
    assert setter_of(Pair) is type(ctypes.Structure)
    assert setter_of(Plain) is type


def test_attributes_of_other_classes_stay_what_they_are() -> None:
    """A plain class may hold a structure, and one of the names of its layout."""

    class Holding:
        _fields_ = 5
        held = ctypes.c_int(3)

    body, state = split_class(Holding)
    assert "_fields_" not in body
    assert (state["_fields_"], state["held"]) == (5, Holding.held)


def test_an_abstract_class_has_what_was_registered() -> None:
    """The registry itself cannot be sent; a class that is gone is none."""
    assert ABC_REGISTRY not in class_state(Abstract)
    assert "_abc_impl" not in class_state(Abstract)

    class Own(abc.ABC):  # noqa: B024  # it needs no methods here
        pass

    Own.register(int)
    Own.register(type("Gone", (), {}))
    gc.collect()
    assert class_state(Own)[ABC_REGISTRY] == [int]


def test_an_abstract_class_of_pythons_own_knows_its_members() -> None:
    """It says so of a class that was registered, and forgets nothing where another follows."""
    one, two = (type(name, (), {}) for name in ("One", "Two"))
    assert ABC_MEMBERSHIP not in class_state(one)
    collections.abc.Sized.register(one)
    assert class_state(one)[ABC_MEMBERSHIP] == [collections.abc.Sized]
    numbers.Number.register(two)
    collections.abc.Container.register(one)
    assert {*class_state(one)[ABC_MEMBERSHIP]} == {collections.abc.Sized, collections.abc.Container}
    assert class_state(two)[ABC_MEMBERSHIP] == [numbers.Number]
    assert ABC_MEMBERSHIP not in class_state(Plain)


class Color(enum.Enum):
    """An Enum with its author's code."""

    RED = 1

    def method(self) -> None:
        """Do nothing."""

    @classmethod
    def made(cls) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("name", "expected"), [("method", True), ("made", True), ("RED", False), ("__new__", False), ("__module__", False)]
)
def test_what_the_author_of_an_enum_wrote(name: str, expected: bool) -> None:
    """Methods; not what `enum` adds, nor data."""
    assert is_written_by_user(vars(Color)[name]) is expected


def test_what_any_enum_has() -> None:
    """Neither the author's names nor attributes that members are given."""
    held: dict[str, Any] = vars(Color.RED)
    assert {*held} <= MEMBER_MACHINERY
    assert "_value_" in MEMBER_MACHINERY
    assert {"_member_map_", "__and__"} <= ENUM_MACHINERY
    assert {"RED", "__doc__"}.isdisjoint(ENUM_MACHINERY)
