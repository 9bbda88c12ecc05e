"""The namespace, modules, streams and the shell of the side where a payload is read."""

from __future__ import annotations

import builtins
import importlib
import sys
import types
from typing import Any

from lambdamagic.codec import home as _home


def namespace() -> dict[str, Any]:
    """Return the globals of the home that is being loaded into."""
    return _home.active().namespace


def main_module() -> types.ModuleType:
    """Return the module whose `__dict__` is the home namespace."""
    return sys.modules["__main__"]


def module(name: str) -> types.ModuleType:
    """Import a module by its dotted name; one that this side lacks may have a stand-in."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = _home.active().missing
        if missing is None:
            raise
        stand_in: types.ModuleType = missing(name, "", error)
        return stand_in


def attribute(module_name: str, name: str) -> Any:
    """Return an attribute of an installed module: the very object of this side, whose changes stay here."""
    found = getattr(importlib.import_module(module_name), name)
    home = _home.active()
    if home.answers:
        home.of_modules.append(found)
    return found


def own_attribute(module_name: str, name: str) -> Any:
    """Return an attribute of a module of the user's own."""
    return getattr(importlib.import_module(module_name), name)


class SysStream:
    """A stream of `sys` by its name: whatever is there when it is used."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name.strip("_")

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self.__dict__["_name"]), name)

    def __reduce__(self) -> Any:
        return stream, (self.__dict__["_name"],)


def stream(name: str) -> Any:
    """Return `sys.stdout` and the like; in the function the stream of a running cell is another one."""
    if _home.active().answers:
        return SysStream(name)
    found = getattr(sys, name)
    return getattr(found, "silenced", found)  # while an answer is read


class Nothing:
    """The value of a part that only assigns a memo number."""


def nothing(_: Any) -> type[Nothing]:
    """Return no part."""
    return Nothing


class Apart:
    """The bytes of the parts that come next; the rest of the stream follows them."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any) -> None:
        self.stream = stream


def names_first(names: dict[str, Any]) -> type[Nothing]:
    """Bind names until the whole answer is read: the user's code that runs meanwhile may look them up."""
    _home.active().lend(names)
    return Nothing


def made_module(name: str) -> types.ModuleType:
    """Return an empty module that no import leads to."""
    return types.ModuleType(name)


def set_module(target: types.ModuleType, state: dict[str, Any]) -> None:
    """Set the module's names."""
    vars(target).update(state)


def globals_of(made: types.ModuleType) -> dict[str, Any]:
    """Return the names of a module, for a function that was made in it."""
    return vars(made)


def itself(value: Any) -> Any:
    """Return the argument."""
    return value


def empty_scope() -> dict[str, Any]:
    """Return an empty namespace of executed code; it is filled later, since its content may refer to it."""
    return {"__builtins__": vars(builtins)}


def scope_of_builtins() -> dict[str, Any]:
    """Return the `__builtins__` of a namespace of executed code."""
    return vars(builtins)


def module_globals(name: str) -> dict[str, Any]:
    """Return the globals of an importable module, for a function that was made inside it."""
    return importlib.import_module(name).__dict__


def display() -> Any:
    """Return what `IPython.display.display` means where this is read."""
    try:
        return importlib.import_module("IPython.display").display
    except ImportError:
        return _display


def _display(*objects: Any, **options: Any) -> Any:
    """Show objects by whatever `display` is when they are shown."""
    return builtins.display(*objects, **options)  # type: ignore[attr-defined]  # there while a cell runs


def shell() -> Any:
    """Return what `get_ipython()` returns where this is read."""
    try:
        return builtins.get_ipython()  # type: ignore[attr-defined]  # there while a cell runs
    except (AttributeError, NameError):  # no cell runs
        return None


def shell_method(name: str) -> Any:
    """Return a method of the shell; in the function, the shell of whichever cell runs when it is called."""
    found = shell()
    return getattr(found, name) if found is not None and not _home.active().answers else _ShellMethod(name)


class _ShellMethod:
    """Calls a method of the current shell."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(shell(), self._name)(*args, **kwargs)

    def __reduce__(self) -> Any:
        return shell_method, (self._name,)


def lines(found: list[str]) -> Any:
    """Return the lines that a command wrote as IPython gives them, or as a list where there is no IPython."""
    try:
        return importlib.import_module("IPython.utils.text").SList(found)
    except ImportError:
        return found


def timed(*measured: Any) -> Any:
    """Return what `%timeit -o` measured, as IPython gives it."""
    return importlib.import_module("IPython.core.magics.execution").TimeitResult(*measured)


def display_handle(display_id: str) -> Any:
    """Return the handle of a display."""
    return importlib.import_module("IPython.display").DisplayHandle(display_id)
