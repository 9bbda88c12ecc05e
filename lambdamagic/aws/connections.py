"""Keep-alive HTTP exchanges on the standard library alone, for bodies that are never copied.

The worker must not pay for boto3's import at its cold start, and botocore's client takes seven times as long for one
small request. Knows HTTP only: neither AWS, nor retries of what a server has refused.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TypedDict, Unpack
from urllib.parse import SplitResult, urlsplit

from lambdamagic.aws.proxies import proxy_authorization, proxy_for
from lambdamagic.aws.sockets import Dialer, is_dropped

CHUNK_BYTES = 1 << 20
"""How much is handed to the socket at once: its timeout then covers a megabyte, not a whole body."""

NETWORK_ERRORS = (OSError, http.client.HTTPException)
"""Everything by which an exchange can fail without a working connection."""

_COALESCE_BYTES = 64 << 10  # smaller pieces are joined, for a system call each would cost more than the copy
_IDLE_S = 50.0  # servers give idle connections up after about a minute; a request must not cross that

Origin = tuple[str, str]


class NotSentError(OSError):
    """The connection failed or broke before the whole request was sent: the server cannot have acted on it."""


class Content(TypedDict, total=False):
    """Headers and body of a request.

    Attributes:
        headers: In addition to Host and Content-Length.
        body: Flat views, sent one after the other; None for a request without a body.
    """

    headers: Mapping[str, str] | None
    body: Sequence[memoryview] | None


class Connections:
    """A pool of connections to any number of servers. Thread-safe: each exchange has its connection to itself.

    Args:
        connect_timeout_s: For the TCP connection and the TLS handshake each.
        read_timeout_s: For every single read or write, unless an exchange says otherwise.
        cafile: Certificates to trust instead of the system's.
        max_idle: How many connections are kept for each server while none is in use.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 60.0,
        cafile: str | None = None,
        max_idle: int = 16,
    ) -> None:
        self._dialer = Dialer(timeout_s=connect_timeout_s, cafile=cafile)
        self._read_timeout_s = read_timeout_s
        self._max_idle = max_idle
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[tuple[socket.socket, float]]] = {}
        self._active: set[socket.socket] = set()
        self._closed = False

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float | None = None,
        sent: Callable[[int], None] | None = None,
        **content: Unpack[Content],
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give the response, its body unread.

        The connection is kept if the caller reads the body to its end, else closed. A request is sent a second time
        only if a kept connection turns out to be dead: always when the request was not fully handed over, and
        otherwise for every method but POST, which may have had its effect.

        Args:
            method: The HTTP method.
            url: An absolute http or https URL.
            timeout_s: How long a silent server is waited for.
            sent: Called with the number of bytes of each piece that was handed to the socket.
            **content: See `Content`.

        Raises:
            NotSentError: the server cannot have acted on the request.
            OSError: or `http.client.HTTPException`: the connection broke later.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http or https URL: {parts.scheme}://{parts.netloc}")
        body = content.get("body")
        head = _head(method, parts, content.get("headers") or {}, body)
        sock, response = self._answered(method, parts, head, body or (), timeout_s or self._read_timeout_s, sent)
        keep = False
        try:
            with response:
                try:
                    yield response
                finally:  # an error of S3's, read to its end, leaves a good connection
                    keep = (response.isclosed() or response.length == 0) and not response.will_close
        finally:
            self._release((parts.scheme, parts.netloc), sock, keep=keep)

    def forget_idle(self) -> None:
        """Close idle connections: after a freeze their peers are gone without a notice."""
        with self._lock:
            idle = [sock for kept in self._idle.values() for sock, _ in kept]
            self._idle.clear()
        for sock in idle:
            sock.close()

    def close(self) -> None:
        """Close all connections; exchanges under way fail with OSError at once. Idempotent."""
        with self._lock:
            self._closed = True
            idle = [sock for kept in self._idle.values() for sock, _ in kept]
            self._idle.clear()
            for sock in self._active:
                try:
                    # Wakes the thread that reads from it, and leaves closing to that thread. The plain socket's method:
                    # SSLSocket's would take the TLS state away from under the reader.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    pass  # broken already, which is as good
        for sock in idle:
            sock.close()

    def _answered(
        self,
        method: str,
        parts: SplitResult,
        head: bytes,
        body: Sequence[memoryview],
        timeout_s: float,
        sent: Callable[[int], None] | None,
    ) -> tuple[socket.socket, http.client.HTTPResponse]:
        """Send on a kept connection, and again on a new one if that was dead; return the response's beginning."""
        origin = (parts.scheme, parts.netloc)
        sock = self._take(origin)
        if sock is not None:
            try:
                return sock, self._send(sock, method, head, body, timeout_s, sent)
            except NotSentError:
                pass
            except (http.client.RemoteDisconnected, ConnectionError):
                if method == "POST":
                    raise
        sock = self._dial(parts)
        return sock, self._send(sock, method, head, body, timeout_s, sent)

    def _send(
        self,
        sock: socket.socket,
        method: str,
        head: bytes,
        body: Sequence[memoryview],
        timeout_s: float,
        sent: Callable[[int], None] | None = None,
    ) -> http.client.HTTPResponse:
        response = _Response(sock, method=method)
        try:
            sock.settimeout(timeout_s)
            try:
                for chunk in chunks([memoryview(head), *body]):
                    sock.sendall(chunk)
                    if sent is not None:
                        sent(len(chunk))
            except OSError as broken:
                # A server that refuses a body answers and closes before it has read all of it.
                try:
                    response.begin()
                except NETWORK_ERRORS:
                    raise NotSentError(f"the connection broke while the request was sent: {broken}") from broken
            else:
                response.begin()
        except BaseException:
            response.close()
            self._release(None, sock, keep=False)
            raise
        return response

    def _dial(self, parts: SplitResult) -> socket.socket:
        try:
            sock = self._dialer.dial(parts)
        except NETWORK_ERRORS as exc:
            raise NotSentError(f"{type(exc).__name__}: {exc}") from exc
        with self._lock:
            if not self._closed:
                self._active.add(sock)
                return sock
        sock.close()
        raise NotSentError("the connections were closed")

    def _take(self, origin: Origin) -> socket.socket | None:
        dead = []
        try:
            with self._lock:
                kept = self._idle.get(origin, [])
                while kept:
                    sock, since = kept.pop()  # the one used last is the likeliest to live
                    if time.monotonic() - since < _IDLE_S and not is_dropped(sock):
                        self._active.add(sock)
                        return sock
                    dead.append(sock)
                return None
        finally:
            for sock in dead:
                sock.close()

    def _release(self, origin: Origin | None, sock: socket.socket, *, keep: bool) -> None:
        with self._lock:
            self._active.discard(sock)
            if keep and origin is not None and not self._closed:
                kept = self._idle.setdefault(origin, [])
                if len(kept) < self._max_idle:
                    kept.append((sock, time.monotonic()))
                    return
        sock.close()


class _Response(http.client.HTTPResponse):
    """A response whose head must be whole: `http.client` takes the end of a cut connection for the end of the head."""

    def begin(self) -> None:
        """Read the head.

        Raises:
            http.client.RemoteDisconnected: the connection broke within it, or it does not say where its body ends.
        """
        whole = self.fp
        self.fp = _Head(whole)  # type: ignore[assignment]  # `begin` reads lines only
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = whole
        if self.length is None and not self.chunked:
            raise http.client.RemoteDisconnected("the response has neither a length nor chunks")


class _Head:
    """The lines of a response's head; a line that was cut off is an error."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._has_begun = False
        self.close = stream.close

    def readline(self, limit: int) -> bytes:
        line = self._stream.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit and (line or self._has_begun):
            raise http.client.RemoteDisconnected("the connection broke within the response's head")
        self._has_begun = True
        return line


def chunks(views: Sequence[memoryview]) -> Iterator[memoryview | bytes]:
    """Yield the views' bytes in order, in pieces good for a socket: small neighbors joined, large ones cut."""
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


def _head(method: str, parts: SplitResult, headers: Mapping[str, str], body: Sequence[memoryview] | None) -> bytes:
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    lines = {"Host": parts.netloc, **headers}
    if body is not None:
        lines["Content-Length"] = str(sum(len(view) for view in body))
    if parts.scheme == "http":
        proxy = proxy_for("http", parts.hostname or "", os.environ)
        if proxy:
            target = f"http://{parts.netloc}{target}"
            lines.update(proxy_authorization(proxy))
    text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if text.count("\n") != len(lines) + 1 or target.count(" "):
        raise ValueError("a URL or header holds a line break or a blank")  # it would smuggle in a second request
    return f"{text}\r\n".encode("latin-1")
