"""Names that the user has put into `builtins`: code of the notebook reads them like its globals."""

from __future__ import annotations

import builtins
from collections import ChainMap
from collections.abc import Mapping
from types import BuiltinFunctionType
from typing import Any, cast


def with_builtins_of_the_user(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the notebook's names, and those that the user has put into `builtins`."""
    extra = {
        name: value
        for name, value in vars(builtins).items()
        if name not in _BUILTINS and name[:2] != "__" and not _is_of_a_tool(value)
    }
    return ChainMap(cast("dict[str, Any]", namespace), extra) if extra else namespace


#: Names of `builtins` that Python, `site` and IPython have put there.
_BUILTINS = frozenset(
    {name for name, value in vars(builtins).items() if isinstance(value, type | BuiltinFunctionType)}
    | {"None", "True", "False", "Ellipsis", "NotImplemented", "_", "copyright", "credits", "license"}
    | {"exit", "quit", "help", "open", "display", "get_ipython", "runfile", "debugfile"}
)


def _is_of_a_tool(value: object) -> bool:
    """Whether a debugger or IPython put it there."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return isinstance(module, str) and module.partition(".")[0] in _TOOLS


_TOOLS = frozenset({"_pydev_bundle", "_pydevd_bundle", "pydevd", "debugpy", "IPython", "ipykernel"})
