"""Files next to the code: those that came with it into the working directory, and those that it wrote there."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

#: More files of one invocation do not come back: they are for S3.
FETCH_MAX_BYTES = 256 * 1024 * 1024
_LOOKED_AT_MAX, _LISTED_MAX = 10_000, 20


def place(files: Iterable[tuple[str, Any]]) -> bool:
    """Write files that came with the code into the working directory; return whether there were any.

    Args:
        files: Paths relative to it, and contents.
    """
    has_placed = False
    for relative, content in files:
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"a file's path leads out of the working directory: {relative}")
        target = Path(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        has_placed = True
    return has_placed


class Watched:
    """The working directory as it is now, to see later what was written in it.

    Args:
        is_empty: Whether it is known to have no files.
    """

    def __init__(self, *, is_empty: bool = False) -> None:
        self._folder = os.getcwd()  # noqa: PTH109  # each cell and task asks
        self._before = {} if is_empty else dict(_walk(self._folder))

    def entries(self, patterns: Sequence[str], **more: Any) -> list[dict[str, Any]]:
        """Return entries for the record of outputs: files that are asked for, and the names of the others.

        Args:
            patterns: Names, folders or globs of what is asked for.
            **more: What else the entries of files say.
        """
        written = sorted(name for name, sign in _walk(self._folder) if self._before.get(name) != sign)
        wanted = [name for name in written if any(_fits(name, pattern) for pattern in patterns)]
        left, found = FETCH_MAX_BYTES, []
        for name in wanted:
            path = Path(self._folder, name)
            size = path.stat().st_size
            entry: dict[str, Any] = {"file": name, "size": size, **more}
            if size <= left:
                left -= size
                entry["data"] = base64.b64encode(path.read_bytes()).decode("ascii")
            found.append(entry)
        others = [name for name in written if name not in wanted][:_LISTED_MAX]
        if others and not more:
            found.append({"written": others, "made": [name for name in others if name not in self._before]})
        return found


def _walk(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield files below a folder, with what changes when they are written."""
    waiting, left = [folder], _LOOKED_AT_MAX
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # the code has deleted it, or may not look into it
        for entry in entries:
            left -= 1
            if left < 0:
                return
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield os.path.relpath(entry.path, folder), (status.st_mtime_ns, status.st_size)


def _fits(name: str, pattern: str) -> bool:
    pattern = os.path.normpath(pattern)
    return pattern in (".", name) or name.startswith(f"{pattern}{os.sep}") or fnmatch(name, pattern)
