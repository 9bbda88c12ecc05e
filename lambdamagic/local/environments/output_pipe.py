"""What an environment's process writes to standard output and error, cut to the task that wrote it.

A FIFO and not a pair of pipes: the keeper opens it by name, so no descriptor has to be sent, and stdout and
stderr keep their order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path


class OutputPipe:
    """Reads a process's output as it comes, or on demand. Lives in the event loop."""

    def __init__(self, path: Path, keep: Callable[[bytes], None]) -> None:
        self.path = path
        self._keep = keep
        os.mkfifo(path, 0o600)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._on_readable)

    def drain(self) -> None:
        """Read all that has been written so far, so that it is in the log of the right task."""
        while self._fd >= 0:
            try:
                data = os.read(self._fd, 1 << 20)
            except BlockingIOError:
                return
            if not data:
                return
            self._keep(data)

    def close(self) -> None:
        """Stop reading."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        if data:
            self._keep(data)
        else:
            # Every writer has closed it, which would be reported again and again.
            asyncio.get_running_loop().remove_reader(self._fd)
