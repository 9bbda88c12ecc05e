"""Bounds on unsigned callers: time, bytes and connections.

Every request must be signed, but a signature is in a head, which has to be read first. So a head must come in
time, a body of a caller that names no key of ours too, and all of these together are bounded.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Protocol

HEAD_S = 20.0
"""From the connection, or a head's first byte, to its end; and the same for the body of a caller without a key."""
IDLE_S = 75.0
"""Between two requests. Longer than clients keep a connection for the next one (`aws.connections`: 50 s)."""
UNSIGNED_BYTES = 64 << 20
"""Of all heads and bodies that have begun to come and name no key of ours."""
_SWEEP_S = 5.0
_DESCRIPTORS = 65_536


class Bounded(Protocol):
    """A connection.

    Attributes:
        expires_at: When it is cut; None while it is the server's turn, or that of a caller who names a key.
        transport: What it is; None when it has ended.
    """

    expires_at: float | None
    transport: asyncio.Transport | None

    def abort(self) -> None:
        """Close at once."""
        ...

    def fall_silent(self) -> None:
        """Stop responding without closing."""
        ...


class ConnectionBounds:
    """Knows all connections, and cuts those that hold what others need. Lives in the event loop.

    Args:
        now: Seconds on a clock that does not go back.
        unsigned_bytes: See `UNSIGNED_BYTES`.
    """

    def __init__(self, now: Callable[[], float], *, unsigned_bytes: int = UNSIGNED_BYTES) -> None:
        self.now = now
        self._most_bytes = unsigned_bytes
        self._held: dict[Bounded, int] = {}
        self._total = 0

    def opened(self, connection: Bounded) -> None:
        """Take a connection in."""
        self._held[connection] = 0

    def closed(self, connection: Bounded) -> None:
        """Forget a connection."""
        self._total -= self._held.pop(connection, 0)

    def holds(self, connection: Bounded, size_bytes: int) -> bool:
        """Note how much a connection holds unsigned; return whether there is room for it."""
        self._total += size_bytes - self._held.get(connection, 0)
        self._held[connection] = size_bytes
        return self._total <= self._most_bytes or not size_bytes

    def connections(self) -> list[Bounded]:
        """Return all connections."""
        return list(self._held)

    def sweep(self) -> None:
        """Close connections past their deadline."""
        now = self.now()
        for connection in [each for each in self._held if each.expires_at is not None and each.expires_at < now]:
            connection.abort()

    async def keep_sweeping(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.sweep()


def share_of_head(data: bytes, *, body_bytes: int, is_unfinished: bool) -> int:
    """Return how many of the bytes that came at once are a head's, or more.

    Args:
        data: The bytes, which may begin with whole requests.
        body_bytes: How many of them are in bodies.
        is_unfinished: Whether they end within a head that began in them: it has no empty line yet.
    """
    end = data.rfind(b"\r\n\r\n") if is_unfinished else -1
    return min(len(data) - body_bytes, len(data) - end - 4) if end >= 0 else len(data) - body_bytes


def raise_descriptor_limit() -> None:
    """Let this process have as many connections as the system allows; what it has started keeps its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        pass  # macOS has a limit of the kernel's below its hard one
