"""The user's own modules: shipped as source files, importable for the time of one job."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.machinery
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any


def _root_for(files: Sequence[tuple[str, str, bytes]]) -> Path:
    import tempfile

    digest = hashlib.sha256()
    for relative, _, content in sorted(files):
        digest.update(f"{relative}\0{len(content)}\0".encode() + content)
    return Path(tempfile.gettempdir()) / "lambdamagic-modules" / digest.hexdigest()[:32]


@contextlib.contextmanager
def importable(
    files: Sequence[tuple[str, str, bytes]], loaded: Callable[[ModuleType], None] = lambda module: None
) -> Iterator[dict[str, str]]:
    """Make shipped files importable while the context is open.

    The next job may bring other versions of the same modules, so they are forgotten afterwards.

    Args:
        files: Path relative to the import root, path on the user's machine, content as zlib compresses it.
        loaded: Called with each module when it was imported.

    Yields:
        Path here to path on the user's machine, so that tracebacks name the user's files.
    """
    if not files:
        yield {}
        return
    root = _root_for(files)
    tops = {PurePosixPath(relative).parts[0].removesuffix(".py") for relative, _, _ in files}
    aliases = {}
    for relative, origin, content in files:
        if ".." in PurePosixPath(relative).parts or PurePosixPath(relative).is_absolute():
            raise ValueError(f"a shipped module's path leads out of its folder: {relative}")
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(content))
        aliases[str(path)] = origin
    hidden = _take_out(tops)
    sys.path.insert(0, str(root))
    finder: Any = _Finder(tops, loaded)
    sys.meta_path.insert(0, finder)
    importlib.invalidate_caches()
    try:
        yield aliases
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)
        _take_out(tops)
        sys.modules.update(hidden)
        with contextlib.suppress(ValueError):
            sys.path.remove(str(root))
        sys.path_importer_cache.pop(str(root), None)
        import shutil

        shutil.rmtree(root, ignore_errors=True)


class _Finder:
    """Finds modules as Python does, and says when one was imported."""

    def __init__(self, tops: set[str], loaded: Callable[[ModuleType], None]) -> None:
        self._tops, self._loaded = tops, loaded

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in self._tops:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._loaded(module)

            # Of this one instance: whoever asks a module for its loader finds Python's own.
            loader.exec_module = exec_module
        return spec


def _take_out(tops: set[str]) -> dict[str, Any]:
    names = [name for name in sys.modules if name.split(".", 1)[0] in tops]
    return {name: sys.modules.pop(name) for name in names}
