"""File descriptors for connections: each invocation that is waited for holds one."""

from __future__ import annotations

import os
import sys

#: For everything else that a process has open: a kernel's sockets, files, S3.
_OTHERS = 256


def room_for(connections: int) -> int:
    """Return how many connections, of those wanted, this process may open at once.

    Systems let a process open few files (often 1,024) until it asks for more, up to a limit of the administrator's
    (`ulimit -Hn`). It is asked for here, for this process and only when it is needed.

    Args:
        connections: How many are wanted.
    """
    if sys.platform == "win32":
        return connections
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = connections + _open_now() + _OTHERS
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        except (OSError, ValueError):
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)  # macOS has a limit of the kernel's below its hard one
    return connections if soft == unlimited or soft >= wanted else max(1, connections - (wanted - soft))


def _open_now() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a third of what Path.iterdir costs, for each job
    except OSError:
        return 0
