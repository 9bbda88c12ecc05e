"""The order in which names are read: what the user's code may look up comes before objects whose code runs then.

`__setstate__`, `__hash__` and the like run while a payload is read, and look up modules, functions and constants.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

_CONSTANTS = frozenset({int, float, str, bytes, bool, complex, type(None)})


def rank(value: Any) -> int:
    """Return 0 for modules, 1 for functions, classes and constants, 2 for what may have code of the user's run."""
    kind = type(value)
    if kind is types.ModuleType:
        return 0
    return 1 if kind in _CONSTANTS or kind is types.FunctionType or issubclass(kind, type) else 2


def first_read(names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the names to be bound before the others are read, in groups; none where no code of the user's runs."""
    groups: tuple[dict[str, Any], ...] = ({}, {}, {})
    for name, value in names.items():
        groups[rank(value)][name] = value
    return [group for group in groups[:2] if group] if groups[2] else []
