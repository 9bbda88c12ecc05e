"""The calls that IPython turns `!cmd`, `%magic` and `%%magic` into: which can run remotely, and what they read.

IPython's own transformation has happened before: `!ls {x}` arrives as `get_ipython().system('ls {x}')`.
"""

from __future__ import annotations

import ast
import re
import string
import warnings
from collections.abc import Callable, Iterator
from types import CodeType
from typing import NamedTuple

from lambdamagic.capture.name_events import Embedded
from lambdamagic.errors import UnsupportedInCellError

SUPPORTED_LINE_MAGICS = frozenset({"time", "timeit", "pwd", "cd", "env", "matplotlib", "pip"})
SUPPORTED_CELL_MAGICS = frozenset({"time", "timeit", "bash", "sh", "writefile"})

_CODE_MAGICS = frozenset({"time", "timeit"})
_OPTIONS = re.compile(r"(?:\s*(?:--[\w-]+|-[nrpv]\s*\S+|-[tcqo]+)(?=\s|$))*\s*")
_DOLLAR = re.compile(r"\$(\$?)([A-Za-z_]\w*)")


class EmbeddedCode(NamedTuple):
    """Code found as text; binds says whether the names that it stores become the cell's."""

    code: CodeType
    binds: bool


def pieces_of(call: Embedded, transform: Callable[[str], str]) -> list[EmbeddedCode]:
    """Return the code that the call carries as text. What is no valid Python is left to fail when it runs.

    Args:
        call: What was found in the code.
        transform: Turns IPython syntax into Python, for the bodies of magics.
    """
    first, *rest = call.texts
    if call.function in ("exec", "eval"):
        return list(_compiled(first.lstrip(" \t") if call.function == "eval" else first, call.function, call.line))
    if call.function in ("system", "getoutput"):
        return list(_interpolated(first, call.line))
    line = rest[0] if rest else ""
    if first not in _CODE_MAGICS:
        return list(_interpolated(line, call.line))
    binds = first == "time"
    pieces = list(_compiled(transform(_OPTIONS.sub("", line, count=1)), "exec", call.line, binds))
    if len(rest) > 1:
        pieces += _compiled(transform(rest[1]), "exec", call.line + 1, binds)
    return pieces


def refuse_unsupported(call: Embedded) -> None:
    """Raise if the call is a magic that cannot run remotely.

    Raises:
        UnsupportedInCellError: It names the magic and its line.
    """
    name = call.texts[0]
    if call.function == "run_line_magic" and name not in SUPPORTED_LINE_MAGICS:
        shown, others = f"%{name}", ", ".join(f"%{known}" for known in sorted(SUPPORTED_LINE_MAGICS))
    elif call.function == "run_cell_magic" and name not in SUPPORTED_CELL_MAGICS:
        shown, others = f"%%{name}", ", ".join(f"%%{known}" for known in sorted(SUPPORTED_CELL_MAGICS))
    else:
        return
    raise UnsupportedInCellError(
        f"line {call.line}: {shown} cannot run on Lambda",
        hint=f"Move {shown} to a cell without %%lambda. These work remotely: {others}",
    )


def _compiled(text: str, mode: str, line: int, binds: bool = True) -> Iterator[EmbeddedCode]:
    with warnings.catch_warnings():
        # Python warns when the text really runs; once is enough.
        warnings.simplefilter("ignore")
        try:
            # Padded, so that the lines of what is found are the cell's.
            code = compile(
                "\n" * (line - 1) + text, "<embedded>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
            )
        except (SyntaxError, ValueError):
            return
    yield EmbeddedCode(code, binds)


def _interpolated(text: str, line: int) -> Iterator[EmbeddedCode]:
    """What IPython evaluates within a command's text: {expression} and $name."""
    try:
        fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name]
    except ValueError:  # unbalanced braces: IPython leaves such a text alone
        fields = []
    for name, spec in fields:
        yield from _compiled(name.strip(), "eval", line)
        if spec:
            yield from _interpolated(spec, line)
    for escaped, name in _DOLLAR.findall(text):
        if not escaped:
            yield from _compiled(name, "eval", line)
