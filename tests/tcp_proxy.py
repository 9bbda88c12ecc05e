"""A real proxy on 127.0.0.1: it forwards requests, opens tunnels for CONNECT, and closes connections that are idle."""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

_PIECE = 65_536
#: The whole URL that a proxy is asked for; a server is asked for its path. A client sends a head in one piece.
_WHOLE_URL = re.compile(rb"\A([A-Z]+) http://[^/ ]+(?=/)")


class TcpProxy:
    """One that forwards every connection to one address.

    Args:
        port: Of 127.0.0.1, where connections are forwarded to.
        idle_s: After how long without a byte it closes a connection; None for never.

    Attributes:
        port: Where it listens.
        cut: How many connections it has closed for being idle.
        asked: What CONNECT asked for, in order: `host:port`. Requests without it are forwarded one by one.
    """

    def __init__(self, port: int, *, idle_s: float | None = None) -> None:
        self.cut, self.asked = 0, list[str]()
        self._target, self._idle_s = port, idle_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def close(self) -> None:
        """End all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), name="proxy connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, closing(socket.create_connection(("127.0.0.1", self._target))) as server:
            if client.recv(8, socket.MSG_PEEK) == b"CONNECT ":
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += client.recv(1)
                self.asked.append(head.split()[1].decode())
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                self._forward(client, server)
            except OSError:
                pass  # one side has gone

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        seen_at = time.monotonic()
        with selectors.DefaultSelector() as ready:
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            while self._listener.fileno() != -1:
                for key, _ in ready.select(0.1):
                    end: Any = key.fileobj
                    piece = end.recv(_PIECE)
                    if not piece:
                        return
                    other[end].sendall(_WHOLE_URL.sub(rb"\1 ", piece) if end is client else piece)
                    seen_at = time.monotonic()
                if self._idle_s is not None and time.monotonic() - seen_at > self._idle_s:
                    self.cut += 1
                    return


@contextmanager
def tcp_proxy(port: int, *, idle_s: float | None = None) -> Iterator[TcpProxy]:
    """Run one; see `TcpProxy`."""
    proxy = TcpProxy(port, idle_s=idle_s)
    try:
        yield proxy
    finally:
        proxy.close()
