"""Effects of a local cell on certain names, determined before it runs, while their values are pending."""

from __future__ import annotations

import ast
import re
from collections import ChainMap
from collections.abc import Collection, Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lambdamagic.capture.cell_code import Cell
from lambdamagic.capture.name_events import StarImport
from lambdamagic.capture.needs import Needs
from lambdamagic.capture.star import StarNames, star_names
from lambdamagic.capture.summary import Transform
from lambdamagic.errors import UnsupportedInCellError

_WORD = re.compile(r"[^\W\d]\w*")
#: Our own magics look at their bodies and arguments by themselves.
_OWN_MAGICS = frozenset({"lambda", "lambda_map"})


class Touched(NamedTuple):
    """A cell's effects on the requested names.

    Attributes:
        read: Those whose value from before it can see or delete, also by way of the notebook's functions.
        rebound: Those that it does not read, and that surely have another value at its end.
    """

    read: frozenset[str]
    rebound: frozenset[str]


def touched_names(
    tree: ast.Module,
    names: Collection[str],
    namespace: Mapping[str, Any],
    *,
    hidden: Container[str] = (),
    transform: Transform,
    flags: int = 0,
) -> Touched:
    """Return what a cell does to names. Nothing is run or changed.

    A name in the text of a shell command or of a magic counts as read; so does one that is in a string of a cell
    that calls `globals`, `exec` or the like.

    Args:
        tree: The cell, IPython's syntax transformed.
        names: The names in question; they need not exist in the namespace.
        namespace: The notebook's globals.
        hidden: Names of the namespace that are the shell's and not the user's.
        transform: Turns IPython syntax into Python, for the bodies of magics.
        flags: Compiler flags of the __future__ features on in the notebook.

    Returns:
        Nothing at all for a tree that cannot be compiled: running it says why.
    """
    try:
        needs = _needs(tree, names, namespace, hidden, transform, flags)
        at_end = _needs(_with_reads(tree, names), names, namespace, hidden, transform, flags)
    except (SyntaxError, ValueError):
        return Touched(frozenset(), frozenset())
    read = needs.seen & set(names)
    texts = [text for call in needs.totals.embedded if call.texts[0] not in _OWN_MAGICS for text in call.texts]
    if needs.totals.dynamic:
        texts += [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is str]
    read |= {word for text in texts for word in _WORD.findall(text)} & set(names)
    return Touched(frozenset(read), frozenset((set(names) & needs.totals.stores.keys()) - at_end.seen))


def _needs(
    tree: ast.Module,
    names: Collection[str],
    namespace: Mapping[str, Any],
    hidden: Container[str],
    transform: Transform,
    flags: int,
) -> Needs:
    code = compile(tree, "<cell>", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    existing = ChainMap(dict.fromkeys(names), dict(namespace))
    needs = Needs(existing, exclude=(), hidden=_Without(hidden, names), cell_dir=None, transform=transform, star=_star)
    source = "with" if any(isinstance(node, ast.With | ast.AsyncWith) for node in ast.walk(tree)) else ""
    needs.add_cell(Cell(tree, code, source, None, False), ())
    return needs


def _star(star: StarImport, cell_dir: Path | None) -> StarNames:
    # One that cannot be resolved is no reason to refuse a cell that runs here: the import itself says what is wrong.
    try:
        return star_names(star, cell_dir)
    except UnsupportedInCellError:
        return StarNames(frozenset(), frozenset())


def _with_reads(tree: ast.Module, names: Collection[str]) -> ast.Module:
    """Return the cell with each name read at its end: a read that sees nothing from before says that it is rebound."""
    reads = [ast.Expr(ast.Name(name, ast.Load())) for name in names]
    return ast.fix_missing_locations(ast.Module([*tree.body, *reads], []))


class _Without(Container[str]):
    def __init__(self, hidden: Container[str], names: Collection[str]) -> None:
        self._hidden, self._names = hidden, frozenset(names)

    def __contains__(self, name: object) -> bool:
        return name not in self._names and name in self._hidden
