"""Places in the user's own modules that hold mutable values, and how they are read, set and deleted.

A place is a module's name, an attribute of one of its classes or functions, a default of a function, or a cell of its
closure. It is written as the module's full name and the steps from there, so that both sides can find it.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

from lambdamagic.codec import containers, kinds
from lambdamagic.codec.module_names import NAMES, is_own
from lambdamagic.codec.written_classes import native_base

Step = tuple[str, Any]
Place = tuple[Any, ...]

_ATTRIBUTE, _DEFAULT, _KEYWORD, _CELL = "attribute", "default", "keyword", "cell"
#: Kinds of what classes and functions hold that is looked at; a module's names are looked at whatever they mean.
_HELD = frozenset({kinds.LIST, kinds.DICT, kinds.SET, kinds.CONTAINER})
_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})
_IMMUTABLE = frozenset({tuple, frozenset})


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a text or the like, or an immutable container of them."""
    return type(value) in _ATOMS or (type(value) in _IMMUTABLE and all(map(is_plain, value)))


def places(module: types.ModuleType) -> Iterator[tuple[Place, Any]]:
    """Yield each place of a module with its value; the module's own functions and classes are left out."""
    for name, value in list(vars(module).items()):
        if name[:2] == "__" or type(value) is types.ModuleType:
            continue
        place = (module.__name__, (_ATTRIBUTE, name))
        if isinstance(value, type):
            if value.__module__ == module.__name__:
                yield from _in_class(place, value)
            elif not _is_of_a_module(value):
                yield place, value
        elif type(value) is types.FunctionType:
            if _is_code_of_own(value):
                yield from _in_function(place, value)
            elif not _is_of_a_module(value):
                yield place, value
        elif type(value) is not types.BuiltinFunctionType and not _is_installed(value):
            yield place, value


def _in_class(place: Place, cls: type) -> Iterator[tuple[Place, Any]]:
    if issubclass(cls, enum.Enum):
        return
    for name, value in list(vars(cls).items()):
        if type(value) is types.FunctionType and _is_code_of_own(value):
            yield from _in_function((*place, (_ATTRIBUTE, name)), value)
        elif name[:2] != "__" and (is_plain(value) or kinds.kind_of(type(value)) in _HELD):
            yield (*place, (_ATTRIBUTE, name)), value


def _in_function(place: Place, function: types.FunctionType) -> Iterator[tuple[Place, Any]]:
    for name, value in list(vars(function).items()):
        if name != "__wrapped__" and (is_plain(value) or kinds.kind_of(type(value)) in _HELD):
            yield (*place, (_ATTRIBUTE, name)), value
    for number, value in enumerate(function.__defaults__ or ()):
        if kinds.kind_of(type(value)) in _HELD:
            yield (*place, (_DEFAULT, number)), value
    for name, value in (function.__kwdefaults__ or {}).items():
        if kinds.kind_of(type(value)) in _HELD:
            yield (*place, (_KEYWORD, name)), value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # empty
            continue
        if is_plain(value) or kinds.kind_of(type(value)) in _HELD:
            yield (*place, (_CELL, name)), value


def _is_code_of_own(function: types.FunctionType) -> bool:
    scope = function.__globals__
    module = sys.modules.get(str(scope.get("__name__")))
    return module is not None and vars(module) is scope and is_own(module) and module.__name__ != "__main__"


def _is_of_a_module(value: Any) -> bool:
    """Whether an import leads to a class or function."""
    found: Any = sys.modules.get(value.__module__ or "") if value.__module__ != "__main__" else None
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def _is_installed(value: Any) -> bool:
    """Whether an object belongs to a module that is installed: each side has its own."""
    if is_plain(value):
        return False
    found = NAMES.of(value)
    return found is not None and not is_own(sys.modules[found[0]])


class PlaceReference:
    """Is read as the value of a place; see `own_place`."""

    def __init__(self, place: Place, cls: type | None) -> None:
        self._place, self._cls = place, cls

    def __reduce__(self) -> Any:
        return own_place, (self._place, self._cls)


def own_place(place: Place, cls: type | None) -> Any:
    """Return what a place holds; it is made there if it is not of the class.

    Without a class there is nothing to be made. The name of this function is part of the protocol, as in `rebuild`.
    """
    with contextlib.suppress(Exception):  # the module did not load, or has no such place now
        found = held(place)
        if cls is None or type(found) is cls:
            return found
    if cls is None:
        return functools.lru_cache(_nothing_to_remember)
    native: Any = containers.container_base(cls)
    native = native or native_base(cls)
    made = native.__new__(cls)
    with contextlib.suppress(Exception):  # as above
        put(place, made)
    return made


def _nothing_to_remember() -> None:
    pass


def label(place: Place) -> str:
    """Return the name of a place for display."""
    module, *steps = place
    words: dict[str, str] = {
        _ATTRIBUTE: ".{}",
        _DEFAULT: "'s default {}",
        _KEYWORD: "'s default {}",
        _CELL: "'s variable {}",
    }
    return str(module) + "".join(words[kind].format(name) for kind, name in steps)


def held(place: Place) -> Any:
    """Return the value of a place.

    Raises:
        LookupError, ImportError: There is no such place.
    """
    module, *steps = place
    found: Any = importlib.import_module(module)
    for kind, name in steps:
        if kind == _ATTRIBUTE:
            found = vars(found)[name]
        elif kind == _DEFAULT:
            found = (found.__defaults__ or ())[name]
        elif kind == _KEYWORD:
            found = (found.__kwdefaults__ or {})[name]
        else:
            found = _cell(found, name).cell_contents
    return found


def put(place: Place, value: Any) -> None:
    """Set the value of a place.

    Raises:
        LookupError, ImportError: There is no such place.
        AttributeError, TypeError: It cannot be set.
    """
    *owner, (kind, name) = place
    target = held(tuple(owner))
    if kind == _ATTRIBUTE:
        (type if isinstance(target, type) else object).__setattr__(target, name, value)
    elif kind == _DEFAULT:
        target.__defaults__ = tuple(
            value if number == name else each for number, each in enumerate(target.__defaults__ or ())
        )
    elif kind == _KEYWORD:
        target.__kwdefaults__ = {**(target.__kwdefaults__ or {}), name: value}
    else:
        _cell(target, name).cell_contents = value


def drop(place: Place) -> None:
    """Delete an attribute; a missing one is not an error."""
    *owner, (kind, name) = place
    target = held(tuple(owner))
    if kind == _ATTRIBUTE and name in vars(target):
        (type if isinstance(target, type) else object).__delattr__(target, name)


def _cell(function: types.FunctionType, name: str) -> types.CellType:
    return (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
