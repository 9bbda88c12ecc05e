"""Files of the user's own modules, which may be in a zip file, as `zipimport` has them."""

from __future__ import annotations

import os
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path


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


def packed(path: Path) -> bytes:
    """Return what a file holds, compressed as modules are sent.

    Raises:
        OSError: It cannot be read.
    """
    status = stat_of(path)
    return _packed(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _packed(path: str, _mtime_ns: int, _size: int) -> bytes:
    return zlib.compress(content_of(Path(path)))
