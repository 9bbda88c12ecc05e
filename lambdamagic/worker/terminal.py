"""A terminal for shell commands, as the kernel gives them one; a pipe where the machine has none."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator

_SIZE = (24, 80)  # lines and columns, as in IPython
_BYTES = 1 << 16


@contextlib.contextmanager
def opened() -> Iterator[tuple[int, int]]:
    """Open a terminal, or a pipe; give the descriptors that are read from and written to."""
    import pty
    import termios

    try:
        reading, writing = pty.openpty()
        termios.tcsetwinsize(writing, _SIZE)
    except OSError:
        reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for each in (reading, writing):
            with contextlib.suppress(OSError):  # `texts` has closed it
                os.close(each)


def texts(reading: int, writing: int) -> Iterator[str]:
    """Yield what is written by others until they have closed it; lines end as a terminal ends them."""
    is_terminal = os.isatty(writing)
    os.close(writing)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            data = os.read(reading, _BYTES)
        except OSError:  # the end of a terminal
            data = b""
        if not is_terminal:
            data = data.replace(b"\n", b"\r\n")
        yield decoder.decode(data, final=not data)
        if not data:
            return
