"""Which attributes of a class its author wrote, which of them can change, and which Python adds."""

from __future__ import annotations

import _abc
import enum
import types
from typing import Any

#: Under this name a class's state has the classes that were registered with it.
ABC_REGISTRY = "_abc_registry"


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
    state = {
        name: value
        for name, value in attributes.items()
        if name not in dropped and type(value) not in (types.MemberDescriptorType, types.GetSetDescriptorType)
    }
    if "_abc_impl" in attributes:
        registry = [reference() for reference in _abc._get_dump(cls)[0]]
        if registry:
            state[ABC_REGISTRY] = [virtual for virtual in registry if virtual is not None]
    return body, state


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
ENUM_MACHINERY = frozenset(_ProbeEnum.__dict__) | {"__doc__"} | frozenset(enum.Flag.__dict__)
ENUM_OVERRIDES = frozenset(
    {"__repr__", "__str__", "__format__", "__reduce_ex__", "_generate_next_value_", "_missing_", "__or__", "__and__"}
)
