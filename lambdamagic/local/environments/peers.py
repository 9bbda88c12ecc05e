"""Identify the process at the other end of a loopback connection.

The Runtime API cannot ask for a signature: awslambdaric sends none, and its client for errors of INIT takes
nothing but a host and a port from `AWS_LAMBDA_RUNTIME_API`. So the kernel is asked whose socket it is. Another user
of the machine is cut off before a byte is read; another program of the same user, a browser for one, is refused
before its request has any effect.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import NamedTuple

from lambdamagic.local.environments.keeper import descendants_of

_ESTABLISHED = "01"
_TCP_TABLE = Path("/proc/net/tcp")


class _Entry(NamedTuple):
    uid: int
    inode: str


def is_own_user(transport: asyncio.BaseTransport) -> bool:
    """Return whether the peer runs as this user; where the kernel does not list owners (macOS), it may."""
    if not _TCP_TABLE.exists():
        return True
    entry = _entry(transport)
    return entry is not None and entry.uid == os.geteuid()


def is_process(transport: asyncio.BaseTransport, pid: int) -> bool:
    """Return whether the peer's socket is held by a process or by one that it started."""
    if not _TCP_TABLE.exists():
        return _has_connection(pid, transport)
    entry = _entry(transport)
    if entry is None:
        return False
    held = f"socket:[{entry.inode}]"
    return any(held in _open_files(each) for each in [pid, *descendants_of(pid)])


def _entry(transport: asyncio.BaseTransport) -> _Entry | None:
    """Return the kernel's entry of the peer's socket.

    Its fields are: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode (proc_net_tcp.txt).
    """
    local, remote = (_in_table(*transport.get_extra_info(name)[:2]) for name in ("peername", "sockname"))
    for line in _TCP_TABLE.read_text().splitlines()[1:]:
        fields = line.split()
        # A socket on its way out is listed with uid 0, so only an established one counts.
        if fields[1] == local and fields[2] == remote and fields[3] == _ESTABLISHED:
            return _Entry(int(fields[7]), fields[9])
    return None


def _in_table(host: str, port: int) -> str:
    return f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        for file in os.scandir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(file.path))  # noqa: PTH115 - a socket's name is no path
            except OSError:
                pass  # just closed
    except OSError:
        pass  # the process has just ended
    return found


def _has_connection(pid: int, transport: asyncio.BaseTransport) -> bool:
    import psutil

    port, own_port = (transport.get_extra_info(name)[1] for name in ("peername", "sockname"))
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        connections = [connection for process in family for connection in process.net_connections("tcp4")]
    except psutil.Error:
        return False
    return any(c.laddr and c.raddr and c.laddr.port == port and c.raddr.port == own_port for c in connections)
