"""Tab completion of the magics' lines, and of pending names."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from lambdamagic.magics.lines import SUBCOMMANDS
from lambdamagic.magics.parse.arguments import option_choices, option_strings

if TYPE_CHECKING:
    from lambdamagic.magics.session import Session

_LINE = re.compile(r"^\s*(?:[\w.,\s]+=\s*)?(?P<percent>%%?)(?P<magic>lambda(?:_map)?)\s(?P<rest>.*)$", re.DOTALL)
_NAMES_AFTER = frozenset({"-i", "--input", "--exclude"})
_OUT = frozenset({"-o", "--out"})
_JOBS_AFTER = frozenset({"logs", "wait", "cancel", "attach"})


def matcher(session: Session, methods: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    """Return a matcher for the shell's completer.

    Args:
        session: Knows the names and the jobs.
        methods: The magics by name; their parsers know the options.
    """

    @context_matcher(identifier="lambdamagic")  # type: ignore[untyped-decorator,unused-ignore]  # IPython is partly typed
    def lambdamagic(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.text_until_cursor)
        is_ours = found is not None and (found["percent"] == "%" or context.cursor_line == 0)
        if found is None or not is_ours:
            return _result(session.background.claims.pending, context.token, kind="instance", alone=False)
        words = found["rest"].split()
        if found["rest"] and not found["rest"][-1].isspace():
            words.pop()  # the one that is being written
        if found["magic"] == "lambda" and found["percent"] == "%":
            return _result(_of_line(session, words), context.token, kind="keyword")
        return _result(_of_run(session, methods[found["magic"]], found, words, context), context.token, kind="param")

    found: Callable[..., Any] = lambdamagic
    return found


def _of_line(session: Session, words: list[str]) -> Iterable[str]:
    if not words:
        return SUBCOMMANDS
    if words[0] in _JOBS_AFTER and len(words) == 1:
        under_way = [job.job_id for job in session.background.jobs]
        if words[0] in ("wait", "cancel"):
            return ["all", *["last"] * bool(under_way), *under_way]
        return ["last"] * (words[0] == "logs") + [record.progress.job_id for record in reversed(session.history)]
    return ["--all"] if words == ["jobs"] else ()


def _of_run(
    session: Session, method: Callable[..., Any], found: re.Match[str], words: list[str], context: CompletionContext
) -> Iterable[str]:
    parser = method.parser  # type: ignore[attr-defined]  # magic_arguments puts it there
    takes_value = option_strings(parser)
    before = words[-1].rstrip(",") if words else ""
    if words and words[-1].endswith(",") and len(words) > 1:
        before = words[-2]
    if before in _NAMES_AFTER | _OUT:
        own = [name for name in session.shell.user_ns if name not in session.hidden and not name.startswith("_")]
        bound = _bound_in(context.full_text.partition("\n")[2]) if before in _OUT else []
        return [*bound, *(name for name in (*own, *session.background.claims.pending) if name not in bound)]
    if before == "--env":
        return sorted(os.environ)
    if takes_value.get(before):
        return option_choices(parser).get(before, ())
    if context.token.startswith("-"):
        return [name for name in takes_value if name not in words]
    if found["magic"] == "lambda_map":
        return _of_map(session, words, takes_value, is_cell=found["percent"] == "%%")
    return ()


def _of_map(session: Session, words: list[str], takes_value: dict[str, bool], *, is_cell: bool) -> Iterable[str]:
    """Return the notebook's callables where the map's is expected, and behind it what is none."""
    if is_cell:
        is_first = False
        if "in" not in words:
            return ()
    else:
        is_first = all(
            word.startswith("-") or takes_value.get(before, False)
            for before, word in zip(["", *words], words, strict=False)
        )
    space = session.shell.user_ns
    own = [name for name in tuple(space) if name not in session.hidden and not name.startswith("_")]
    return [name for name in own if callable(space[name]) == is_first]


def _bound_in(body: str) -> list[str]:
    try:
        tree = ast.parse(body)
    except SyntaxError:
        return []
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(names))


def _result(words: Iterable[str], token: str, *, kind: str, alone: bool = True) -> SimpleMatcherResult:
    found = [SimpleCompletion(text=word, type=kind) for word in words if word.startswith(token)]
    if not alone and not token:
        found = []
    return {"completions": found, "suppress": alone and bool(found)}
