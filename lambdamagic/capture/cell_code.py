"""A cell's text as code: compiled with the notebook's line numbers, its last expression kept as the value."""

from __future__ import annotations

import ast
import io
import tokenize
from types import CodeType
from typing import NamedTuple

from lambdamagic.errors import CaptureError

VALUE_NAME = "__lambdamagic_value__"


class Cell(NamedTuple):
    """A compiled cell."""

    tree: ast.Module  # as the user wrote it
    code: CodeType
    source: str  # padded
    value_name: str | None
    is_async: bool


def compile_cell(source: str, filename: str, first_line: int = 1, flags: int = 0) -> Cell:
    """Compile a cell.

    Args:
        source: The cell's Python, with IPython's syntax already transformed.
        filename: The name that tracebacks show.
        first_line: The line of the notebook's cell on which source begins.
        flags: Compiler flags that are on in the notebook: __future__ features, and those that IPython sets.

    Raises:
        CaptureError: There is nothing to run.
        SyntaxError: As Python raises it, with the notebook cell's line.
    """
    padded = "\n" * (first_line - 1) + source
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    # dont_inherit: this module's own __future__ import is not the user's.
    tree = compile(padded, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    if not tree.body:
        raise CaptureError("the cell is empty", hint="Write the code below the %%lambda line")
    last = tree.body[-1]
    runs, value_name = tree, None
    if isinstance(last, ast.Expr) and not _is_silenced(padded):
        value_name = VALUE_NAME
        target = ast.copy_location(ast.Name(VALUE_NAME, ast.Store()), last)
        runs = ast.Module([*tree.body[:-1], ast.copy_location(ast.Assign([target], last.value), last)], [])
    code = compile(runs, filename, "exec", flags, dont_inherit=True)
    return Cell(tree, code, padded, value_name, bool(code.co_flags & _CO_COROUTINE))


_INCOMPLETE = (
    0x4000  # codeop.PyCF_ALLOW_INCOMPLETE_INPUT: a cell that ends too early is "incomplete input", as in IPython
)
_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect is slow to import


def _is_silenced(source: str) -> bool:
    """Whether the last thing in source is a semicolon, comments apart: IPython's sign for no output."""
    if ";" not in source:
        return False
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in skipped]
    return bool(tokens) and tokens[-1].string == ";"
