"""State of the payload that is being written, shared by the pickling rules."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.frames import Written
from lambdamagic.codec.home import Home, is_importable
from lambdamagic.codec.module_names import NAMES, is_own
from lambdamagic.codec.shared import Shared


class Writing:
    """One payload that is being written.

    Attributes:
        functions: Functions that were taken by value, in order: the encoder captures the globals that they read.
        modules: Full names of the modules that the payload refers to.
        shared: Shared objects that the payload refers to, by digest.
        is_of_home: Whether something belongs to the home: its functions, its classes, the namespace itself.
        refers_to_functions: Whether functions that the other side finds by their names are referred to by these.
        share: Says which arrays are sent as shared objects; None for none.
        views: Arrays, by `id`, and the array whose memory they show: see `array_views`.
        given: Objects, by `id`, that are put into modules of the user's own and so are no references to these.
        made: Modules that code has made, by the `id` of their globals.
        scopes: Dictionaries, by `id`, in which code was run and which have a number already.
        globals_by_id: What stands for the globals of functions, by the `id` of these.
        whole: Objects, by `id`, and whether they are sent with all their attributes.
        is_tried: Whether this is only to find out if something can be written.
        has_own_pickling: Whether objects were met whose own pickling may have made what it gave.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.functions: list[types.FunctionType] = []
        self.modules: set[str] = set()
        self.shared: dict[str, Written] = {}
        self.is_of_home = False
        self.refers_to_functions = False
        self.share: Callable[[Any], Shared | None] | None = None
        self.views: dict[int, Any] = {}
        self.given: dict[int, Any] = {}
        self.made: dict[int, types.ModuleType] = {}
        self.scopes: dict[int, dict[str, Any]] = {}
        self.globals_by_id: dict[int, Any] = {}
        self.has_own_pickling = False
        self.whole: dict[int, tuple[Any, bool]] = {}
        self.is_tried = False
        self._is_fresh = False

    def owner_of(self, value: Any) -> tuple[str, str] | None:
        """Return the module that something belongs to and its name there; None if it is to be written by value."""
        if not self._is_fresh:
            NAMES.refresh()
            self._is_fresh = True
        found = NAMES.of(value)
        return None if found is None or self.is_given(value, found[0]) else found

    def is_given(self, value: Any, module: str) -> bool:
        """Whether an object that a module holds is put there by this payload."""
        return id(value) in self.given and is_own(sys.modules[module])

    def met(self, module: object) -> None:
        """Note that the payload refers to a module."""
        if isinstance(module, str):
            self.modules.add(module)

    def is_importable(self, value: Any, module: Any, qualname: str | None) -> bool:
        """Whether an import leads to something on the other side too; the module counts as referred to then."""
        if not is_importable(value, module, qualname, home=self.home):
            return False
        self.met(module)
        return True


#: Returns a reduce tuple, or NotImplemented where pickle's own way is right.
Rule = Callable[[Writing, Any], Any]
