"""The modules of the user's own project, which the function does not have: shipped as source files.

Nothing is imported to find them: loaded modules say where they are, and others are looked up by their finders.
What they import themselves is read from their source text.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lambdamagic.capture.imported import imported_by, imports_in, modules_in
from lambdamagic.capture.source_files import archive_of, size_of
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
        reason: Why it is needed, for display.
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

    A package is shipped whole. What its files import is followed from those that are needed or loaded here: the tests
    of a package, say, bring nothing along.

    Args:
        needed: Full module names with the reason for each.
        cell_dir: The notebook's folder, where modules are looked for that no path leads to.
        exclude: Top-level names never to ship.

    Raises:
        CaptureError: They are too large to be a project's source.
    """
    found: dict[str, OwnModule] = {}
    modules: dict[str, dict[str, Path]] = {}
    others: set[str] = set(exclude)
    followed: set[str] = set()
    total = 0
    waiting = [*needed]
    for name, reason in waiting:  # grows meanwhile
        top = name.partition(".")[0]
        if top in others:
            continue
        if top not in found:
            place = _own_place(top, cell_dir)
            if place is None:
                others.add(top)
                continue
            files = tuple(sorted(_files(top, place)))
            total += sum(size_of(path) for _, path in files)
            if total > MAX_TOTAL_BYTES or len(files) > MAX_FILES:
                raise CaptureError(
                    f"the module {top!r} ({_where(place)}) is too large to send: {len(files)} files,"
                    f" {total / 1e6:.1f} MB of at most {MAX_TOTAL_BYTES / 1e6:.0f} MB with what it imports",
                    hint=f"Install {top!r} in the function, move its data away, or leave it out with --exclude {top}",
                )
            found[top] = OwnModule(top, files, reason)
            modules[top] = modules_in(files)
            waiting += [(each, f"imported by {top}") for each in modules[top] if each in sys.modules]
        for full in sorted(_reached_within(name, modules[top], followed)):
            waiting.append((full, f"imported by {top}"))
    return tuple(found.values())


def _reached_within(name: str, modules: Mapping[str, Path], followed: set[str]) -> set[str]:
    """Return what a module of a package and the packages around it import; each is followed once.

    All modules of the package are followed where one may import by other means than a statement.
    """
    reached: set[str] = set()
    waiting = [name[:end] for end, sign in enumerate(f"{name}.") if sign == "."]
    for each in waiting:
        if each in followed or each not in modules:
            continue
        followed.add(each)
        reached.update(imported_by(each, modules))
        if imports_in(modules[each]).is_dynamic:
            waiting += modules
    return reached


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
        # A top-level name has no parent that this could import; editable installs have their own finders.
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
