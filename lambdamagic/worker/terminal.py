"""A terminal for shell commands, as the kernel gives them one; a pipe where the machine has none."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

_SIZE = (24, 80)  # lines and columns, as in IPython
_BYTES = 1 << 16


@contextlib.contextmanager
def opened() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a terminal, or a pipe; give its ends for reading and writing."""
    import pty
    import termios

    try:
        reading, writing = pty.openpty()
        termios.tcsetwinsize(writing, _SIZE)
    except OSError:
        reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as source, os.fdopen(writing, "wb", 0) as sink:
        yield source, sink


def texts(source: BinaryIO, sink: BinaryIO) -> Iterator[str]:
    """Yield what is written by others until they have closed it; lines end as a terminal ends them."""
    is_terminal = sink.isatty()
    sink.close()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            data = source.read(_BYTES)
        except OSError:  # the end of a terminal
            data = b""
        if not is_terminal:
            data = data.replace(b"\n", b"\r\n")
        yield decoder.decode(data, final=not data)
        if not data:
            return
