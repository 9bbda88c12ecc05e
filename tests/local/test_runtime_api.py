"""The Runtime API's port is for the environment's own process, whatever else can reach a loopback port."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from lambdamagic.local.environments.peers import is_process
from lambdamagic.local.environments.results import MAX_RESPONSE_BYTES
from lambdamagic.local.environments.runtime_api import Refusal, RuntimeApi, Task

_NEXT = "/2018-06-01/runtime/invocation/next"
_TASK = Task("id", "arn", 0, "trace", None, b'"secret"')


class _Side:
    """An environment with one task, which notes what its runtime says."""

    def __init__(self) -> None:
        self.given = 0
        self.results: list[bytes] = []

    def on_next(self, deliver: Callable[[Task], bool]) -> None:
        self.given += 1
        assert deliver(_TASK)

    def on_result(self, request_id: str, payload: bytes, *, is_error: bool) -> Refusal | None:
        self.results.append(payload)
        return None

    def on_init_error(self, payload: bytes) -> None:
        self.results.append(payload)


async def _ask(address: str, method: str, path: str, *headers: str, host: str | None = None) -> bytes:
    name, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {host or address}",
        "Content-Length: 1",
        "Connection: close",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", "1"]).encode())
    answer = await reader.read()
    writer.close()
    return answer


def _asked(*request: str, is_ours: bool = True, host: str | None = None) -> tuple[bytes, _Side]:
    """Return what one request is answered, and what it did."""

    async def run() -> tuple[bytes, _Side]:
        side = _Side()
        api = RuntimeApi(side, lambda transport: is_ours)
        await api.open()
        api.admit()
        try:
            name = host.replace("PORT", api.address.partition(":")[2]) if host else None
            return await _ask(api.address, *request, host=name), side
        finally:
            api.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", _NEXT),
        ("POST", _NEXT.replace("next", "id/response")),
        ("POST", _NEXT.replace("next", "id/error")),
        ("POST", _NEXT.replace("invocation/next", "init/error")),
    ],
)
@pytest.mark.parametrize(
    ("header", "host"),
    [
        (None, "evil.example:PORT"),
        (None, "localhost:PORT"),
        (None, "127.0.0.1"),
        ("Origin: http://127.0.0.1:8888", None),
        ("Origin: null", None),
        ("Sec-Fetch-Mode: no-cors", None),
        ("Sec-Fetch-Site: same-origin", None),
    ],
)
def test_a_web_page_neither_takes_nor_answers_an_invocation(method, path, header, host):
    """A name that resolves to the address, another page's origin and whatever only a browser sends are refused."""
    answer, side = _asked(method, path, *([header] if header else []), host=host)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert side.given == 0
    assert side.results == []


def test_the_runtime_itself_is_served():
    """A request that names the address and comes from the environment's process gets the task."""
    answer, side = _asked("GET", _NEXT)
    assert answer.endswith(_TASK.payload)
    assert side.given == 1


def test_another_process_of_this_user_is_refused():
    """A browser without Sec-Fetch headers, or any other program, takes no event: the process is not the runtime."""
    answer, side = _asked("GET", _NEXT, is_ours=False)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert side.given == 0


def test_a_large_body_of_a_page_is_not_read():
    """What a page uploads is refused by its head."""

    async def run() -> bytes:
        api = RuntimeApi(_Side(), lambda transport: True)
        await api.open()
        host, _, port = api.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST / HTTP/1.1\r\nHost: page.example\r\nContent-Length: 1000000000\r\n\r\n")
        answer = await reader.read(100)
        writer.close()
        api.close()
        return answer

    assert asyncio.run(run()).startswith(b"HTTP/1.1 403 ")


def test_a_runtime_may_connect_before_its_process_is_known():
    """A request that comes before the keeper has named the process waits until then."""

    async def run() -> tuple[int, bytes]:
        side = _Side()
        api = RuntimeApi(side, lambda transport: True)
        await api.open()
        asked = asyncio.ensure_future(_ask(api.address, "GET", _NEXT))
        async with asyncio.timeout(10):
            while not api._early:  # noqa: ASYNC110 - asked at every step of the loop
                await asyncio.sleep(0)
        before = side.given
        api.admit()
        answer = await asked
        api.close()
        return before, answer

    before, answer = asyncio.run(run())
    assert before == 0
    assert answer.endswith(_TASK.payload)


@pytest.mark.parametrize("end", ["foo", "response/", "response/x", "", "Response"])
def test_an_end_that_is_none_is_no_result(end):
    """Only `response` and `error` are; any other third word was once taken for a response."""
    answer, side = _asked("POST", _NEXT.replace("next", f"id/{end}"))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert side.results == []


@pytest.mark.parametrize("transfer", ["length", "chunks"])
def test_a_result_is_not_kept_beyond_what_lambda_takes(transfer):
    """A function that answers with 64 MB gets a refusal, and takes 6 MB of the server's memory."""
    piece = bytes(1 << 20)

    async def run() -> list[int]:
        side = _Side()
        api = RuntimeApi(side, lambda transport: True)
        await api.open()
        api.admit()
        host, _, port = api.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        kind = f"Content-Length: {64 << 20}" if transfer == "length" else "Transfer-Encoding: chunked"
        writer.write(
            f"POST {_NEXT.replace('next', 'id/response')} HTTP/1.1\r\nHost: {api.address}\r\n{kind}\r\n\r\n".encode()
        )
        for _ in range(64):
            writer.write(piece if transfer == "length" else b"100000\r\n" + piece + b"\r\n")
            await writer.drain()
        writer.write(b"" if transfer == "length" else b"0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        api.close()
        return [len(each) for each in side.results]

    (kept,) = asyncio.run(run())
    assert MAX_RESPONSE_BYTES < kept < MAX_RESPONSE_BYTES + (1 << 20)


def test_connections_are_bounded_and_forgotten():
    """A function that opens thousands keeps the server from nothing: some are taken, and forgotten when they end."""

    async def run() -> tuple[int, int]:
        api = RuntimeApi(_Side(), lambda transport: True)
        await api.open()
        api.admit()
        host, _, port = api.address.partition(":")
        channels = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
        refused = await asyncio.gather(
            *(asyncio.wait_for(each.read(1), 0.5) for each, _ in channels), return_exceptions=True
        )
        held = len(api._connections)
        for _, writer in channels:
            writer.close()
        async with asyncio.timeout(10):
            while api._connections:  # noqa: ASYNC110 - asked at every step of the loop
                await asyncio.sleep(0)
        answer = await _ask(api.address, "GET", _NEXT)
        api.close()
        assert answer.endswith(_TASK.payload)
        return held, sum(not isinstance(each, TimeoutError) for each in refused)

    held, refused = asyncio.run(run())
    assert held == 32
    assert refused == 68


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have one loopback address only")
def test_the_address_cannot_be_guessed():
    """Two environments differ in more than the port, so a page cannot try all ports of one address."""

    async def addresses() -> list[str]:
        apis = [RuntimeApi(_Side(), lambda transport: True) for _ in range(2)]
        for api in apis:
            await api.open()
            api.close()
        return [api.address.partition(":")[0] for api in apis]

    first, second = asyncio.run(addresses())
    assert first.startswith("127.")
    assert first != second


_CLIENT = """
import os, socket, sys
channel = socket.create_connection((sys.argv[1], int(sys.argv[2])))
if sys.argv[3] == "child" and (child := os.fork()):
    channel.close()
    os.waitpid(child, 0)
channel.recv(1)
"""


@pytest.mark.parametrize("who", ["itself", "child"])
def test_a_peer_is_known_by_its_process(who):
    """A process's connection, and that of one it started, is its own; it is not another process's."""

    async def run() -> list[bool]:
        found: list[bool] = []
        done = asyncio.Event()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.extend([is_process(writer.transport, process.pid), is_process(writer.transport, stranger.pid)])
            found.append(is_process(writer.transport, os.getpid()))
            writer.close()
            done.set()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _CLIENT, host, str(port), who)
        async with asyncio.timeout(30):
            await done.wait()
        server.close()
        await asyncio.gather(process.wait(), stranger.communicate(b"\n"))
        return found

    assert asyncio.run(run()) == [True, False, True]  # the test's own process has started both
