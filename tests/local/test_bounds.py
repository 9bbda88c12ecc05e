"""What callers that have signed nothing may hold of the server: time, bytes and connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psutil
import pytest

from lambdamagic.local.server.connection_bounds import HEAD_S, IDLE_S, ConnectionBounds
from lambdamagic.local.server.http_server import HttpConnection, HttpRequest, HttpResponse, Reply

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class _Peer:
    """A server whose clock goes when a test says so, and connections to it."""

    def __init__(self, *, unsigned_bytes: int = 1 << 20) -> None:
        self.now = 0.0
        self.bounds = ConnectionBounds(lambda: self.now, unsigned_bytes=unsigned_bytes)
        self.held: list[Reply] = []
        self.got: list[bytes] = []

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        self.got.append(request.body)
        if request.path == "/slow":
            self.held.append(reply)
        else:
            reply.send(HttpResponse(200, body=b"ok"))

    async def connect(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        before = self.bounds._total, len(self.bounds._held)
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        async with asyncio.timeout(10):
            while (self.bounds._total, len(self.bounds._held)) == before:  # noqa: ASYNC110 - at every step of the loop
                await asyncio.sleep(0)
        return reader, writer

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.bounds.sweep()


def _serving(test: Callable[[_Peer], Awaitable[None]], **bounds: int) -> None:
    async def run() -> None:
        peer = _Peer(**bounds)

        def make() -> HttpConnection:
            return HttpConnection(
                peer.handle,
                body_limit=lambda headers, target: 1 << 30 if "authorization" in headers else None,
                bounds=peer.bounds,
            )

        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        peer.address = server.sockets[0].getsockname()
        try:
            await test(peer)
        finally:
            server.close()
            peer.now = float("inf")
            for connection in list(peer.bounds._held):
                connection.abort()
            await asyncio.sleep(0)

    asyncio.run(run())


async def _answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        try:
            return await reader.readuntil(b"ok")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "sent", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"]
)
def test_an_incomplete_request_is_cut(sent: bytes) -> None:
    """A stranger who sends half a head, or half a small body, holds a connection for some seconds."""

    async def test(peer: _Peer) -> None:
        reader, writer = await peer.connect(sent)
        peer.pass_time(HEAD_S - 1)
        assert not reader.at_eof()
        peer.pass_time(2)
        assert await _answer(reader) == b""
        writer.close()

    _serving(test)


def test_a_silent_connection_is_cut() -> None:
    """One that never sends anything, and one that has had its answers."""

    async def test(peer: _Peer) -> None:
        silent, first = await peer.connect(b"")
        reader, second = await peer.connect(REQUEST)
        assert (await _answer(reader)).endswith(b"ok")
        peer.pass_time(HEAD_S + 1)
        assert await _answer(silent) == b""
        second.write(REQUEST)
        assert (await _answer(reader)).endswith(b"ok")
        peer.pass_time(IDLE_S + 1)
        assert await _answer(reader) == b""
        first.close()
        second.close()

    _serving(test)


def test_a_client_that_waits_for_an_answer_is_not_cut() -> None:
    """An invocation may take 15 minutes; and who names a key may send its body slowly."""

    async def test(peer: _Peer) -> None:
        reader, writer = await peer.connect(REQUEST.replace(b"/", b"/slow", 1))
        async with asyncio.timeout(10):
            while not peer.held:  # noqa: ASYNC110 - at every step of the loop
                await asyncio.sleep(0)
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nAuthorization: key\r\nContent-Length: 2\r\n\r\n1"
        slow, other = await peer.connect(head)
        async with asyncio.timeout(10):
            while any(each.expires_at is not None for each in peer.bounds._held):  # noqa: ASYNC110 - at every step
                await asyncio.sleep(0)
        peer.pass_time(900)
        peer.held[0].send(HttpResponse(200, body=b"ok"))
        assert (await _answer(reader)).endswith(b"ok")
        other.write(b"2")
        assert (await _answer(slow)).endswith(b"ok")
        assert peer.got[-1] == b"12"
        writer.close()
        other.close()

    _serving(test)


def test_strangers_together_hold_no_more_than_a_bound() -> None:
    """Many half requests at once: the last is refused, those with a key are served, and what is closed makes room."""

    async def test(peer: _Peer) -> None:
        begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + bytes(40_000)
        connections = [await peer.connect(begun) for _ in range(2)]
        reader, writer = await asyncio.open_connection(*peer.address)
        writer.write(begun)
        assert (await _answer(reader)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        signed, other = await asyncio.open_connection(*peer.address)
        other.write(b"PUT / HTTP/1.1\r\nHost: x\r\nAuthorization: key\r\nContent-Length: 90000\r\n\r\n" + bytes(90_000))
        assert (await _answer(signed)).endswith(b"ok")
        other.close()
        for _, each in connections:
            each.close()
        async with asyncio.timeout(10):
            while peer.bounds._total:  # noqa: ASYNC110 - at every step of the loop
                await asyncio.sleep(0)

    _serving(test, unsigned_bytes=100_000)


@pytest.mark.parametrize("rest", [b"X: " + b"a" * 60_000, b"X: " + b"a" * 60_000 + b"\r\nContent-Length: 9\r\n\r\n1"])
def test_a_head_that_comes_in_one_piece_is_held_too(rest: bytes) -> None:
    """Half heads, and whole ones with half a body: what came with the first bytes of each was once not counted."""

    async def test(peer: _Peer) -> None:
        begun = b"POST / HTTP/1.1\r\nHost: x\r\n" + rest
        first, other = await peer.connect(begun)
        reader, writer = await asyncio.open_connection(*peer.address)
        writer.write(begun)
        assert (await _answer(reader)).startswith(b"HTTP/1.1 503 ")
        assert not first.at_eof()
        for each in (other, writer):
            each.close()
        async with asyncio.timeout(10):
            while peer.bounds._total:  # noqa: ASYNC110 - at every step of the loop
                await asyncio.sleep(0)

    _serving(test, unsigned_bytes=100_000)


def test_a_head_above_a_size_is_refused_in_one_piece_too() -> None:
    """It was once taken as long as the last of it came with its first byte."""

    async def test(peer: _Peer) -> None:
        reader, writer = await asyncio.open_connection(*peer.address)
        writer.write(REQUEST.replace(b"Host", b"X: " + b"a" * 70_000 + b"\r\nHost"))
        assert (await _answer(reader)).startswith(b"HTTP/1.1 400 ")
        assert peer.got == []
        writer.close()

    _serving(test)


def test_bytes_of_bodies_are_no_heads() -> None:
    """Large bodies of a caller with a key, with empty lines in them, between heads in any pieces."""

    async def test(peer: _Peer) -> None:
        body = (b"\r\n\r\n" + bytes(70_000)) * 2
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nAuthorization: key\r\nContent-Length: %d\r\n\r\n" % len(body)
        sent = (head + body) * 3
        reader, writer = await asyncio.open_connection(*peer.address)
        for at in range(0, len(sent), 50_021):
            writer.write(sent[at : at + 50_021])
            await writer.drain()
        for _ in range(3):
            assert (await _answer(reader)).endswith(b"ok")
        assert peer.got == [body] * 3
        assert peer.bounds._total == 0
        writer.close()

    _serving(test)


def test_the_server_accepts_as_many_connections_as_the_system_allows(server) -> None:
    """Its limit of open files is raised, whatever it was started with."""
    soft, hard = psutil.Process(server.connection.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft >= min(hard, 65_536)
