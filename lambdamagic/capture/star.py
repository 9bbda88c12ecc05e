"""Which names `from module import *` binds, found without running any code of the module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lambdamagic.capture.modules import contents, find_spec
from lambdamagic.capture.name_events import StarImport


class StarNames(NamedTuple):
    """Names bound by a star import: those surely bound, and those bound only perhaps."""

    sure: frozenset[str]
    maybe: frozenset[str]


def star_names(star: StarImport, cell_dir: Path | None = None) -> StarNames:
    """Return the names that a star import binds.

    Args:
        star: The import.
        cell_dir: The notebook's folder.
    """
    found = None if star.level else _names_of(star.module, cell_dir, set())
    # What is not known here is seen when it has run: the names that are read later come along if the notebook has them.
    return StarNames(frozenset(), frozenset()) if found is None else found


def _names_of(module: str, cell_dir: Path | None, seen: set[str]) -> StarNames | None:
    if module in seen:  # a cycle of star imports adds nothing new
        return StarNames(frozenset(), frozenset())
    seen.add(module)
    loaded = sys.modules.get(module)
    if loaded is not None:
        held = contents(loaded)
        exported = held.get("__all__")
        names = exported if isinstance(exported, list | tuple) else [name for name in held if name[:1] != "_"]
        return StarNames(frozenset(map(str, names)), frozenset())
    spec = find_spec(module, cell_dir)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    return _StarReader(package, cell_dir, seen).read(tree)


class _StarReader:
    """Reads the names which a module binds at its top level."""

    def __init__(self, package: str, cell_dir: Path | None, seen: set[str]) -> None:
        self.package = package
        self.cell_dir = cell_dir
        self.seen = seen
        self.sure: set[str] = set()
        self.maybe: set[str] = set()
        self.exported: list[str] | None = None

    def read(self, tree: ast.Module) -> StarNames | None:
        if not all(self.statement(statement, self.sure) for statement in tree.body):
            return None
        if self.exported is not None:
            return StarNames(frozenset(self.exported), frozenset())
        public = {name for name in self.sure if not name.startswith("_")}
        return StarNames(frozenset(public), frozenset(n for n in self.maybe if n[:1] != "_") - public)

    def statement(self, node: ast.stmt, into: set[str]) -> bool:
        """Take in one statement; False if it makes the names unknowable."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            into.add(node.name)
            return True
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            return self.star(node, into)
        if isinstance(node, ast.Import | ast.ImportFrom):
            into.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            return True
        targets = _assigned(node)
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return self.all(node)
        for target in targets:
            into.update(name.id for name in ast.walk(target) if isinstance(name, ast.Name))
        if isinstance(node, ast.Delete):
            gone = {target.id for target in node.targets if isinstance(target, ast.Name)}
            self.sure -= gone
            self.maybe -= gone
        into.update(n.target.id for n in _shallow(node) if isinstance(n, ast.NamedExpr))
        # What stands within if, try, for, while, with and match is bound only perhaps.
        return all(self.statement(child, self.maybe) for child in _shallow(node) if isinstance(child, ast.stmt))

    def star(self, node: ast.ImportFrom, into: set[str]) -> bool:
        parts = self.package.split(".")
        base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
        names = _names_of(".".join(filter(None, [base, node.module])), self.cell_dir, self.seen)
        if names is None:
            return False
        into |= names.sure
        self.maybe |= names.maybe
        return True

    def all(self, node: ast.stmt) -> bool:
        try:
            names = [str(name) for name in ast.literal_eval(getattr(node, "value"))]  # noqa: B009 - by kind of statement
        except (ValueError, TypeError):
            return False
        self.exported = names if isinstance(node, ast.Assign | ast.AnnAssign) else [*(self.exported or ()), *names]
        return True


def _assigned(node: ast.stmt) -> Iterable[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AnnAssign):
        return [node.target] if node.value is not None else []
    if isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor):
        return [node.target]
    if isinstance(node, ast.With | ast.AsyncWith):
        return [item.optional_vars for item in node.items if item.optional_vars is not None]
    return []


def _shallow(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, not those within nested functions, classes and statements."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.stmt | ast.Lambda):
            yield from _shallow(child)


class Stars:
    """Star imports, each resolved once."""

    def __init__(self, names_of: Callable[[StarImport, Path | None], StarNames], cell_dir: Path | None) -> None:
        self._names_of, self._cell_dir = names_of, cell_dir
        self.known: dict[StarImport, StarNames] = {}

    def names(self, star: StarImport) -> StarNames:
        """Return what a star import binds."""
        if star not in self.known:
            self.known[star] = self._names_of(star, self._cell_dir)
        return self.known[star]
