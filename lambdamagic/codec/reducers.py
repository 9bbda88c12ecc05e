"""Pickling rules for objects that pickle does not handle as a notebook needs it.

Plain pickle refers to functions and classes by module and name, which is right for installed code and useless for a
notebook's. Here notebook code is taken apart by value, with one twist that neither dill nor cloudpickle has: all
functions of the notebook keep pointing at ONE global namespace (see `home`), cells of closures stay shared, and a class
keeps its identity across the trip. The rules are in `reduce_code`, `reduce_values`, `reduce_instances` and
`reduce_arrays`.
"""

from __future__ import annotations

import copyreg
import operator
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import rebuild, reduce_code, reduce_library, reduce_values
from lambdamagic.codec.module_names import is_own, name_of_nan
from lambdamagic.codec.reduce_arrays import numpy_rule, pandas_block, refer_to_shared
from lambdamagic.codec.reduce_code import class_rule, module_rule
from lambdamagic.codec.reduce_instances import exception_rule, instance_rule, needs_rule, state_with_originals
from lambdamagic.codec.reduce_values import dataclass_sentinel, reduced_quietly
from lambdamagic.codec.shared import Shared
from lambdamagic.codec.writing import Rule, Writing


class Reducers(Writing):
    """The by-value rules, bound to one home and one payload."""

    def reduce(self, value: Any) -> Any:
        """Return a reduce tuple, or NotImplemented where pickle's own way is right."""
        owner = self.owner_of(value)
        if owner is not None:
            return self._reference(*owner)
        cls = type(value)  # `isinstance` would ask the object for its class: code of the user's may count that
        rule = _RULES.get(cls)
        if rule is not None:
            return rule(self, value)
        if issubclass(cls, Shared):
            return refer_to_shared(self, value)
        if issubclass(cls, types.ModuleType):
            return module_rule(self, value)
        if issubclass(cls, type):
            return class_rule(self, value)
        if issubclass(cls, BaseException):
            return exception_rule(self, value)
        module = cls.__module__
        self.met(module)
        if module == "numpy":
            return numpy_rule(self, value)
        if module == "numpy.dtypes" and value.isbuiltin == 1:
            dtype = sys.modules["numpy"].dtype  # there is one of each; `long long` is not `long`, though equal to it
            return dtype, (value.str if dtype(value.str) is value else value.char,)
        if module == "dataclasses" and (sentinel := dataclass_sentinel(value)) is not None:
            return sentinel
        if module == "lambdamagic.api.remote_function" and type(value).__name__ == "RemoteFunction":
            return operator.itemgetter(0), ((value.__wrapped__,),)  # on Lambda it is the plain function
        if module == "pandas.core.internals.blocks":
            return pandas_block(value)
        if module == "unittest.mock" and hasattr(type(value), "_mock_add_spec"):
            raise pickle.PicklingError("a mock answers whatever pickle asks it")
        if module == "ctypes":
            return reduce_library.of_ctypes(self, value)
        if issubclass(cls, reduce_library.Local):
            return reduce_library.local_rule(self, value)
        ipython = sys.modules.get("IPython.core.interactiveshell")
        if ipython is not None and issubclass(cls, ipython.InteractiveShell):
            return rebuild.shell, ()
        widgets = sys.modules.get("ipywidgets")
        if widgets is not None and issubclass(cls, widgets.Widget):
            raise pickle.PicklingError(
                "widgets work only in the notebook's own process: make it in a cell without %%lambda"
            )
        is_the_users = self.home.is_own_name(module)
        if module in rebuild.CONSTANTS or (is_the_users and rebuild.is_with_constants(type(value)) is not None):
            return reduce_library.constants_rule(self, value)
        if is_the_users or needs_rule(type(value)):
            found = instance_rule(self, value)
            if found is NotImplemented:
                self.has_own_pickling = True
                return state_with_originals(value)
            return found
        self.has_own_pickling = True
        return NotImplemented

    def _reference(self, module: str, name: str) -> Any:
        """Refer to what belongs to a module by its name there."""
        if module == "sys" and name in ("stdout", "stderr", "stdin", "__stdout__", "__stderr__", "__stdin__"):
            return rebuild.stream, (name,)
        self.met(module)
        return _attribute(module), (module, name)

    def _rewritten(self, value: Rewritten) -> Any:
        self.given[id(value.value)] = value.value  # not by its name in a module
        found = self.reduce(value.value)
        if found is NotImplemented:
            found = reduced(value.value)
        # pickle would ask whether the object that it writes is of this class; a text has no such beginning.
        if found[0] is copyreg.__newobj__:  # type: ignore[attr-defined]
            return rebuild.made, *found[1:]
        if found[0] is copyreg.__newobj_ex__:  # type: ignore[attr-defined]
            return rebuild.made_ex, *found[1:]
        return found


def reduced(value: Any) -> Any:
    """Return pickle's default reduction of an object: a reduce tuple, or the name of a global."""
    if type(value).__module__ == "itertools":
        return reduced_quietly(value)
    reduce: Any = copyreg.dispatch_table.get(type(value))
    return value.__reduce_ex__(5) if reduce is None else reduce(value)


class Rewritten:
    """Wraps an object that must be written again instead of by its memo number."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class ModuleReference:
    """Refers to a module's list, dictionary or set, which pickle would otherwise write by value."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


def _attribute(module: str) -> Callable[[str, str], Any]:
    return rebuild.own_attribute if is_own(sys.modules[module]) else rebuild.attribute


def as_reference(value: Any) -> Any:
    """Return what is written for a value about which pickle does not ask us: a reference if it belongs to a module."""
    found = name_of_nan(value) if type(value) is float else None
    return value if found is None else ModuleReference(*found)


_RULES: dict[type, Rule] = {
    **reduce_code.RULES,
    **reduce_values.RULES,
    **reduce_library.RULES,
    Rewritten: Reducers._rewritten,  # type: ignore[dict-item]  # there is no other Writing
    ModuleReference: lambda _, value: (_attribute(value.module), (value.module, value.name)),
}
