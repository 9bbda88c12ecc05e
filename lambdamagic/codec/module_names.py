"""Find the module that owns an object, by identity in the loaded modules, before the object is pickled.

`from random import random`, `from os import environ`, a registry, a singleton: what a module holds is the module's, on
either side, and a copy would be another object. Only what has a separate identity is looked for: a number, a string
or a compiled pattern may be anybody's.
"""

from __future__ import annotations

import enum
import linecache
import os
import re
import sys
import types
from typing import Any

from lambdamagic.codec.class_parts import module_of

_NO_IDENTITY = frozenset(
    {int, float, complex, bool, str, bytes, type(None), tuple, frozenset, range, slice, type(...), type(NotImplemented)}
    | {types.ModuleType, types.CodeType, types.GenericAlias, types.UnionType, type, types.FunctionType}
    | {types.BuiltinFunctionType, types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType}
    | {types.MethodDescriptorType, property, types.FrameType, types.TracebackType, object}
)
#: Classes of these modules have values for instances.
_VALUES = ("datetime", "decimal", "fractions", "uuid", "pathlib", "re", "zoneinfo", "ipaddress", "typing", "_thread")
#: What a module's own loading put there.
_BOOKKEEPING = frozenset(
    {"__builtins__", "__cached__", "__doc__", "__file__", "__loader__", "__name__", "__package__", "__path__"}
    | {"__spec__", "__annotations__", "__warningregistry__", "__all__"}
)
_NOT_THE_USERS = ("lambdamagic", "IPython", "ipykernel", "traitlets", "_pytest", "pytest", "debugpy", "tests")


class ModuleNames:
    """The objects of the loaded modules, by identity; a module is looked through when it is new or may have changed."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[str, str]] = {}
        self._seen: dict[str, int] = {}
        self._own: set[str] = set()
        self._count = 0

    def of(self, value: Any) -> tuple[str, str] | None:
        """Return the module that an object belongs to and its name there, or None."""
        if type(value) is types.BuiltinMethodType and isinstance(value.__self__, types.ModuleType | None):
            return None
        # Streams may be replaced at any time, `sys` is looked through once, and other modules may hold them too.
        if value is not None and (value is sys.stdout or value is sys.stderr or value is sys.stdin):
            return "sys", "stdout" if value is sys.stdout else "stderr" if value is sys.stderr else "stdin"
        known = self._found.get(id(value))
        if known is None:
            return None
        module, name = known
        if vars(sys.modules.get(module, types)).get(name) is not value:
            del self._found[id(value)]
            return None
        return known if _is_bound_by(module, name) else None

    def refresh(self) -> None:
        """Look through the modules that are new, and those that are not installed: their objects come and go."""
        if len(sys.modules) == self._count:
            for name in self._own:
                if name in sys.modules:
                    self._look_through(name, vars(sys.modules[name]))
            return
        for name, module in list(sys.modules.items()):
            if self._seen.get(name) != id(module) and type(module) is types.ModuleType:
                self._seen[name] = id(module)
                if name.partition(".")[0] not in _NOT_THE_USERS and name != "__main__":
                    if is_own(module):
                        self._own.add(name)
                    self._look_through(name, vars(module))
        self._count = len(sys.modules)

    def _look_through(self, name: str, scope: dict[str, Any]) -> None:
        if scope.get("__spec__") is None:
            return
        for attribute, value in list(scope.items()):
            kind = type(value)
            if kind in _NO_IDENTITY and not (kind in _CALLABLES and _is_hidden(value)):
                continue
            if attribute in _BOOKKEEPING or _has_no_identity(kind):
                continue
            known = self._found.get(id(value))
            if known is None or _rank(name, value) < _rank(known[0], value):
                self._found[id(value)] = (name, attribute)


_CALLABLES = (types.BuiltinFunctionType, types.FunctionType)


def _is_hidden(value: Any) -> bool:
    """Whether a function is not what its own name and module lead to."""
    if type(value) is types.BuiltinFunctionType:
        return value.__self__ is not None and not isinstance(value.__self__, types.ModuleType)
    return (
        "<" in value.__qualname__ and value.__globals__.get("__name__") is not None and value.__module__ != "__main__"
    )


def _has_no_identity(kind: type) -> bool:
    return (
        issubclass(kind, type | enum.Enum | BaseException)
        or module_of(kind).partition(".")[0] in _VALUES
        or kind.__name__.endswith(("dtype", "DType"))
    )


def _rank(module: str, value: Any) -> tuple[bool, bool, int, int]:
    """Order the modules that hold an object: first its class's or its own, then public and short names."""
    home = getattr(value, "__module__", None)
    kind = type(value).__module__
    return (module not in (home, kind), module.startswith("_") or "._" in module, module.count("."), len(module))


def name_of_nan(value: float) -> tuple[str, str] | None:
    """Return the module that owns a NaN: a NaN is found in a list by identity only."""
    if value == value:  # only NaN is not
        return None
    for module in ("numpy", "math"):
        if module in sys.modules and getattr(sys.modules[module], "nan", None) is value:
            return module, "nan"
    return None


def is_own(module: types.ModuleType) -> bool:
    """Whether a module is of the user's project, and not installed."""
    file = vars(module).get("__file__")
    return isinstance(file, str) and not file.startswith(_installed()) and "-packages" not in file


_folders: list[str] = []


def _installed() -> tuple[str, ...]:
    if not _folders:
        _folders.extend({sys.prefix, sys.base_prefix, str(types.__file__).rpartition("/")[0], "/opt/"})
        _folders.extend(filter(None, [os.environ.get("LAMBDA_TASK_ROOT")]))
    return tuple(_folders)


def _is_bound_by(module: str, name: str) -> bool:
    """Whether a module's own source names what it holds: another process may have put an object of theirs there."""
    file = vars(sys.modules[module]).get("__file__")
    if not isinstance(file, str) or not file.endswith(".py"):
        return True
    key = (file, name)
    if key not in _bound:
        lines = linecache.getlines(file)
        pattern = re.compile(rf"\b{re.escape(name)}\b")
        has_star = any(line.lstrip().startswith("from ") and "import *" in line for line in lines)
        _bound[key] = not lines or has_star or any(pattern.search(line) for line in lines)
    return _bound[key]


_bound: dict[tuple[str, str], bool] = {}
NAMES = ModuleNames()
