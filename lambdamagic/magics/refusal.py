"""A cell that reads pending names waits for them, or raises the failed job's error."""

from __future__ import annotations

import ast
import secrets
from typing import TYPE_CHECKING, Any

from lambdamagic.capture import touched_names
from lambdamagic.magics.background import Background
from lambdamagic.magics.parse.source import FUTURES

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_refusals: dict[str, BaseException] = {}


class WaitingCells(ast.NodeTransformer):
    """Makes a cell wait for the names that it reads: one of the shell's AST transformers.

    A cell that cannot run is exchanged for one that raises why. IPython's `InputRejected` would hide the error's type.
    """

    def __init__(self, shell: InteractiveShell, background: Background, hidden: Any) -> None:
        self._shell, self._background, self._hidden = shell, background, hidden

    def visit(self, node: ast.AST) -> Any:
        """Wait if the cell reads what is pending."""
        if not isinstance(node, ast.Module) or not self._background.claims.pending:
            return node
        try:
            self._background.cell_touches(
                touched_names(
                    node,
                    tuple(self._background.claims.pending),
                    self._shell.user_ns,
                    hidden=self._hidden,
                    transform=self._shell.transform_cell,
                    flags=self._shell.compile.flags & FUTURES,
                )
            )
        except BaseException as error:  # noqa: BLE001  # whatever the job raised is what the cell raises
            return _raising(error)
        return node


def _raising(error: BaseException) -> ast.Module:
    token = secrets.token_hex(8)
    _refusals[token] = error
    return ast.parse(f"__import__({__name__!r}, fromlist=['_']).refuse({token!r})")


def refuse(token: str) -> None:
    """Raise the error for which a cell was not run, in its place."""
    raise _refusals.pop(token)
