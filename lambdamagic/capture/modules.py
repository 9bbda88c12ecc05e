"""The modules of the user's own project, which the function does not have: shipped as source files.

Nothing is imported to find them: loaded modules tell where they are, and others are looked up by their finders.
What they import themselves is read from their source text.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lambdamagic.errors import CaptureError

MAX_FILE_BYTES = 1024 * 1024  # a larger file that is not source is data, not part of a module
MAX_TOTAL_BYTES = 20 * 1024 * 1024  # of one job's own modules, well under Lambda's 50 MB for a zipped function
MAX_FILES = 5_000
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "build", "dist", "venv", "env"})
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".ipynb")
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class OwnModule:
    """A module of the user's project.

    Attributes:
        name: The top-level name that is imported: "helpers", or the package "mypkg".
        files: For each file its path relative to the import root ("mypkg/core.py"), and where it is.
        reason: Why it is needed, for a person.
    """

    name: str
    files: tuple[tuple[str, Path], ...]
    reason: str


class _Place(NamedTuple):
    """Where a top-level module is: a file, or the folders of a package."""

    file: Path | None
    folders: tuple[Path, ...]


def own_modules(
    needed: Iterable[tuple[str, str]], *, cell_dir: Path | None = None, exclude: Iterable[str] = ()
) -> tuple[OwnModule, ...]:
    """Return the user's own modules among those needed, and those which they import in turn.

    Args:
        needed: Full module names with the reason for each.
        cell_dir: The notebook's folder, where modules are looked for that no path leads to.
        exclude: Top-level names never to ship.

    Raises:
        CaptureError: They are too large to be a project's source.
    """
    found: dict[str, OwnModule] = {}
    seen: set[str] = set(exclude)
    waiting = [(name.partition(".")[0], reason) for name, reason in needed]
    total = 0
    while waiting:
        name, reason = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        place = _own_place(name, cell_dir)
        if place is None:
            continue
        files = tuple(sorted(_files(name, place)))
        total += sum(size_of(path) for _, path in files)
        if total > MAX_TOTAL_BYTES or len(files) > MAX_FILES:
            raise CaptureError(
                f"the module {name!r} ({_where(place)}) is too large to ship: {len(files)} files,"
                f" {total / 1e6:.1f} MB of at most {MAX_TOTAL_BYTES / 1e6:.0f} MB with what it imports",
                hint=f"Install {name!r} in the function, move its data away, or leave it out with --exclude {name}.",
            )
        found[name] = OwnModule(name, files, reason)
        imports = {top for _, path in files if path.suffix == ".py" for top in imports_of(path)}
        waiting += [(top, f"imported by {name}") for top in sorted(imports)]
    return tuple(found.values())


def find_spec(name: str, cell_dir: Path | None = None) -> importlib.machinery.ModuleSpec | None:
    """Find a module like importlib.util.find_spec, but import none of its parents."""
    parts = name.split(".")
    spec = _find_top(parts[0], cell_dir)
    for end in range(2, len(parts) + 1):
        if spec is None or spec.submodule_search_locations is None:
            return None
        folders = list(spec.submodule_search_locations)
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:end]), folders)
    return spec


def contents(module: ModuleType) -> dict[str, Any]:
    """Return a module's namespace; asked like this, not even a lazy module begins to load."""
    namespace: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return namespace


def imports_of(path: Path) -> frozenset[str]:
    """Return the top-level names which a source file imports absolutely, anywhere in it."""
    try:
        status = stat_of(path)
        return _imports_of(str(path), status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError):  # unreadable or not Python: it fails where it is imported, or never
        return frozenset()


@lru_cache(maxsize=4096)
def _imports_of(path: str, _mtime_ns: int, _size: int) -> frozenset[str]:
    tops: set[str] = set()
    for node in ast.walk(ast.parse(content_of(Path(path)))):
        if isinstance(node, ast.Import):
            tops.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            tops.add(node.module.partition(".")[0])
    return frozenset(tops)


def _own_place(name: str, cell_dir: Path | None) -> _Place | None:
    if name in sys.stdlib_module_names or name in ("__main__", "lambdamagic"):
        return None
    module = sys.modules.get(name)
    place = _place_of_module(module) if module is not None else _place_of_spec(_find_top(name, cell_dir))
    if place is None:
        return None
    if place.file is not None:
        file = _compiled_of(module, place.file) if module is not None else place.file
        return _Place(file, ()) if _is_own(file) else None
    folders = tuple(folder for folder in place.folders if _is_own(folder))
    return _Place(None, folders) if folders else None


def _place_of_module(module: ModuleType) -> _Place | None:
    attributes = contents(module)
    path = attributes.get("__path__")
    if path is not None:
        return _Place(None, tuple(Path(folder) for folder in path))
    file = attributes.get("__file__")
    return _Place(Path(file), ()) if isinstance(file, str) else None


def _place_of_spec(spec: importlib.machinery.ModuleSpec | None) -> _Place | None:
    if spec is None:
        return None
    if spec.submodule_search_locations is not None:
        return _Place(None, tuple(Path(folder) for folder in spec.submodule_search_locations))
    return _Place(Path(spec.origin), ()) if spec.has_location and spec.origin else None


def _find_top(name: str, cell_dir: Path | None) -> importlib.machinery.ModuleSpec | None:
    try:
        # A top-level name has no parent that this could import; editable installs have finders of their own.
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):  # ValueError: loaded, and it has no spec
        spec = None
    if spec is None and cell_dir is not None:
        spec = importlib.machinery.PathFinder.find_spec(name, [str(cell_dir)])
    return spec


@lru_cache(maxsize=1)
def _foreign_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders.append(str(Path(__file__).parent.parent))  # lambdamagic: the function has it
    return tuple({os.path.realpath(folder) + os.sep for folder in folders})


@lru_cache(maxsize=4096)
def _is_own(path: Path) -> bool:
    real = os.path.realpath(path)
    if _INSTALLED.intersection(Path(real).parts) or not (os.path.exists(real) or archive_of(Path(real))):  # noqa: PTH110
        return False  # realpath gave a str
    return not (real + os.sep).startswith(_foreign_folders())


def _files(name: str, place: _Place) -> Iterator[tuple[str, Path]]:
    if place.file is not None:
        yield f"{name}{place.file.suffix}", place.file  # also of what was compiled, which is named for its Python
        return
    for folder in place.folders:
        archive = archive_of(folder)
        yield from _files_of_package(name, folder) if archive is None else _files_in_archive(name, folder, archive)


def _files_in_archive(name: str, root: Path, archive: Path) -> Iterator[tuple[str, Path]]:
    below = f"{root.relative_to(archive).as_posix()}/"
    with zipfile.ZipFile(archive) as opened:
        for info in sorted(opened.infolist(), key=lambda each: each.filename):
            relative = info.filename.removeprefix(below)
            if info.is_dir() or relative == info.filename or relative.endswith(_SKIPPED_SUFFIXES):
                continue
            if relative.endswith(".py") or info.file_size <= MAX_FILE_BYTES:
                yield f"{name}/{relative}", root / relative


def archive_of(path: Path) -> Path | None:
    """Return the zip file that a path leads into, as `zipimport` has paths; None for other paths."""
    if path.exists():
        return None
    above = next((each for each in path.parents if each.exists()), None)
    return above if above is not None and above.is_file() and zipfile.is_zipfile(above) else None


def content_of(path: Path) -> bytes:
    """Return what a file holds, be it in a zip file.

    Raises:
        OSError: It cannot be read.
    """
    archive = archive_of(path)
    if archive is None:
        return path.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        try:
            return opened.read(path.relative_to(archive).as_posix())
        except KeyError:
            raise FileNotFoundError(f"{archive} holds no {path.relative_to(archive)}") from None


def stat_of(path: Path) -> os.stat_result:
    """Return the state of a file, or of the zip file that it is in."""
    return (archive_of(path) or path).stat()


def size_of(path: Path) -> int:
    """Return the size of a file, be it in a zip file."""
    archive = archive_of(path)
    return path.stat().st_size if archive is None else len(content_of(path))


def _compiled_of(module: ModuleType, file: Path) -> Path:
    """Return a loaded module's file, or if that was deleted meanwhile, what Python had compiled from it."""
    cached = contents(module).get("__cached__")
    if isinstance(cached, str) and not file.exists() and archive_of(file) is None:
        return Path(cached)
    return file


def _files_of_package(name: str, root: Path) -> Iterator[tuple[str, Path]]:
    count = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED_FOLDERS)
        for file in sorted(files):
            path = Path(folder, file)
            if file.startswith(".") or file.endswith(_SKIPPED_SUFFIXES) or not path.is_file():
                continue
            if not file.endswith(".py") and path.stat().st_size > MAX_FILE_BYTES:
                continue
            yield f"{name}/{path.relative_to(root).as_posix()}", path
            count += 1
            if count > MAX_FILES:  # enough to be refused: a folder of data can hold millions
                return


def _where(place: _Place) -> str:
    return str(place.file or place.folders[0])
