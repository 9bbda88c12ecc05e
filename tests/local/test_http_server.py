"""HTTP as clients of all kinds use it, against the real endpoint."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

import pytest

_HEALTHY = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"ok"}'


@pytest.fixture
def channel(server):
    address = urlsplit(server.connection.endpoint_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as found:
        yield found


def _read(channel, count):
    """Read answers that have no body but `{"status":"ok"}`."""
    data = b""
    while data.count(b'{"status":"ok"}') < count:
        received = channel.recv(65536)
        assert received, data
        data += received
    return data


def test_requests_that_are_sent_at_once_are_answered_in_order(channel):
    """Pipelined requests each get their answer."""
    channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert _read(channel, 3).count(b"HTTP/1.1 200 OK") == 3


def test_the_last_of_several_requests_may_end_the_connection(channel):
    """`Connection: close` in the second of two requests leaves the first one its answer, and the second too."""
    first = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    channel.sendall(first + first.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    data = b""
    while received := channel.recv(65536):
        data += received
    assert data.count(b"HTTP/1.1 200 OK") == 2


def test_a_request_in_small_pieces_is_whole_in_the_end(channel):
    """Bytes that come one by one make the same request."""
    for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
        channel.sendall(bytes([byte]))
    assert _read(channel, 1).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_expects_100_continue_gets_it(channel):
    """Expect: 100-continue, as boto3 sends it with uploads."""
    channel.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert channel.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    channel.sendall(b"12345")
    assert b" 421 " in channel.recv(1000).splitlines()[0]  # the host is not ours; the body was taken


def test_connection_close_closes_the_connection(channel):
    """Connection: close is answered and done."""
    channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = b""
    while received := channel.recv(65536):
        data += received
    assert b"connection: close" in data


def test_a_request_that_is_not_http_gets_400(channel):
    """Garbage ends the connection with an answer."""
    channel.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n")
    assert channel.recv(1000).startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    ("head", "rest"),
    [(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 4000), (b"GET /", b"a" * 4000)],
    ids=["header", "target"],
)
def test_a_head_without_end_is_cut_off(channel, head, rest):
    """A stranger who sends one header for ever gets a 431, and fills no memory."""
    channel.sendall(head)
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            channel.sendall(rest)
    with contextlib.suppress(ConnectionError):  # the answer may be lost with what was still on its way
        assert channel.recv(1000).startswith(b"HTTP/1.1 431 ")
        assert channel.recv(1000) == b""


def test_the_end_of_a_large_body_is_no_head(channel):
    """A body whose last piece is larger than any head may be is taken; it was once refused as a head with 431."""
    body = bytes(900_000)
    for _ in range(5):
        channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert _read(channel, 1).startswith(b"HTTP/1.1 200 OK")


def test_very_many_headers_are_refused(channel):
    """Joining thousands of headers of one name would keep the server busy."""
    channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"x: y\r\n" * 1000 + b"\r\n")
    assert channel.recv(1000).startswith(b"HTTP/1.1 400 Bad Request")


def test_headers_of_the_usual_size_are_read(channel):
    """A head of 30 KB in many pieces is one request."""
    channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
    for number in range(30):
        channel.sendall(b"x-%d: %s\r\n" % (number, b"y" * 1000))
    channel.sendall(b"\r\n")
    assert _read(channel, 1).startswith(b"HTTP/1.1 200 OK")


def test_unread_answers_slow_the_sender_down(channel):
    """Who sends requests and reads nothing is not read from any more, and gets all answers when it reads."""
    channel.settimeout(1)
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 100_000_000:
            sent += channel.send((request * 1000)[sent % len(request) :])
    channel.settimeout(20)
    received = 0
    while received < sent // len(request) * len(_HEALTHY):
        received += len(channel.recv(1 << 20))
