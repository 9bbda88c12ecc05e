"""Watch the server's owner: the server ends when its owner ends, for whatever reason.

Two signs are watched, since each misses a case. The end of standard input says at once that the owner's process
is gone, unless the owner had forked a child that still holds the other end of the pipe. The owner's pid says
it surely (by a pidfd on Linux, elsewhere by looking twice a second), but an owner in another pid
namespace has none that means anything here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_LOOK_S = 0.5


class OwnerWatch:
    """Calls back once when the owner is gone. Lives in the event loop."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._pid_fd = -1
        self._look: asyncio.TimerHandle | None = None

    def watch_pipe(self, fd: int) -> None:
        """Watch a pipe whose other end the owner holds."""
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._on_readable, fd)

    def watch_pid(self, pid: int) -> None:
        """Watch a process."""
        if hasattr(os, "pidfd_open"):
            try:
                self._pid_fd = os.pidfd_open(pid)
            except ProcessLookupError:
                self._on_gone()
                return
            except OSError:
                self._look_at(pid)  # a kernel that has no pidfds
                return
            asyncio.get_running_loop().add_reader(self._pid_fd, self._on_gone)
        else:
            self._look_at(pid)

    def close(self) -> None:
        """Stop watching the pid."""
        if self._pid_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._pid_fd)
            os.close(self._pid_fd)
            self._pid_fd = -1
        if self._look is not None:
            self._look.cancel()

    def _on_readable(self, fd: int) -> None:
        try:
            data = os.read(fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(fd)
            self._on_gone()

    def _look_at(self, pid: int) -> None:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            self._on_gone()
            return
        except PermissionError:
            pass  # it is there, as another user
        self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_at, pid)
