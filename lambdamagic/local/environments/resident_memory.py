"""How much memory an execution environment uses, read cheaply enough to ask many times a second."""
# ruff: noqa: PTH123, PTH208 - read up to 40 times a second for every busy process

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from lambdamagic.local.environments.keeper import ID_VARIABLE, mount_namespace

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MB = 1024 * 1024
_MARK = f"{ID_VARIABLE}=".encode()
_IS_LINUX = sys.platform.startswith("linux")


def tree_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process and all below it; 0 when it has gone.

    A forked child's pages count in full, though they may be shared with its parent: Lambda counts by
    cgroup, which a user may not create here.
    """
    if not _IS_LINUX:
        return _psutil_tree_rss_bytes(pid)
    total = _statm_rss_bytes(pid)
    for child in _children(pid):
        total += tree_rss_bytes(child)
    return total


def strays_rss_bytes(keeper_pid: int, known: Mapping[int, str]) -> dict[str, int]:
    """Return what daemons use that left their environment's process tree, by the environment's identity.

    The keeper adopted them. They carry their environment's mark, or are in its mount namespace if they have wiped that.

    Args:
        keeper_pid: The keeper.
        known: Environments by their processes.
    """
    found: dict[str, int] = {}
    strays = [pid for pid in _children(keeper_pid) if pid not in known] if _IS_LINUX else []
    places: dict[str, str] | None = None
    for pid in strays:
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                marks = [part for part in environ.read().split(b"\0") if part.startswith(_MARK)]
        except OSError:
            continue  # it has just ended
        identity = marks[0].removeprefix(_MARK).decode() if marks else ""
        if not identity:
            if places is None:
                own = mount_namespace(keeper_pid)
                places = {mount_namespace(each): name for each, name in known.items()}
                places = {place: name for place, name in places.items() if place not in ("", own)}
            identity = places.get(mount_namespace(pid), "")
        if identity:
            found[identity] = found.get(identity, 0) + tree_rss_bytes(pid)
    return found


def peak_rss_mb(pid: int) -> int:
    """Return the largest resident set that a living process had, in MB, or 0 when it cannot be known."""
    if not _IS_LINUX:
        return -(-_psutil_tree_rss_bytes(pid) // _MB)
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as status:
            text = status.read(4096)
    except OSError:
        return 0
    _, found, rest = text.partition(b"VmHWM:")
    return -(-int(rest.split(None, 1)[0]) // 1024) if found else 0


def _statm_rss_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:
            return int(statm.read(256).split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # each thread lists those that it started
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as listing:
                found.extend(int(child) for child in listing.read(65536).split())
    except OSError:
        pass  # the process or the thread has just ended
    return found


def _psutil_tree_rss_bytes(pid: int) -> int:
    import psutil

    try:
        process = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0
