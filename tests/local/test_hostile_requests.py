"""The embedded Lambda's readers of requests: whatever comes is answered as AWS answers, by an error that it knows."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdamagic.local.server.auth import Authenticator, Credential
from lambdamagic.local.server.chunked import MODES, SIGNED, UNSIGNED, ChunkSigning, decode_chunked
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest

KEY = "AKIAABCDEFGHIJKLMNOP"
quick = settings(max_examples=100, deadline=None)
pieces = st.text(st.characters(max_codepoint=0x17F), max_size=20)  # headers are read as Latin-1, and decoded from %XX


@quick
@given(
    st.binary(max_size=60),
    st.sampled_from(MODES),
    st.one_of(st.just("0"), pieces),
    pieces,
)
@example(b"1;chunk-signature=\xe9\r\nx\r\n0\r\n\r\n", SIGNED, "1", "")
@example(b"-1\r\n\r\n", UNSIGNED, "0", "")
@example(b"0\r\nx-amz-checksum-crc32:\xff\r\n", UNSIGNED, "0", "x-amz-checksum-crc32")
@example(b"0\r\nx-amz-checksum-crc32:\xff\r\n", UNSIGNED, "\xb2", "x-amz-checksum-crc32")
def test_a_chunked_body(body: bytes, mode: str, length: str, trailer: str) -> None:
    """It is broken off, wrongly signed, or whole."""
    with contextlib.suppress(AwsError):
        signing = ChunkSigning(mode, "0" * 64, b"k", "20260101/r/s3/aws4_request", "20260101T000000Z")
        decode_chunked(body, signing, {"x-amz-decoded-content-length": length, "x-amz-trailer": trailer})


def _header(credential: str, headers: str, signature: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature={signature}"


_CREDENTIALS = st.one_of(
    pieces,
    st.tuples(st.just(KEY), st.sampled_from(["20260101", ""]), pieces, pieces, st.just("aws4_request")).map("/".join),
)
_QUERIES = st.tuples(
    st.sampled_from(["X-Amz-Signature=", "Signature=&AWSAccessKeyId=", ""]),
    st.sampled_from(
        [f"X-Amz-Credential={KEY}%2F20260101%2Fr%2Fs3%2Faws4_request&X-Amz-Algorithm=AWS4-HMAC-SHA256&", "x&"]
    ),
    pieces,
    st.sampled_from(
        [
            "&X-Amz-Date=",
            "&X-Amz-Expires=",
            "&X-Amz-SignedHeaders=",
            "&Expires=",
            "%",
            "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=",
        ]
    ),
    pieces,
).map("".join)


@quick
@given(
    st.one_of(pieces, st.builds(_header, _CREDENTIALS, pieces, pieces), st.none()),
    _QUERIES,
    st.dictionaries(
        st.sampled_from(["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "date"]), pieces
    ),
)
def test_a_signature(authorization: str | None, query: str, headers: dict[str, str]) -> None:
    """No client without the key gets in, and no form of a signature is a mistake of the server's."""
    authenticator = Authenticator(now=lambda: 1_767_225_600.0)
    authenticator.add(Credential(KEY, "secret"))
    if authorization is not None:
        headers = {**headers, "authorization": authorization}
    try:
        authenticator.verify(HttpRequest("GET", "/b/k", query, headers, b""))
    except AwsError:
        return
    raise AssertionError("it was let in")


@settings(max_examples=25, deadline=None)
@given(
    data=st.one_of(
        st.binary(min_size=1, max_size=200), st.binary(max_size=60).map(lambda end: b"GET / HTTP/1.1\r\n" + end)
    )
)
def test_bytes_on_the_wire(server, data: bytes) -> None:
    """Garbage ends its own connection, and the next one is served."""
    address = urlsplit(server.connection.endpoint_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as channel:
        channel.sendall(data)
        channel.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while channel.recv(1 << 16):
                pass
    with socket.create_connection((address.hostname, address.port), timeout=20) as channel:
        channel.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert channel.recv(1000).startswith(b"HTTP/1.1 200 OK")
