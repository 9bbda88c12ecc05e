"""Files opened for reading, sent with their content and position, and closed ones."""

from __future__ import annotations

import io
import os
import stat
from typing import Any

MAX_BYTES = 8 << 20
KINDS = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom)


class _Content(io.BytesIO):
    """The bytes of a file on the other side."""

    mode = "rb"

    def __init__(self, content: bytes, name: Any) -> None:
        super().__init__(content)
        self.name = name


def taken(file: Any) -> tuple[Any, ...]:
    """Return the arguments of `opened` for a file.

    Raises:
        TypeError: It is not a regular file that is open for reading and of moderate size.
    """
    if file.closed:
        is_text = isinstance(file, io.TextIOWrapper)
        return b"", file.name, file.mode, file.encoding if is_text else "", file.errors if is_text else "", -1
    refusal = TypeError(f"cannot pickle '_io.{type(file).__name__}' object")
    binary = file.buffer if isinstance(file, io.TextIOWrapper) else file
    raw = getattr(binary, "raw", None)
    if file.closed or not isinstance(raw, io.FileIO | _Content) or not file.readable() or file.writable():
        raise refusal
    if isinstance(raw, _Content):
        content = raw.getvalue()
    else:
        status = os.fstat(raw.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise refusal
        content = os.pread(raw.fileno(), status.st_size, 0)
    if isinstance(file, io.TextIOWrapper):
        return content, raw.name, file.mode, file.encoding, file.errors, position(file)
    return content, raw.name, "rb", "", "", position(file)


def opened(content: bytes, name: Any, mode: str, encoding: str, errors: str, where: int) -> Any:
    """Return a file of this content at its position."""
    raw: Any = _Content(content, name)
    file: Any = io.BufferedReader(raw)
    if encoding:
        file = io.TextIOWrapper(file, encoding, errors)
        file.mode = mode
    elif where == -1 and mode != "rb":
        raw.mode = mode
        file = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    if where == -1:
        file.close()
    else:
        file.seek(where)
    return file


def position(file: Any) -> int:
    """Return a file's position; -1 if it is closed, -2 if it is unknown because the file is being iterated over."""
    try:
        return -1 if file.closed else int(file.tell())
    except OSError:
        return _position_of_lines(file)


def _position_of_lines(file: Any) -> int:
    """Return where a text file is whose lines are being iterated over, which gives its position at its end only."""
    try:
        rest = file.read()
        file.seek(0)
        content = file.buffer.read()
        lines = content.splitlines(keepends=True)
        count = rest.count("\n") + (rest != "" and not rest.endswith("\n"))
        where = sum(map(len, lines[: len(lines) - count]))
        file.seek(where)
        is_there = file.read() == rest
        file.seek(where)
    except (OSError, ValueError):
        return -2
    return where if is_there else -2


def move(file: Any, where: int) -> None:
    """Move a file to a position, or close it."""
    if where == -1:
        file.close()
    elif where >= 0:
        file.seek(where)
