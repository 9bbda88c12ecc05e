"""Which attributes of a class its author wrote, which of them can change, and which Python adds."""

from __future__ import annotations

import _abc
import abc
import collections.abc
import contextlib
import enum
import numbers
import os
import types
import weakref
from typing import Any

#: Under these names a class's state has the classes that were registered with it, and those of Python's own abstract
#: classes that it was registered with.
ABC_REGISTRY, ABC_MEMBERSHIP = "_abc_registry", "_abc_membership"


def module_of(cls: type) -> str:
    """Return the name of a class's module; empty for a class that has none, such as one that code has made."""
    found: object = cls.__module__
    return found if isinstance(found, str) else ""


def class_state(cls: type) -> dict[str, Any]:
    """Return the attributes of a class that belong to it and can change: the second half of how it is rebuilt."""
    return split_class(cls)[1]


def split_class(cls: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a class's attributes into those it must be made with and those it is given afterwards."""
    attributes = dict(cls.__dict__)
    body: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    slots = attributes.get("__slots__")
    if slots is not None:
        body["__slots__"] = slots
    dropped = {"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__", "_abc_impl"}
    if type(cls).__module__ == "_ctypes":  # a structure is laid out when it is made
        body.update({name: attributes[name] for name in _LAYOUT if name in attributes})
        dropped |= {*_LAYOUT, *(name for name, value in attributes.items() if type(value).__module__ == "_ctypes")}
    state = {
        name: value
        for name, value in attributes.items()
        if name not in dropped and type(value) not in (types.MemberDescriptorType, types.GetSetDescriptorType)
    }
    if "_abc_impl" in attributes:
        registry = [reference() for reference in _abc._get_dump(cls)[0]]
        if registry:
            state[ABC_REGISTRY] = [virtual for virtual in registry if virtual is not None]
    of_python = _MEMBERSHIPS.of(cls)
    if of_python:
        state[ABC_MEMBERSHIP] = of_python
    return body, state


_LAYOUT = ("_fields_", "_pack_", "_anonymous_", "_align_", "_type_", "_length_")


def setter_of(cls: type) -> Any:
    """Return how a class is given an attribute past a `__setattr__` that its author's metaclass has."""
    return type(cls) if type(cls).__module__ == "_ctypes" else type


class _Memberships:
    """Which classes were registered with Python's own abstract classes; looked up when a class was registered."""

    def __init__(self) -> None:
        self._token: object = None
        self._found: weakref.WeakKeyDictionary[type, list[Any]] = weakref.WeakKeyDictionary()

    def of(self, cls: type) -> list[Any]:
        """Return the abstract classes that a class was registered with."""
        token = abc.get_cache_token()  # changes with each `register`
        if token != self._token:
            self._token = token
            self._found.clear()
            for base in _OF_PYTHON:
                for reference in _abc._get_dump(base)[0]:
                    virtual = reference()
                    if virtual is not None:
                        self._found.setdefault(virtual, []).append(base)
        return self._found.get(cls, [])


_OF_PYTHON = [
    each
    for module in (collections.abc, numbers, contextlib, os)
    for each in vars(module).values()
    if isinstance(each, abc.ABCMeta)
]
_MEMBERSHIPS = _Memberships()


def is_written_by_user(value: Any) -> bool:
    """Whether an attribute of an Enum class is its author's code."""
    function = getattr(value, "__func__", value)
    return isinstance(function, types.FunctionType) and function.__module__ != "enum"


class _ProbeEnum(enum.Enum):
    """An Enum whose attributes are those that any Enum class has in this Python version."""

    MEMBER = 1


#: What each member has from its class.
MEMBER_MACHINERY = frozenset(_ProbeEnum.MEMBER.__dict__)
#: What each Enum class has by itself, or may override.
ENUM_MACHINERY = (frozenset(_ProbeEnum.__dict__) | frozenset(enum.Flag.__dict__)) - {"__doc__"}
ENUM_OVERRIDES = frozenset(
    {"__repr__", "__str__", "__format__", "__reduce_ex__", "_generate_next_value_", "_missing_", "__or__", "__and__"}
)
