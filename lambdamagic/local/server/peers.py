"""Who is at the other end of a loopback connection.

The Runtime API cannot ask for a signature: awslambdaric sends none, and `AWS_LAMBDA_RUNTIME_API` has room for
a host and a port only. So every execution environment has a port of its own, and a connection to it is served
only if the kernel says that its other end belongs to this very user. Another user of the machine who guesses
the port is cut off before a byte is read, and so can neither take an invocation nor answer one.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

_ESTABLISHED = "01"
_TCP_TABLE = Path("/proc/net/tcp")


def is_own_peer(transport: asyncio.BaseTransport, *, pid: int | None) -> bool:
    """Return whether the peer of a 127.0.0.1 connection runs as this user.

    Args:
        transport: The accepted connection.
        pid: The process that is expected there; asked where the kernel does not list socket owners (macOS).
    """
    host, port = transport.get_extra_info("peername")[:2]
    own_port = transport.get_extra_info("sockname")[1]
    if _TCP_TABLE.exists():
        return _linux_owner(host, port, own_port) == os.geteuid()
    return pid is not None and _belongs_to(pid, port, own_port)


def _linux_owner(host: str, port: int, own_port: int) -> int | None:
    if host != "127.0.0.1":
        return None
    local = f"0100007F:{port:04X}"
    remote = f"0100007F:{own_port:04X}"
    for line in _TCP_TABLE.read_text().splitlines()[1:]:
        fields = line.split()
        # sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode (proc_net_tcp.txt).
        # A socket on its way out is listed with uid 0, so only an established one counts.
        if fields[1] == local and fields[2] == remote and fields[3] == _ESTABLISHED:
            return int(fields[7])
    return None


def _belongs_to(pid: int, port: int, own_port: int) -> bool:
    import psutil

    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        connections = [connection for process in family for connection in process.net_connections("tcp4")]
    except psutil.Error:
        return False
    return any(c.laddr and c.raddr and c.laddr.port == port and c.raddr.port == own_port for c in connections)
