"""Where the bodies of the embedded S3's objects are: on disk, each in a file that is open only while it is used.

moto keeps each body in a spooled temporary file, which is memory up to 16 MB and an open descriptor above.
"""

from __future__ import annotations

import itertools
import os
import weakref
from pathlib import Path
from types import SimpleNamespace

from lambdamagic.local.control.moto_patches import put

_IN_MEMORY_BYTES = 16 << 10  # heartbeats, answers, indexes: a file each would cost more than the memory


class ObjectFile:
    """One body, with those of a file's methods that moto calls. Its file goes with it: moto closes not all of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._small: bytes | None = b""
        self._position = 0
        self._end: weakref.finalize[..., ObjectFile] | None = None

    def seek(self, position: int) -> int:
        """Go to a position."""
        self._position = position
        return position

    def truncate(self) -> int:
        """Cut the body at the position, which moto does before it writes another."""
        kept = self._head(self._position)
        self._path.unlink(missing_ok=True)
        self._small = b""
        at, self._position = self._position, 0
        self.write(kept)
        return at

    def write(self, data: bytes) -> int:
        """Write at the position, which is the body's end."""
        if self._small is not None and self._position + len(data) <= _IN_MEMORY_BYTES:
            self._small = self._small[: self._position] + bytes(data)
        else:
            try:
                with self._path.open("r+b" if self._small is None else "w+b") as file:
                    file.write(self._small or b"")
                    file.seek(self._position)
                    file.write(data)
            except OSError:
                self._undo()
                raise
            self._small = None
            if self._end is None:
                self._end = weakref.finalize(self, self._path.unlink, missing_ok=True)
                self._end.atexit = False  # the keeper removes the folder
        self._position += len(data)
        return len(data)

    def _undo(self) -> None:
        """Free what a write took that found no room: no request would ask for it, and each try would take more."""
        if self._small is not None:
            self._path.unlink(missing_ok=True)
        else:
            os.truncate(self._path, self._position)

    def read(self, size: int = -1) -> bytes:
        """Read from the position on."""
        if self._small is not None:
            data = self._small[self._position :] if size < 0 else self._small[self._position : self._position + size]
        else:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read(size)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Forget the body."""
        self._small = b""
        self._path.unlink(missing_ok=True)

    def _head(self, size: int) -> bytes:
        self.seek(0)
        return self.read(size)


def install(folder: Path) -> None:
    """Let moto's objects keep their bodies in a folder, which goes with the instance.

    The folder exists already: this runs in a thread that may outlast the instance, and must not bring it back.
    """
    numbers = itertools.count()

    def make(max_size: int = 0) -> ObjectFile:
        del max_size  # moto's own bound for what stays in memory
        return ObjectFile(folder / str(next(numbers)))

    put("moto.s3.models:tempfile", SimpleNamespace(SpooledTemporaryFile=make))
