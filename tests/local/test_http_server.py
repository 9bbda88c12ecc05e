"""HTTP as clients of all kinds speak it, against the real endpoint."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest


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


def test_a_request_in_small_pieces_is_whole_in_the_end(channel):
    """Bytes that come one by one make the same request."""
    for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
        channel.sendall(bytes([byte]))
    assert _read(channel, 1).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_asks_first_is_told_to_go_on(channel):
    """Expect: 100-continue, as boto3 sends it with uploads."""
    channel.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert channel.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    channel.sendall(b"12345")
    assert b" 421 " in channel.recv(1000).splitlines()[0]  # the host is not ours; the body was taken


def test_a_client_that_wants_no_more_is_let_go(channel):
    """Connection: close is answered and done."""
    channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = b""
    while received := channel.recv(65536):
        data += received
    assert b"connection: close" in data


def test_what_is_no_http_is_a_400(channel):
    """Garbage ends the connection with an answer."""
    channel.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n")
    assert channel.recv(1000).startswith(b"HTTP/1.1 400 Bad Request")
