"""Where a pickler writes, a stream that is bounded or watched and the large buffers next to it, and where one reads."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.frames import OUT_OF_BAND_MIN_BYTES, Segment


class BoundedFile(io.BytesIO):
    """A buffer with a maximum size; it raises when more is written."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def write(self, data: Any, /) -> int:
        """Append bytes.

        Raises:
            ValueError: There are too many.
        """
        written = super().write(data)
        if self.tell() > self._most_bytes:
            raise _too_large(self._most_bytes)
        return written


class WatchedFile:
    """Reports what large values add to it; a pickler writes a frame of 64 kB at a time.

    It has a stream and is none: to close one of a derived class at its end takes Python longer than a small value.
    """

    def __init__(self, wrote: Callable[[int], None]) -> None:
        file = self._file = io.BytesIO()
        self._wrote = wrote
        self.tell, self.seek, self.truncate, self.getvalue = file.tell, file.seek, file.truncate, file.getvalue

    def write(self, data: Any, /) -> int:
        """Append bytes, and report many."""
        written = self._file.write(data)
        if written >= _FRAME_BYTES:
            self._wrote(self.tell())
        return written


#: pickle ends a frame when it has so many bytes (`pickle._Framer._FRAME_SIZE_TARGET`).
_FRAME_BYTES = 64 * 1024


def _too_large(most_bytes: int) -> ValueError:
    return ValueError(f"it takes more than {most_bytes / 1e6:.0f} MB")


def taker(buffers: list[memoryview], most_bytes: int | None) -> Callable[[pickle.PickleBuffer], bool]:
    """Return the callback that takes large buffers out of the stream.

    No method of the encoder: its pickler would keep it alive, and with it all that it wrote, until the garbage
    collector comes by.
    """

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < OUT_OF_BAND_MIN_BYTES:
            return True  # stays in the stream
        buffers.append(raw)
        if most_bytes is not None and sum(each.nbytes for each in buffers) > most_bytes:
            raise _too_large(most_bytes)
        return False

    return take


class Stream:
    """The pickle stream; knows its end, since parts are read one after the other. As `WatchedFile`, it has a stream."""

    def __init__(self, data: Segment) -> None:
        file = self._file = io.BytesIO(data)
        self.read, self.readline, self.readinto = file.read, file.readline, file.readinto
        self._size = data.nbytes if isinstance(data, memoryview) else len(data)

    def at_end(self) -> bool:
        """Return whether all parts were read."""
        return self._file.tell() >= self._size

    def insert(self, data: Segment) -> None:
        """Let other bytes come before those that were not read yet."""
        file, rest = self._file, self.read()
        file.seek(0)
        file.truncate()
        self._size = file.write(data) + file.write(rest)
        file.seek(0)
