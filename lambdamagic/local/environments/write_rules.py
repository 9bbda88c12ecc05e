"""Folders that a process may not change, where the system gives it no mount namespace: by Landlock ("landlock(7)").

Run by the keeper between fork and exec, as a plain script's part: imports no module of this package. Landlock takes
no rights and works in most containers. It knows what is allowed only, below a folder; so next to a protected folder all
is allowed, one by one, and nothing new can be made in the folders above it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # asm-generic/unistd.h
_GET_VERSION, _BELOW_PATH, _NO_NEW_PRIVILEGES = 1, 1, 38  # linux/landlock.h, linux/prctl.h
#: LANDLOCK_ACCESS_FS_*: write a file; remove and make whatever there is.
_WRITE_FILE = 1 << 1
_CHANGES = sum(1 << bit for bit in (1, *range(4, 13)))
_MOVE, _TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
#: Of these a rule for a file may have only so many.
_OF_FILES = _WRITE_FILE | _TRUNCATE


def forbid_writes(libc: Any, read_only: list[str], writable: list[str]) -> bool:
    """Let this process and its children write everywhere but below some folders; say whether the system can do that.

    Args:
        libc: The C library.
        read_only: Paths that are not to be changed; "/" for everything but `writable`.
        writable: Where "/" does not hold.
    """
    version = libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    if version < 1:
        return False
    handled = _CHANGES | (_MOVE if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    ruleset = libc.syscall(_CREATE_RULESET, struct.pack("=Q", handled), 8, 0)
    if ruleset < 0:
        return False
    try:
        inside = [path for path in read_only if path != "/" and not any(_is_below(path, top) for top in writable)]
        for top in writable if "/" in read_only else ["/"]:
            for path in _around(top, inside):
                _allow(libc, ruleset, path, handled)
        _allow(libc, ruleset, "/dev", handled & _OF_FILES)  # /dev/null and others
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _is_below(path: str, top: str) -> bool:
    return Path(path).is_relative_to(top)


def _around(top: str, protected: list[str]) -> Iterator[str]:
    """Yield what is at a path, without what is protected below it."""
    if top in protected:
        return
    if not any(_is_below(each, top) for each in protected):
        yield top
        return
    try:
        entries = [entry.path for entry in os.scandir(top) if not entry.is_symlink()]
    except OSError:
        return
    for entry in entries:
        yield from _around(entry, protected)


def _allow(libc: Any, ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return  # it cannot be written anyway
    try:
        rights = access if Path(path).is_dir() else access & _OF_FILES
        libc.syscall(_ADD_RULE, ruleset, _BELOW_PATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
