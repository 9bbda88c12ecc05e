"""The imports of a source file, read from its text without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lambdamagic.capture.source_files import content_of, stat_of

_OPTIONAL = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
#: A file that uses one of these names may import modules that its text does not name.
_DYNAMIC = frozenset(
    {"__import__", "__path__", "attach", "attach_stub", "entry_points", "exec_module", "import_module"}
    | {"iter_modules", "LazyLoader", "run_module", "walk_packages"}
)


class Imported(NamedTuple):
    """One import statement of a file.

    Attributes:
        level: The number of leading dots.
        module: What follows them; "" for `from . import name`.
        members: The names after `import` in a `from` statement.
        is_optional: Whether the file continues without it (`try: ... except ImportError:`).
    """

    level: int
    module: str
    members: tuple[str, ...]
    is_optional: bool


class FileImports(NamedTuple):
    """The imports of a file, and whether it may import what its text does not name."""

    statements: tuple[Imported, ...]
    is_dynamic: bool


def imports_in(path: Path) -> FileImports:
    """Return the imports of a file, anywhere in it. One that cannot be read or parsed has none: it fails there."""
    try:
        status = stat_of(path)
        return _imports_in(str(path), status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError):
        return FileImports((), False)


def modules_in(files: tuple[tuple[str, Path], ...]) -> dict[str, Path]:
    """Return the Python files among files with paths relative to their import root, by the names of their modules."""
    return {
        relative.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for relative, path in files
        if relative.endswith(".py")
    }


def imported_by(name: str, files: Mapping[str, Path], *, optional: bool = True) -> Iterator[str]:
    """Yield the full names of the modules that a module imports.

    Args:
        name: The module's full name.
        files: The user's own modules by their names, as `modules_in` returns them.
        optional: Whether to include imports that the module can do without.
    """
    path = files[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for statement in imports_in(path).statements:
        if statement.is_optional and not optional:
            continue
        module = statement.module
        if statement.level:
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - statement.level + 1])
            module = f"{base}.{module}" if module else base
        yield module
        # A member may be a module; whether it is one, only the user's own files say.
        yield from (f"{module}.{member}" for member in statement.members if f"{module}.{member}" in files)


@lru_cache(maxsize=4096)
def _imports_in(path: str, _mtime_ns: int, _size: int) -> FileImports:
    found: list[Imported] = []
    names: set[str] = set()
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(content_of(Path(path))), False)]
    while waiting:
        node, is_optional = waiting.pop()
        if isinstance(node, ast.Import):
            found += [Imported(0, alias.name, (), is_optional) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            members = tuple(alias.name for alias in node.names)
            found.append(Imported(node.level, node.module or "", members, is_optional))
            names.update(members)
        elif isinstance(node, ast.Try) and any(_catches_import_error(handler) for handler in node.handlers):
            waiting += [(each, True) for each in (*node.body, *node.handlers)]
            waiting += [(each, is_optional) for each in (*node.orelse, *node.finalbody)]
        else:
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            waiting += [(each, is_optional) for each in ast.iter_child_nodes(node)]
    return FileImports(tuple(found), not _DYNAMIC.isdisjoint(names))


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _OPTIONAL for kind in kinds)
