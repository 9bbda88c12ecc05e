"""Names in a notebook's namespace that IPython put there."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: `_`, `__`, `___`, `_12`: results that IPython put into the namespace, and that people use.
_RESULT_NAME = re.compile(r"_{1,3}|_\d+")


class HiddenNames(Container[str]):
    """Names in the namespace that IPython put there and that the user has not changed, results apart."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __contains__(self, name: object) -> bool:
        hidden: Mapping[Any, Any] = self._shell.user_ns_hidden
        if name not in hidden or self._shell.user_ns.get(name) is not hidden[name]:
            return False
        return not (isinstance(name, str) and _RESULT_NAME.fullmatch(name))
