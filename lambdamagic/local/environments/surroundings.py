"""Restrict a function's process as Lambda does: its file system and its user.

Run by the keeper between fork and exec, as a plain script's part: imports no module of this package. With mount
namespaces, which ordinary users have on most Linux systems, folders are made read-only for the process and its
children alone. Where there are none, Landlock protects the user's Python (`write_rules.py`).
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000  # linux/sched.h
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # linux/mount.h
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
#: Flags of a mount that a user namespace may not take away ("mount_namespaces(7)"), as statvfs returns them.
_LOCKED = {os.ST_NOSUID: 2, getattr(os, "ST_NODEV", 4): 4, getattr(os, "ST_NOEXEC", 8): 8}
DESCRIPTORS_MAX = 1024  # "Lambda quotas": file descriptors


def enter(wanted: dict[str, Any], forbid_writes: Callable[[Any, list[str], list[str]], bool]) -> None:
    """Make this process's surroundings what was asked for, as far as the system lets an ordinary user.

    Args:
        wanted: `read_only` and `writable`: paths, the latter win inside the former; `hidden`: folders that are not
            there on Lambda; `user_id`: whose process it seems to be, or None.
        forbid_writes: See `write_rules.forbid_writes`.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_MAX, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return
    if not _unshare(libc, wanted.get("user_id")):
        forbid_writes(libc, list(wanted["read_only"]), list(wanted.get("writable", ())))
        return
    # What is mounted from here on is seen by this process and its children only.
    _mount(libc, "none", "/", _MS_REC | _MS_PRIVATE)
    for path in wanted.get("writable", ()):
        _mount(libc, path, path, _MS_BIND | _MS_REC)
    if "/" in wanted["read_only"]:
        attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
        _check(libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, 32), "/")
        for path in wanted.get("writable", ()):
            _mount(libc, "none", path, _MS_REMOUNT | _MS_BIND | _kept_flags(path))
    for path in wanted["read_only"]:
        if path != "/":
            _mount(libc, path, path, _MS_BIND | _MS_REC)
            _mount(libc, "none", path, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _kept_flags(path))
    for path in wanted.get("hidden", ()):
        if Path(path).is_dir():
            _mount(libc, "none", path, _MS_RDONLY, kind="tmpfs", data="mode=0555,size=0")


def _unshare(libc: Any, user_id: int | None) -> bool:
    """Enter new namespaces; say whether that was possible."""
    uid, gid = os.getuid(), os.getgid()
    inside_uid, inside_gid = (uid, gid) if user_id is None else (user_id, user_id)
    if user_id is None and uid == 0 and libc.unshare(_CLONE_NEWNS) == 0:
        return True
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        return uid == 0 and libc.unshare(_CLONE_NEWNS) == 0
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{inside_uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{inside_gid} {gid} 1")
    except OSError as error:
        raise OSError(f"a user namespace could be entered, but not be set up: {error}") from error
    return True


def _kept_flags(path: str) -> int:
    found = os.statvfs(path).f_flag
    return sum(flag for seen, flag in _LOCKED.items() if found & seen)


def _mount(libc: Any, source: str, target: str, flags: int, *, kind: str | None = None, data: str = "") -> None:
    of_kind = kind.encode() if kind else None
    result = libc.mount(source.encode(), target.encode(), of_kind, ctypes.c_ulong(flags), data.encode() or None)
    _check(result, target)


def _check(result: int, target: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{target} cannot be made as on Lambda: {os.strerror(number)}")
