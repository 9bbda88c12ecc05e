"""The source of a magic's cell: transformed to Python, and registered for tracebacks under the cell's name."""

from __future__ import annotations
import __future__

import ast
import linecache
import sys
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Compiler flags of all __future__ features.
FUTURES = 0
for _feature in __future__.all_feature_names:
    FUTURES |= getattr(__future__, _feature).compiler_flag

_CODE_MAGICS = ("time", "timeit")


def python_of(shell: InteractiveShell, body: str) -> str:
    """Transform a cell's body to Python; the body of a leading %%time is transformed too."""
    # IPython drops empty lines at the top, and would number the others by so many less than the user sees.
    dropped = list(takewhile(lambda line: not line.strip(), body.split("\n")))
    text: str = "\n" * len(dropped) + shell.transform_cell(body)
    if not body.lstrip().startswith("%%"):
        return text
    tree = ast.parse(text)
    call: Any = tree.body[0].value if tree.body and isinstance(tree.body[0], ast.Expr) else None
    if isinstance(call, ast.Call) and len(call.args) == 3:
        name, inner = call.args[0], call.args[2]
        if isinstance(name, ast.Constant) and name.value in _CODE_MAGICS and isinstance(inner, ast.Constant):
            inner.value = shell.transform_cell(inner.value)
            return ast.unparse(tree) + "\n"
    return text


def named_expression(shell: InteractiveShell, text: str) -> tuple[str, str]:
    """Return an expression of a magic's line for `compile`, and a file name under which tracebacks find its line."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals is not shell.user_ns:
        frame = frame.f_back
    above = frame.f_lineno - 1 if frame.f_globals is shell.user_ns else 0
    cell = shell.history_manager.input_hist_raw[-1] if shell.history_manager is not None else ""
    if text not in "".join(cell.splitlines()[above : above + 1]):  # called by a function, or without a history
        above, cell = 0, text
    filename: str = shell.compile.cache(f"\n{cell}", shell.displayhook.prompt_count)
    linecache.cache[filename] = (len(cell), None, cell.splitlines(keepends=True), filename)
    return "\n" * above + text, filename


@dataclass(frozen=True)
class CellText:
    """A magic's cell.

    Attributes:
        magic_line: Its first line, the magic's own.
        body: What stands below, as the user wrote it.
        python: The same as Python.
    """

    magic_line: str
    body: str
    python: str

    @classmethod
    def of(cls, shell: InteractiveShell, magic_line: str, body: str) -> CellText:
        """Return a cell's text, transformed."""
        try:
            return cls(magic_line, body, python_of(shell, body))
        except SyntaxError as error:
            # IPython has read the body only; what the user sees begins with the magic.
            error.lineno = None if error.lineno is None else error.lineno + 1
            raise

    @property
    def has_only_comments(self) -> bool:
        """Whether there is nothing to run."""
        return all(not line.strip() or line.lstrip().startswith("#") for line in self.python.splitlines())

    def named(self, shell: InteractiveShell) -> str:
        """Return the file name of the cell and let tracebacks and `inspect.getsource` find its lines under it.

        The first line is the magic's own, so that line numbers are those that the user sees.
        """
        body, python = self.body, self.python
        # The running cell's number: newer IPython counts before it runs a cell, older after it. The hook knows which.
        number = shell.displayhook.prompt_count
        filename: str = shell.compile.cache(f"\n{python}", number, raw_code=f"{self.magic_line}\n{body}")
        shown = body if body.count("\n") == python.count("\n") else python
        text = f"{self.magic_line}\n{shown}"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        return filename
