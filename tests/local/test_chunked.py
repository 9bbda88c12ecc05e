"""Bodies in aws-chunked form: what they state in front, in their chunks and behind them must all fit."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from lambdamagic.local.server import checksums
from lambdamagic.local.server.chunked import MODES, SIGNED, UNSIGNED, ChunkSigning, decode_chunked, receive_chunked
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest

_CONTENT = b"streamed content"
_CRC = base64.b64encode(zlib.crc32(_CONTENT).to_bytes(4)).decode()
_TRAILER = f"{SIGNED}-TRAILER"
#: "123456789", as the catalogs of these checksums have it.
_CHECKS = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": hashlib.sha1(b"123456789").hexdigest(),
    "sha256": hashlib.sha256(b"123456789").hexdigest(),
    "sha512": hashlib.sha512(b"123456789").hexdigest(),
    "md5": hashlib.md5(b"123456789").hexdigest(),
}


def _signing(mode: str) -> ChunkSigning:
    return ChunkSigning(mode, "0" * 64, b"key", "20260101/us-east-1/s3/aws4_request", "20260101T000000Z")


def _body(mode: str, trailer: str = "", *, signature: str | None = None, content: bytes = _CONTENT) -> bytes:
    """Return content in two chunks, signed where the mode wants it, as AWS's clients send it."""
    signing, previous, body = _signing(mode), "0" * 64, b""
    for chunk in (content[:5], content[5:], b""):
        body += b"%x" % len(chunk)
        if mode != UNSIGNED:
            empty = hashlib.sha256(b"").hexdigest()
            previous = signing.signature("PAYLOAD", previous, empty, hashlib.sha256(chunk).hexdigest())
            body += b";chunk-signature=" + previous.encode()
        body += b"\r\n" + (chunk + b"\r\n" if chunk else b"")
    if trailer:
        body += f"{trailer}\r\n".encode()
    if mode == _TRAILER:
        text = f"{trailer}\n" if trailer else ""
        made = signing.signature("TRAILER", previous, hashlib.sha256(text.encode()).hexdigest())
        body += f"x-amz-trailer-signature:{made if signature is None else signature}\r\n".encode()
    return body + b"\r\n"


def _headers(announced: str = "", length: str = str(len(_CONTENT))) -> dict[str, str]:
    return {"x-amz-decoded-content-length": length, **({"x-amz-trailer": announced} if announced else {})}


def _refusal(body: bytes, mode: str, headers: dict[str, str]) -> str:
    with pytest.raises(AwsError) as caught:
        decode_chunked(body, _signing(mode), headers)
    return caught.value.code


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_body_is_taken(mode: str) -> None:
    """In each mode, with the trailer that the mode may have; headers about chunks are gone."""
    has_trailer = mode != SIGNED
    body = _body(mode, f"x-amz-checksum-crc32:{_CRC}" if has_trailer else "")
    headers = {**_headers("x-amz-checksum-crc32" if has_trailer else ""), "content-encoding": "gzip, aws-chunked"}
    request = HttpRequest("PUT", "/b/k", "", headers, body)
    receive_chunked(request, _signing(mode))
    assert request.body == _CONTENT
    assert request.headers == {"content-encoding": "gzip", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


@pytest.mark.parametrize("algorithm", sorted(set(_CHECKS) - {"md5"}))
def test_each_checksum_is_compared(algorithm: str) -> None:
    """Also those that the standard library does not have."""
    name, content = f"x-amz-checksum-{algorithm}", b"123456789"
    right = base64.b64encode(bytes.fromhex(_CHECKS[algorithm])).decode()
    headers = _headers(name, "9")
    assert decode_chunked(_body(UNSIGNED, f"{name}:{right}", content=content), _signing(UNSIGNED), headers) == content
    assert _refusal(_body(UNSIGNED, f"{name}:{right}", content=b"123456780"), UNSIGNED, headers) == "BadDigest"
    assert _refusal(_body(UNSIGNED, f"{name}:AAAA", content=content), UNSIGNED, headers) == "InvalidRequest"
    assert _refusal(_body(UNSIGNED, f"{name}:?", content=content), UNSIGNED, headers) == "InvalidRequest"


@pytest.mark.parametrize(
    ("trailer", "announced"),
    [
        ("", "x-amz-checksum-crc32"),
        (f"x-amz-checksum-crc32:{_CRC}", ""),
        (f"x-amz-checksum-crc32:{_CRC}", "x-amz-checksum-sha256"),
        ("x-amz-checksum-crc16:AAA=", "x-amz-checksum-crc16"),
        ("x-amz-meta-a:b", "x-amz-meta-a"),
        ("no field", ""),
    ],
)
@pytest.mark.parametrize("mode", [UNSIGNED, _TRAILER])
def test_a_trailer_is_the_announced_one(mode: str, trailer: str, announced: str) -> None:
    """A checksum that was cut off, or that was put there on the way, is no upload."""
    assert _refusal(_body(mode, trailer), mode, _headers(announced)) == "MalformedTrailerError"


def test_a_signed_trailer_is_verified() -> None:
    """Its own signature covers it; without one it is refused, and so is a trailer where none is signed."""
    trailer, headers = f"x-amz-checksum-crc32:{_CRC}", _headers("x-amz-checksum-crc32")
    assert _refusal(_body(_TRAILER, trailer, signature="0" * 64), _TRAILER, headers) == "SignatureDoesNotMatch"
    without = _body(_TRAILER, trailer).partition(b"x-amz-trailer-signature")[0] + b"\r\n"
    assert _refusal(without, _TRAILER, headers) == "SignatureDoesNotMatch"
    assert _refusal(_body(SIGNED, trailer), SIGNED, headers) == "MalformedTrailerError"


def test_a_changed_chunk_is_refused() -> None:
    """Chunks are signed one after the other."""
    assert _refusal(_body(SIGNED).replace(b"strea", b"dream"), SIGNED, _headers()) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("size", [b"+5", b"0x5", b"5_0", b"-1", b"", b" 5", b"5" * 17])
def test_a_size_is_hexadecimal(size: bytes) -> None:
    """And nothing else that Python would read."""
    assert _refusal(size + b"\r\nhello\r\n0\r\n\r\n", UNSIGNED, _headers(length="5")) == "IncompleteBody"


@pytest.mark.parametrize(
    ("body", "length", "code"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", "4", "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\r\n", "6", "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\r\n", "\xb2", "MissingContentLength"),
        (b"5\r\nhello\r\n0\r\n\r\n", "", "MissingContentLength"),
        (b"5\r\nhelloXX0\r\n\r\n", "5", "IncompleteBody"),
        (b"5\r\nhello\r\n", "5", "IncompleteBody"),
        (b"5\r\nhell", "5", "IncompleteBody"),
        (b"", "0", "IncompleteBody"),
    ],
)
def test_a_body_has_the_stated_length(body: bytes, length: str, code: str) -> None:
    """Longer, shorter, or broken off."""
    assert _refusal(body, UNSIGNED, _headers(length=length)) == code


def test_one_checksum_is_stated() -> None:
    """Two are refused, also of one body; a header that names an algorithm is no checksum."""
    with pytest.raises(AwsError) as caught:
        checksums.check_stated({"x-amz-checksum-crc32": _CRC, "x-amz-checksum-sha256": "x"}, _CONTENT)
    assert caught.value.code == "InvalidRequest"
    checksums.check_stated({"x-amz-checksum-crc32": _CRC, "x-amz-checksum-algorithm": "CRC32"}, _CONTENT)
    with pytest.raises(AwsError) as caught:
        checksums.check_stated({"content-md5": "AAAA"}, _CONTENT)
    assert caught.value.code == "InvalidDigest"
