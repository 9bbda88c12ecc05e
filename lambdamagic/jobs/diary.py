"""One line for each job that has ended, in a file a day: thousands of short jobs cost little time and little room.

What a job needs to be resumed is not here, but in a separate file (`jobs/history.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambdamagic.protocol.reading import read_json, table

#: Files of days that are longer ago are taken away.
KEPT_DAYS = 90

#: All files together, in bytes, when a day begins; the oldest go first. A line has about 350 bytes.
ROOM_BYTES = 64 * 1024 * 1024

#: From this size on a day's file takes only jobs that cost money, in bytes: no bill may be lost.
DAY_BYTES = 8 * 1024 * 1024


_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Diary:
    """The files of all days. Any number of processes may add lines at once.

    Args:
        folder: Where they are; it is made with the first line.
        room_bytes: See `ROOM_BYTES`.
        day_bytes: See `DAY_BYTES`.
    """

    def __init__(self, folder: Path, *, room_bytes: int = ROOM_BYTES, day_bytes: int = DAY_BYTES) -> None:
        self.folder = folder
        self._room_bytes, self._day_bytes = room_bytes, day_bytes

    def add(self, document: dict[str, Any], at: float, *, is_billed: bool) -> None:
        """Add a line.

        Args:
            document: What it says.
            at: When the job ended, in seconds since the epoch; that says in which file it goes.
            is_billed: Whether the job cost money.

        Raises:
            OSError: The folder cannot be written to.
        """
        # A break comes first, too: on a disk that is full, half a line may be written, which must not spoil the next.
        data = b"\n" + _ENCODER.encode(document).encode() + b"\n"
        descriptor = self._open(os.path.join(self.folder, f"{_day(at)}.jsonl"))  # noqa: PTH118  # for each job
        try:
            size_bytes = os.fstat(descriptor).st_size
            if is_billed or size_bytes < self._day_bytes:
                os.write(descriptor, data)  # one write at the end of the file: lines of two processes do not mix
        finally:
            os.close(descriptor)
        if not size_bytes:
            self._make_room(at)

    def read(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield lines, the latest first; one that was cut off is left out.

        Args:
            since: Jobs that ended on an earlier day than this time are left out, in seconds since the epoch.
        """
        for path in sorted(self.folder.glob("*.jsonl"), reverse=True):
            if path.stem < _day(since):
                return
            data = b""
            with contextlib.suppress(OSError):  # another process made room
                data = path.read_bytes()
            for line in reversed(data.splitlines()):
                with contextlib.suppress(ValueError):
                    yield table(read_json(line))

    def _open(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            # Each folder by itself: with `parents=True` only the last one would be this user's alone.
            self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.mkdir(exist_ok=True, mode=0o700)
            return os.open(path, flags, 0o600)

    def _make_room(self, now: float) -> None:
        room_bytes, oldest = self._room_bytes, _day(now - KEPT_DAYS * 86_400)
        for path in sorted(self.folder.glob("*.jsonl"), reverse=True):
            with contextlib.suppress(FileNotFoundError):  # another process was here first
                room_bytes -= path.stat().st_size
                if path.stem < oldest or room_bytes < 0:
                    path.unlink()


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
