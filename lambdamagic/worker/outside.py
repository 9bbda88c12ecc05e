"""Detect effects of code outside its execution environment, by Python's audit events.

A cell that wrote nothing elsewhere can run again. Connections that a library written in C makes by itself are not seen.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

_WHAT = {
    "socket.connect": "opened a connection",
    "socket.sendto": "sent to a socket",
    "socket.sendmsg": "sent to a socket",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
    "os.posix_spawn": "started a process",
    "os.exec": "started a process",
    "os.fork": "started a process",
}
#: Which of an event's arguments are paths that change.
_CHANGES = {
    "os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.truncate": (0,),
    "os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,),
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR
_noted: set[str] | None = None
_is_installed: list[bool] = []


class Outside:
    """A context in which it is noted what the code does elsewhere.

    Attributes:
        noted: What it did, in words.
    """

    def __enter__(self) -> Outside:
        global _noted
        home = os.environ.get("HOME", "")
        own = [f"{each}{os.sep}" for each in (Path.cwd(), tempfile.gettempdir(), home) if each]
        _folders[:] = [*own, "/tmp/", "/dev/", "/proc/"]
        self.noted = _noted = set()
        if not _is_installed:
            sys.addaudithook(_note)  # for the rest of the process: there is no way to take it away
            _is_installed.append(True)
        return self

    def __exit__(self, *_: object) -> None:
        global _noted
        _noted = None


_folders: list[str] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _noted is None:
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES:
            _note_change("wrote", path)
    elif event in _CHANGES:
        for position in _CHANGES[event]:
            _note_change("changed", arguments[position])
    elif event in _WHAT:
        _noted.add(_WHAT[event])


def _note_change(what: str, path: Any) -> None:
    if _noted is None or not isinstance(path, str):
        return
    whole = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118  # it runs at each opened file
    # The event comes before it is tried, and most of what Lambda has is read-only.
    if not whole.startswith(tuple(_folders)) and os.access(os.path.dirname(whole), os.W_OK):  # noqa: PTH120  # as above
        _noted.add(f"{what} {path}")
