"""HTTP/1.1 for both faces of the instance: httptools parses, this writes answers in one segment.

A request is handed over whole. That suits what is served (invocations of a few MB and S3 objects that
moto keeps whole anyway) and costs a fraction of a general ASGI server per request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

from lambdamagic.local.server.connection_bounds import HEAD_S, IDLE_S, ConnectionBounds, share_of_head
from lambdamagic.local.server.response_head import Headers, write_head

_UNKNOWN_BODY_BYTES = 1 << 20
_MAX_HEAD_BYTES = 1 << 16  # AWS's front ends refuse far less; nothing is signed yet when a head is read
_MAX_HEADERS = 256
_MAX_WAITING = 32  # pipelined requests of one connection; above it, nothing more is read from it
_ONE_SEGMENT_BYTES = 1 << 16  # above it, copying head and body together costs more than a second write


@dataclass(slots=True)
class HttpRequest:
    """A whole request as it arrived.

    Attributes:
        method: The method, upper case.
        path: The path as sent, still percent-encoded.
        query: The query string as sent, without its question mark.
        headers: Lower-case names; repeated headers are joined by a comma, as signatures want them.
        body: The bytes of the body, chunked transfer coding undone.
        is_cut: Whether the body was longer than what is kept of it.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    is_cut: bool = False


@dataclass(slots=True)
class HttpResponse:
    """What is answered; `content-length` is added by the writer."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Loss:
    """How an answer is lost: it breaks off within its head or body, or nothing arrives and the connection stays open.

    Attributes:
        part: `head`, `body` or `all`.
        at: Which share of that part still comes.
    """

    part: str
    at: float = 0.0


@dataclass(slots=True)
class Reply:
    """The right to answer one request, once."""

    _connection: HttpConnection
    _request: HttpRequest
    _answered: bool = field(default=False)
    _loss: Loss | None = field(default=None)

    def lose(self, loss: Loss) -> None:
        """Let the answer be lost on its way, as a fault."""
        self._loss = loss

    def send(self, response: HttpResponse) -> None:
        """Write the answer; a connection that has gone meanwhile is ignored."""
        if not self._answered:
            self._answered = True
            self._connection.write(self._request, response, self._loss)

    def drop(self) -> None:
        """Close the connection without an answer, as a fault."""
        self._answered = True
        self._connection.abort()

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection that the request came by, while it lives."""
        return self._connection.transport

    @property
    def is_connected(self) -> bool:
        """Whether the peer is still there."""
        return self._connection.is_open


Handler = Callable[[HttpRequest, Reply], None]
#: How much of a body is kept, by the headers and the target; None for a caller who names no key of ours.
BodyLimit = Callable[[dict[str, str], str], int | None]


class HttpConnection(asyncio.Protocol):
    """One keep-alive connection; requests are answered in the order in which they came."""

    def __init__(
        self,
        handler: Handler,
        *,
        admits: Callable[[asyncio.Transport], bool] | None = None,
        on_lost: Callable[[HttpConnection], None] | None = None,
        on_open: Callable[[HttpConnection], None] | None = None,
        body_limit: BodyLimit | None = None,
        bounds: ConnectionBounds | None = None,
        answers_half_closed: bool = False,
    ) -> None:
        self._handler = handler
        self._admits = admits
        self._on_lost = on_lost
        self._on_open = on_open
        self._body_limit = body_limit
        self._bounds = bounds
        self.expires_at: float | None = None
        self._is_known = body_limit is None
        self._body_bytes = 0
        self._most_bytes: int | None = None
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[HttpRequest, bool]] = deque()
        self._busy = False
        self._is_in_next = False
        self._keep_alive = True
        self._is_idle = True
        self._is_in_head = False
        self._has_begun = False
        self._head_bytes = 0
        self._fed_bytes = 0
        self._is_write_full = False
        self._is_silent = False
        self._refusal = b""
        self._is_continue_due = False
        self._answers_half_closed = answers_half_closed
        self._has_ended = False

    @property
    def is_open(self) -> bool:
        """Whether an answer can still reach the peer."""
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless the peer is not allowed here."""
        self.transport = cast(asyncio.Transport, transport)
        if self._admits is not None and not self._admits(self.transport):
            self.abort()
            return
        if self._bounds is not None:
            self._bounds.opened(self)
            self._expire_in(HEAD_S)
        if self._on_open is not None:
            self._on_open(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; answers that come later go nowhere."""
        self.transport = None
        if self._bounds is not None:
            self._bounds.closed(self)
        if self._on_lost is not None:
            self._on_lost(self)

    def eof_received(self) -> bool:
        """Note that the peer sends no more, and keep the connection for the answers that it may still wait for.

        What it does not do for a runtime, whose process has ended then.
        """
        self._has_ended = True
        return self._answers_half_closed and not self._is_silent and (self._busy or bool(self._waiting))

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def fall_silent(self) -> None:
        """Stop responding without closing, as a fault: nothing is read or answered."""
        self._is_silent = True

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        if self._is_silent or self._refusal:
            return
        self._has_begun = False
        self._fed_bytes = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(b"400 Bad Request")
        if not self._is_idle and (self._is_in_head or not self._is_known):
            # The parser keeps an unfinished header for as long as it grows, and so does `_headers`.
            is_begun = self._is_in_head and self._has_begun
            self._head_bytes += share_of_head(data, body_bytes=self._fed_bytes, is_unfinished=is_begun)
            if self._is_in_head and self._head_bytes > _MAX_HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
        if self._bounds is not None and not self._bounds.holds(self, self._unsigned_bytes()):
            self._refuse(b"503 Service Unavailable")
        # Not from within the parser, which would take a mistake of ours for one of the peer's.
        self._next()
        self._end_if_refused()
        self._read_or_wait()

    def _unsigned_bytes(self) -> int:
        if self._refusal or self._is_idle or (self._is_known and not self._is_in_head):
            return 0
        return self._head_bytes + self._body_bytes

    def _expire_in(self, seconds: float | None) -> None:
        if self._bounds is not None:
            self.expires_at = None if seconds is None else self._bounds.now() + seconds

    def pause_writing(self) -> None:
        """Answers pile up since the peer does not read them: it need not ask for more."""
        self._is_write_full = True
        self._read_or_wait()

    def resume_writing(self) -> None:
        """The peer has read its answers."""
        self._is_write_full = False
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self._is_write_full or len(self._waiting) >= _MAX_WAITING:
            transport.pause_reading()
        elif not transport.is_reading():
            transport.resume_reading()

    def _refuse(self, status: bytes) -> None:
        """Read no more; what was read before is answered first."""
        self._refusal = self._refusal or status
        self._expire_in(None)

    def _end_if_refused(self) -> None:
        if self._refusal and not self._busy and not self._waiting and self.transport is not None:
            head = b"HTTP/1.1 " + self._refusal + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head)
            self.transport.close()

    def _continue_if_due(self) -> None:
        """Answer a client that asks whether to send its body, once it has the answers before."""
        if self._is_continue_due and not self._busy and not self._waiting and self.transport is not None:
            self._is_continue_due = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _next(self) -> None:
        # A loop and not a call from `write`: a peer may send thousands of requests at once.
        if self._is_in_next:
            return
        self._is_in_next = True
        try:
            while self._waiting and not self._busy:
                self._busy = True
                request, self._keep_alive = self._waiting.popleft()
                self._handler(request, Reply(self, request))
        finally:
            self._is_in_next = False

    def on_message_begin(self) -> None:
        """Parser: a request begins."""
        self._is_in_head = self._has_begun = True
        self._is_idle = False
        self._head_bytes = self._body_bytes = 0
        self._field_bytes = 0
        if not self._busy:
            self._expire_in(HEAD_S)
        self._header_count = 0
        self._target = b""
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """Parser: a piece of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: one header; too many are an error of the peer's, as the parser then says."""
        self._header_count += 1
        self._field_bytes += len(name) + len(value)
        if self._header_count > _MAX_HEADERS or self._field_bytes > _MAX_HEAD_BYTES:
            raise ValueError("too many headers, or too large ones")
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]},{text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Parser: the headers are there; a client that asks whether to continue is answered."""
        self._is_in_head = False
        if self._parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("another version of HTTP")
        url = self._target.decode("latin-1")
        if not url.startswith("/") and url != "*":  # the absolute form, which proxies use
            scheme, _, rest = url.partition("://")
            host, _, path = rest.partition("/")
            if scheme.lower() != "http" or host != self._headers.get("host"):
                raise ValueError("a target that is another server's")
            self._target = b"/" + path.encode("latin-1")
        if self._body_limit is not None:
            self._most_bytes = self._body_limit(self._headers, url)
            self._is_known = self._most_bytes is not None
        self._expire_in(None if self._is_known or self._busy else HEAD_S)
        if not self._is_known and self._is_large():
            # A body is kept whole in memory, so it is taken only from those who may at all be answered.
            self._refuse(b"403 Forbidden")
            return
        if self._headers.get("expect", "").lower() == "100-continue":
            self._is_continue_due = True
            self._continue_if_due()

    def _is_large(self) -> bool:
        length = self._headers.get("content-length", "")
        return int(length) > _UNKNOWN_BODY_BYTES if length.isdigit() else "transfer-encoding" in self._headers

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of the body."""
        self._fed_bytes += len(body)
        if self.is_open and not self._refusal:
            if self._most_bytes is None or self._body_bytes < self._most_bytes:
                self._chunks.append(body)
            self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Parser: the request is whole."""
        if self._refusal:
            return
        self._is_continue_due = False
        chunks = self._chunks
        path, _, query = self._target.decode("latin-1").partition("?")
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        is_cut = self._most_bytes is not None and self._body_bytes > self._most_bytes
        request = HttpRequest(self._parser.get_method().decode("ascii"), path, query, self._headers, body, is_cut)
        self._is_idle = True
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._expire_in(None)  # the server's turn

    def write(self, request: HttpRequest, response: HttpResponse, loss: Loss | None = None) -> None:
        """Write one answer, or what is left of it, and turn to the next request that waits."""
        transport = self.transport
        if transport is None or transport.is_closing() or self._is_silent:
            return
        body = response.body
        if self._has_ended and not self._waiting and not self._refusal:
            self._keep_alive = False
        head = write_head(response.status, response.headers, len(body), keep_alive=self._keep_alive)
        if loss is not None:
            if loss.part != "all":
                cut = int(len(head) * loss.at) if loss.part == "head" else len(head) + int(len(body) * loss.at)
                transport.write((head + (b"" if request.method == "HEAD" else body))[:cut])
                transport.close()
            return
        if request.method == "HEAD" or not body:
            transport.write(head)
        elif len(body) <= _ONE_SEGMENT_BYTES:
            transport.write(head + body)
        else:
            transport.writelines([head, body])
        if not self._keep_alive:
            transport.close()
        else:
            self._busy = False
            self._expire_in(None if self._waiting else IDLE_S)
            if self._waiting:
                self._next()
                self._read_or_wait()
            self._continue_if_due()
            self._end_if_refused()
