"""Rebuild readers, views of memory, threads and parsers of the standard library from their parts."""

from __future__ import annotations

import _csv
import _thread
import importlib
import weakref
from typing import Any

from lambdamagic.codec import known_digest, memory_views
from lambdamagic.codec.rebuild_instances import set_state

#: What modules compare by identity although it is a string or a tuple, which pickle writes by value.
CONSTANTS = {"argparse": ("SUPPRESS",), "optparse": ("NO_DEFAULT", "SUPPRESS_HELP")}


def ended_thread(ident: int) -> Any:
    """Return the handle of a thread that has ended (Python 3.13 and newer)."""
    made = _thread._make_thread_handle(ident)  # type: ignore[attr-defined]
    made._set_done()
    return made


def csv_dialect(options: dict[str, Any]) -> Any:
    """Return a dialect as readers and writers hold it."""
    return _csv.reader((), **options).dialect


def csv_reader(source: Any, dialect: Any, lines: int) -> Any:
    """Return a reader that has read so many lines."""
    made = _csv.reader(AfterLines(source, lines) if lines else source, dialect)
    for _ in range(lines):
        next(made)
    return made


class AfterLines:
    """Gives empty lines before those of a source, so that a reader counts them."""

    def __init__(self, source: Any, lines: int) -> None:
        self.source, self._lines = source, lines

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> str:
        if self._lines:
            self._lines -= 1
            return ""
        return str(next(self.source))


def csv_writer(write: Any, dialect: Any) -> Any:
    """Return a writer that writes with a file's method."""
    return _csv.writer(write.__self__ if hasattr(write, "__self__") else _WithWrite(write), dialect)


class _WithWrite:
    """What a writer needs of a file."""

    def __init__(self, write: Any) -> None:
        self.write = write


def memory_view(*parts: Any) -> Any:
    """Return a view of an object's memory; see `memory_views.view`."""
    return memory_views.view(*parts)


def hash_object(*parts: Any) -> Any:
    """Return a hash object of `hashlib`; see `known_digest.again`."""
    return known_digest.again(*parts)


def weak_method(method: Any) -> Any:
    """Return a weak reference to a method; one that leads to nothing for None."""
    return weakref.WeakMethod(_Gone().method if method is None else method)


def weak_proxy(target: Any) -> Any:
    """Return a weak proxy; one that stands for nothing for None."""
    return weakref.proxy(_Gone() if target is None else target)


class _Gone:
    """Whose method is gone."""

    def method(self) -> None:
        """Do nothing."""


def thread_local(cls: Any) -> Any:
    """Return a `threading.local` without attributes."""
    return cls.__new__(cls)


def set_local(target: Any, state: dict[str, Any]) -> None:
    """Give it the attributes of this thread."""
    vars(target).update(state)


def with_constants(state: dict[str, Any], module: str) -> dict[str, Any]:
    """Return attributes with a module's constants in place of what is equal to them."""
    constants = [getattr(importlib.import_module(module), name) for name in CONSTANTS.get(module, ())]
    return {
        name: next((each for each in constants if type(each) is type(item) and each == item), item)
        for name, item in state.items()
    }


def set_with_constants(target: Any, state: dict[str, Any]) -> None:
    """Give an object its attributes."""
    module = is_with_constants(type(target))
    set_state(target, state if module is None else with_constants(state, module))


def c_library(cls: type, name: str | None) -> Any:
    """Return a library of C, loaded in this process."""
    return cls(name)


def c_function(library: Any, name: str, restype: Any, argtypes: Any) -> Any:
    """Return a function of a library."""
    made = library[name]
    if made.restype is not restype:
        made.restype = restype
    if argtypes is not None:
        made.argtypes = argtypes
    return made


def is_with_constants(cls: type) -> str | None:
    """Return the module of a class's constants, if its objects hold any."""
    return next((base.__module__ for base in cls.__mro__ if base.__module__ in CONSTANTS), None)
