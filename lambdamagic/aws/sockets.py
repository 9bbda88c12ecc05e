"""TCP and TLS sockets: through a proxy if configured, with keep-alive, with detection of dropped connections."""

from __future__ import annotations

import http.client
import os
import select
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from lambdamagic.aws.proxies import proxy_authorization, proxy_for

if TYPE_CHECKING:
    import ssl

_KEEPALIVE_IDLE_S = 60
_KEEPALIVE_INTERVAL_S = 30


class Dialer:
    """Opens sockets. Thread-safe.

    Args:
        timeout_s: For the TCP connection, the proxy's answer and the TLS handshake each.
        cafile: Certificates to trust instead of the system's.
    """

    def __init__(self, *, timeout_s: float, cafile: str | None = None) -> None:
        self._timeout_s = timeout_s
        self._cafile = cafile
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def dial(self, parts: SplitResult) -> socket.socket:
        """Return a socket to a URL's server; over TLS, with the name checked, for https.

        Raises:
            OSError: or `http.client.HTTPException`: it cannot be reached, or its certificate is not accepted.
        """
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        proxy = proxy_for(parts.scheme, host, os.environ)
        to_host, to_port = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(to_host, to_port, timeout=self._timeout_s, context=self._context())
            if proxy:
                connection.set_tunnel(host, port, proxy_authorization(proxy))
        else:
            connection = http.client.HTTPConnection(to_host, to_port, timeout=self._timeout_s)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        sock: socket.socket = connection.sock
        connection.sock = None  # the socket is ours now; http.client already set TCP_NODELAY
        try:
            _keep_alive(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                import ssl

                # Reading all certificates takes longer than a request; plain http does not need them.

                self._tls = ssl.create_default_context(cafile=self._cafile)
            return self._tls


def is_dropped(sock: socket.socket) -> bool:
    """Return whether an idle socket is readable: the server has closed it, or broken the protocol."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _keep_alive(sock: socket.socket) -> None:
    """Let the kernel probe a silent connection once a minute.

    An invocation may be silent for 15 minutes, and a NAT gateway forgets a connection after 350 seconds ("NAT gateway
    troubleshooting", VPC user guide). SO_KEEPALIVE alone would wait for Linux's default of two hours.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # the second is macOS's name
    if idle is not None:
        sock.setsockopt(socket.IPPROTO_TCP, idle, _KEEPALIVE_IDLE_S)
    if hasattr(socket, "TCP_KEEPINTVL"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
