"""Keep-alive HTTP connections on the standard library alone, for bodies that are never copied.

The worker must not pay for boto3's or requests' import at its cold start, and both copy large bodies more often than
the network needs. Knows HTTP only: neither S3, nor retries.
"""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    import ssl

CHUNK_BYTES = 1 << 20
"""How much is handed to the socket at once: its timeout then covers a megabyte, not a whole body."""

_COALESCE_BYTES = 64 << 10  # smaller pieces are joined, for a system call each would cost more than the copy

Origin = tuple[str, str, int]

# What a keep-alive connection that the server has closed meanwhile looks like on its next use.
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class Connections:
    """A pool of connections to any number of servers. Thread-safe: each exchange has its connection to itself.

    Args:
        connect_timeout_s: For the TCP and TLS handshakes each.
        read_timeout_s: For every single read or write.
        cafile: Certificates to trust instead of the system's.
        max_idle: How many connections are kept open for each server while none is in use.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 60.0,
        cafile: str | None = None,
        max_idle: int = 16,
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._cafile = cafile
        self._max_idle = max_idle
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Sequence[memoryview] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give the response, its body unread.

        The connection is kept if the caller has read the body to its end, else closed. An idle connection that the
        server had closed is replaced once, which is right for idempotent requests only (all of S3's that we send).

        Args:
            method: GET, HEAD or PUT.
            url: An absolute http or https URL.
            headers: Beside Host and Content-Length.
            body: Flat views, sent one after the other; None for a request without a body.

        Raises:
            OSError: or `http.client.HTTPException`: no connection, or it broke.
        """
        parts = urlsplit(url)
        origin = _origin(parts)
        connection, reused = self._take(origin)
        try:
            try:
                response = self._send(connection, method, parts, headers or {}, body)
            except STALE:
                if not reused:
                    raise
                connection.close()
                connection = self._connect(origin)
                response = self._send(connection, method, parts, headers or {}, body)
            with response:
                yield response
                finished = response.isclosed() or response.length == 0
                keep = finished and not response.will_close
        except BaseException:
            connection.close()
            raise
        if keep:
            self._give_back(origin, connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections, and every other as soon as its exchange ends. Idempotent."""
        with self._lock:
            self._closed = True
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _take(self, origin: Origin) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            kept = self._idle.get(origin)
            if kept:
                return kept.pop(), True
        return self._connect(origin), False

    def _give_back(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            kept = self._idle.setdefault(origin, [])
            if not self._closed and len(kept) < self._max_idle:
                kept.append(connection)
                return
        connection.close()

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        scheme, host, port = origin
        proxy = proxy_for(scheme, host, os.environ)
        to_host, to_port = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(
                to_host, to_port, timeout=self._connect_timeout_s, context=self._tls_context()
            )
            if proxy:
                connection.set_tunnel(host, port, _proxy_authorization(proxy))
        else:
            connection = http.client.HTTPConnection(to_host, to_port, timeout=self._connect_timeout_s)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._read_timeout_s)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                import ssl  # 10 ms and a read of all certificates, which plain http does not need

                self._tls = ssl.create_default_context(cafile=self._cafile)
            return self._tls

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        parts: SplitResult,
        headers: Mapping[str, str],
        body: Sequence[memoryview] | None,
    ) -> http.client.HTTPResponse:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        if parts.scheme == "http":
            proxy = proxy_for("http", parts.hostname or "", os.environ)
            if proxy:
                target = f"http://{parts.netloc}{target}"
                headers = {**headers, **_proxy_authorization(proxy)}
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", parts.netloc)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(sum(len(view) for view in body)))
        try:
            connection.endheaders()
            for chunk in chunks(body or ()):
                connection.send(chunk)
        except (BrokenPipeError, ConnectionResetError) as broken:
            # A server that refuses a body answers and closes before it has read all of it.
            try:
                return connection.getresponse()
            except (OSError, http.client.HTTPException):
                raise broken from None
        return connection.getresponse()


def chunks(views: Sequence[memoryview]) -> Iterator[memoryview | bytes]:
    """Yield the views' bytes in order, in pieces good for a socket: small neighbours joined, large ones cut."""
    small: list[memoryview] = []
    small_bytes = 0
    for view in views:
        if len(view) < _COALESCE_BYTES:
            small.append(view)
            small_bytes += len(view)
            if small_bytes < _COALESCE_BYTES:
                continue
        if small:
            yield b"".join(small)
            small, small_bytes = [], 0
        if len(view) >= _COALESCE_BYTES:
            for start in range(0, len(view), CHUNK_BYTES):
                yield view[start : start + CHUNK_BYTES]
    if small:
        yield b"".join(small)


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a host, or None."""
    if not (environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY")):
        return None  # the usual case, at no import
    import urllib.request as request

    proxies: dict[str, str] = request.getproxies_environment()
    bypass: Any = request.proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has no such function
    if scheme not in proxies or bypass(host, proxies):
        return None
    url = proxies[scheme]
    return urlsplit(url if "://" in url else f"http://{url}")


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    from base64 import b64encode

    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(user.encode()).decode("ascii")}


def _origin(parts: SplitResult) -> Origin:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {parts.scheme}://{parts.netloc}")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
