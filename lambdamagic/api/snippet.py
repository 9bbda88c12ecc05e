"""Run Python source on a function as a cell, without a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.errors import LambdaMagicError

# Runs in Lambda. It is sent as a text, since this module is not there; so it holds nothing but the standard library.
# What the source prints comes back, and goes into the function's log too.
_BODY = """
import ast, contextlib, io, sys
class Both(io.StringIO):
    def write(self, text):
        log.write(text)
        return super().write(text)
log = sys.stdout
tree = ast.parse(source, "<snippet>")
last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
space, shown, printed = {"__name__": "__main__"}, None, Both()
with contextlib.redirect_stdout(printed):
    exec(compile(tree, "<snippet>", "exec"), space)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<snippet>", "eval"), space)
        shown = None if value is None else repr(value)
"""
_CALL = "exec(body, scope) or (scope['printed'].getvalue(), scope['shown'])"


@dataclass(frozen=True)
class Snippet:
    """The outcome of a snippet.

    Attributes:
        output: What it printed.
        shown: The value of its last expression, as `repr` has it; None if there is none.
        failure: What it raised.
    """

    output: str = ""
    shown: str | None = None
    failure: BaseException | None = None


def run_snippet(source: str, **options: Any) -> Snippet:
    """Run Python source in one invocation, which is billed.

    Args:
        source: The text.
        **options: As `LambdaExecutor` takes them.

    Raises:
        SyntaxError: It is no Python; nothing was sent.
        LambdaMagicError: It could not be run.
    """
    try:
        compile(source, "<snippet>", "exec")
    except ValueError as error:  # of null bytes, before Python 3.11.4
        raise SyntaxError(str(error)) from None
    with LambdaExecutor(max_workers=1, stdout="drop", **options) as executor:
        future = executor.submit(eval, _CALL, {"body": _BODY, "scope": {"source": source}})
        failure = future.exception()
    if isinstance(failure, LambdaMagicError):
        raise failure
    if failure is not None:
        return Snippet(failure=failure)
    output, shown = future.result()
    return Snippet(output, shown)
