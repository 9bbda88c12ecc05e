"""Fixtures of the cells' tests alone."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Iterator

import pytest

from tests.local.conftest import Mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A socket to which remote code reports, so that a test waits for what happened and not for time to pass."""
    found = Mailbox()
    yield found
    found.close()


class Gate:
    """Holds remote code back until the test lets it continue."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._waiting: list[socket.socket] = []

    @property
    def code(self) -> str:
        """A line for the cell: says that it was reached, and waits to be let through."""
        port = self._listener.getsockname()[1]
        return f"__import__('socket').create_connection(('127.0.0.1', {port})).recv(1)"

    def reached(self) -> None:
        """Wait until some remote code has come to the gate."""
        self._listener.settimeout(120.0)
        self._waiting.append(self._listener.accept()[0])

    def open(self) -> None:
        """Let it continue."""
        for connection in self._waiting:
            connection.sendall(b"!")
            connection.close()
        self._waiting.clear()

    def close(self) -> None:
        """Let nothing wait any more."""
        for connection in self._waiting:
            connection.close()
        self._listener.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate on the way of remote code."""
    found = Gate()
    yield found
    found.close()


def cell(magic: str, body: str) -> str:
    """Return a cell of a magic's line and a body."""
    return f"{magic}\n{textwrap.dedent(body).strip()}\n"
