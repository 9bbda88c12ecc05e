"""What one connection is answered, in which order, and how much of its requests is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lambdamagic.local.server.http_server import HttpConnection, HttpRequest, HttpResponse, Reply

_GOOD = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
_Test = Callable[["_Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Server:
    """Answers when a test says so."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []
        self.replies: list[Reply] = []

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        self.asked.append(request)
        self.replies.append(reply)

    def run(self, test: _Test, *, keeps: int = 1 << 20) -> None:
        async def serve() -> None:
            made: list[HttpConnection] = []
            server = await asyncio.get_running_loop().create_server(
                lambda: HttpConnection(
                    self.handle, on_open=made.append, body_limit=lambda headers, target: keeps, answers_half_closed=True
                ),
                "127.0.0.1",
                0,
            )
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                async with asyncio.timeout(20):
                    await test(self, reader, writer)
            finally:
                writer.close()
                server.close()
                for each in made:
                    each.abort()

        asyncio.run(serve())

    async def until_asked(self, count: int) -> None:
        while len(self.asked) < count:  # noqa: ASYNC110 - at every step of the loop
            await asyncio.sleep(0)

    def answer(self, body: bytes) -> None:
        self.replies.pop(0).send(HttpResponse(200, body=body))


@pytest.mark.parametrize(
    "bad",
    [b"\x00garbage\r\n\r\n", b"GET / HTTP/1.1\r\nnot a header\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 120_000],
    ids=["garbage", "header", "large head"],
)
def test_what_cannot_be_read_is_refused_after_the_answers_before_it(bad: bytes) -> None:
    """A refusal in place of the answer to an earlier request would be taken for that answer."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD + _GOOD)
        await server.until_asked(1)
        for piece in (bad[:50_000], bad[50_000:]):
            writer.write(piece)
            await asyncio.sleep(0.05)  # a head in one piece may be as large as what is read at once
        server.answer(b"first")
        await server.until_asked(2)
        server.answer(b"second")
        received = await reader.read()
        statuses = [line[9:12] for line in received.split(b"\r\n") if b"HTTP/1.1 " in line]
        assert received.index(b"first") < received.index(b"second") < received.index(b"connection: close")
        assert len(statuses) == 3
        assert len(server.asked) == 2

    _Server().run(test)


def test_a_client_may_continue_once_it_has_the_answers_before() -> None:
    """100 Continue belongs to the second request, so it comes after the answer to the first."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD + _GOOD.replace(b"\r\n\r\nok", b"\r\nExpect: 100-continue\r\n\r\n"))
        await server.until_asked(1)
        await asyncio.sleep(0.05)
        server.answer(b"first")
        assert await reader.readuntil(b"first")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        await server.until_asked(2)
        server.answer(b"second")
        assert b"200 OK" in await reader.readuntil(b"second")

    _Server().run(test)


@pytest.mark.parametrize(
    ("target", "version", "is_taken"),
    [
        (b"http://x/slow?a=b", b"1.1", True),
        (b"HTTP://x/slow?a=b", b"1.1", True),
        (b"http://evil.example/slow", b"1.1", False),
        (b"http://x@evil.example/slow", b"1.1", False),
        (b"https://x/slow", b"1.1", False),
        (b"ftp://x/slow", b"1.1", False),
        (b"/slow", b"1.0", True),
        (b"/slow", b"2.0", False),
        (b"/slow", b"0.9", False),
    ],
)
def test_a_target_of_another_server_or_version_is_refused(target: bytes, version: bytes, is_taken: bool) -> None:
    """An absolute target must name the server that `Host` names; there is HTTP/1.0 and 1.1 here."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD.replace(b"/slow", target).replace(b"HTTP/1.1", b"HTTP/" + version))
        if not is_taken:
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            assert server.asked == []
            return
        await server.until_asked(1)
        assert server.asked[0].path == "/slow"
        assert server.asked[0].query == ("a=b" if b"?" in target else "")

    _Server().run(test)


@pytest.mark.parametrize("transfer", [b"Content-Length: 300000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_is_kept_up_to_a_bound(transfer: bytes) -> None:
    """What comes above it is read and thrown away, and the next request is served."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        piece = bytes(100_000)
        for body in (piece, b"x"):
            writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\n")
            writer.write(transfer.replace(b"300000", b"%d" % (3 * len(body))))
            for _ in range(3):
                writer.write(body if b"300000" in transfer else b"%x\r\n%s\r\n" % (len(body), body))
            writer.write(b"" if b"300000" in transfer else b"0\r\n\r\n")
        await server.until_asked(1)
        server.answer(b"one")
        await server.until_asked(2)
        assert [request.is_cut for request in server.asked] == [True, False]
        assert 1000 <= len(server.asked[0].body) < 300_000
        assert server.asked[1].body == b"xxx"

    _Server().run(test, keeps=1000)


@pytest.mark.parametrize("rest", [b"", b"POST /slow HTTP/1.1\r\nHo"], ids=["whole", "half a request"])
def test_a_client_that_sends_no_more_gets_the_answers_that_it_waits_for(rest: bytes) -> None:
    """As HTTP servers do where only one direction of a connection is closed; the last answer closes the other."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD + _GOOD + rest)
        writer.write_eof()
        for count, body in enumerate((b"first", b"second"), 1):
            await server.until_asked(count)
            await asyncio.sleep(0.05)  # the end of what is sent is received in a separate step
            server.answer(body)
        received = await reader.read()
        assert received.index(b"first") < received.index(b"connection: close") < received.index(b"second")
        assert received.count(b"connection: close") == 1

    _Server().run(test)


def test_the_connection_of_a_client_that_waits_for_nothing_is_closed() -> None:
    """One that sends no more, before a request or within it."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD[:-1])
        writer.write_eof()
        assert await reader.read() == b""
        assert not server.asked

    _Server().run(test)


def test_a_refusal_reaches_a_client_that_sends_no_more() -> None:
    """After the answer to the request before it."""

    async def test(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GOOD + b"\x00garbage\r\n\r\n")
        writer.write_eof()
        await server.until_asked(1)
        await asyncio.sleep(0.05)
        server.answer(b"first")
        received = await reader.read()
        assert received.index(b"first") < received.index(b"400 Bad Request")

    _Server().run(test)
