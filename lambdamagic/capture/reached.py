"""What the user's own modules import in turn, as far as the code that travels reaches them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from lambdamagic.capture.modules import OwnModule, content_of, stat_of

_OPTIONAL = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def reached_imports(names: Iterable[str], own: Iterable[OwnModule]) -> set[str]:
    """Follow names through the user's own modules; return the other modules that are reached, full names.

    What an own module imports and can do without (`try: ... except ImportError:`) is left out, and so is what it
    imports that is not loaded here: perhaps it is never reached.

    Args:
        names: Full names of modules that the code imports or uses.
        own: The user's own modules that travel with it.
    """
    files = {name: path for module in own for name, path in _modules_in(module)}
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        around = [name[:end] for end, sign in enumerate(f"{name}.") if sign == "."]
        if around[0] not in {known.partition(".")[0] for known in files}:
            found.add(name)
            continue
        for part in around:
            if part in files and (part == name or part not in seen):
                seen.add(part)
                waiting += [each for each in _imports(part, files) if each.partition(".")[0] in sys.modules]
    return found


def _modules_in(module: OwnModule) -> Iterator[tuple[str, Path]]:
    for relative, path in module.files:
        if relative.endswith(".py"):
            yield relative.removesuffix(".py").removesuffix("/__init__").replace("/", "."), path


def _imports(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    path = files[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    try:
        status = stat_of(path)
        found = _imports_in(str(path), status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError):  # it fails where it is imported, or never
        return
    for level, module, members in found:
        if level:
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - level + 1])
            module = f"{base}.{module}" if module else base
        yield module
        # A member may be a module; whether it is one, only the user's own files tell.
        yield from (f"{module}.{member}" for member in members if f"{module}.{member}" in files)


@lru_cache(maxsize=4096)
def _imports_in(path: str, _mtime_ns: int, _size: int) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Return each import of a file as (level, module, members)."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    waiting: list[ast.AST] = [ast.parse(content_of(Path(path)))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
        elif isinstance(node, ast.Try) and any(_catches_import_error(handler) for handler in node.handlers):
            waiting += [*node.orelse, *node.finalbody]
        else:
            waiting += ast.iter_child_nodes(node)
    return tuple(found)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _OPTIONAL for kind in kinds)
