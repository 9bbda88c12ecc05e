"""The aws-chunked transfer of S3: what a body carries, its chunks' signatures, and its trailer.

"Signature calculations for the authorization header: transferring payload in multiple chunks", and "... including
trailing headers", S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from lambdamagic.local.server import auth_errors as errors
from lambdamagic.local.server import checksums
from lambdamagic.local.server.http_server import HttpRequest

SIGNED, UNSIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = (SIGNED, f"{SIGNED}-TRAILER", UNSIGNED)
_EMPTY = hashlib.sha256(b"").hexdigest()
_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")
_LENGTH = re.compile("[0-9]{1,18}")
_SIGNATURE = "x-amz-trailer-signature"


@dataclass(frozen=True, slots=True)
class ChunkSigning:
    """With what the chunks of one body are verified.

    Attributes:
        mode: The stated `x-amz-content-sha256`, one of `MODES`, which says whether chunks are signed at all.
        seed_signature: The request's own signature, on which the first chunk's builds.
        key: The signing key.
        scope: The credential scope.
        timestamp: The time of signing, as it was sent.
    """

    mode: str
    seed_signature: str
    key: bytes
    scope: str
    timestamp: str

    def signature(self, kind: str, *parts: str) -> str:
        """Return the signature of a chunk or a trailer."""
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", self.timestamp, self.scope, *parts))
        return hmac.digest(self.key, text.encode(), "sha256").hex()


def receive_chunked(request: HttpRequest, signing: ChunkSigning) -> None:
    """Replace an aws-chunked body by what it carries, and take away the headers about chunks.

    Raises:
        AwsError: As `decode_chunked` does.
    """
    headers = request.headers
    request.body = decode_chunked(request.body, signing, headers)
    encodings = [e.strip() for e in headers.pop("content-encoding", "").split(",")]
    kept = ",".join(e for e in encodings if e and e != "aws-chunked")
    if kept:
        headers["content-encoding"] = kept
    headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    for name in ("x-amz-trailer", "x-amz-decoded-content-length", "transfer-encoding"):
        headers.pop(name, None)


def decode_chunked(body: bytes, signing: ChunkSigning, headers: dict[str, str]) -> bytes:
    """Return what an aws-chunked body carries, all that it states verified.

    Args:
        body: The body.
        signing: What its chunks are signed with.
        headers: The request's, which state the length and the trailer.

    Raises:
        AwsError: A signature or the trailing checksum does not fit, the trailer is not the one that was announced, or
            the body is broken off.
    """
    is_signed = signing.mode != UNSIGNED
    previous = signing.seed_signature
    content: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        size_text, _, extension = body[at : max(end, at)].partition(b";")
        if end < 0 or _SIZE.fullmatch(size_text) is None:
            raise errors.incomplete_body()
        size = int(size_text, 16)
        chunk = body[end + 2 : end + 2 + size]
        if len(chunk) != size:
            raise errors.incomplete_body()
        if is_signed:
            stated = extension.partition(b"chunk-signature=")[2].strip()
            expected = signing.signature("PAYLOAD", previous, _EMPTY, hashlib.sha256(chunk).hexdigest())
            if not hmac.compare_digest(expected.encode(), stated):
                raise errors.mismatch("s3")
            previous = expected
        at = end + 2 + size
        if size == 0:
            break
        if body[at : at + 2] != b"\r\n":
            raise errors.incomplete_body()
        content.append(chunk)
        at += 2
    whole = content[0] if len(content) == 1 else b"".join(content)
    length = headers.get("x-amz-decoded-content-length", "")
    if _LENGTH.fullmatch(length) is None:
        raise errors.missing_length()
    if int(length) != len(whole):
        raise errors.incomplete_body()
    _check_trailer(body[at:], whole, signing, previous, announced=headers.get("x-amz-trailer", ""))
    return whole


def _check_trailer(trailer: bytes, content: bytes, signing: ChunkSigning, previous: str, *, announced: str) -> None:
    fields: dict[str, str] = {}
    for line in trailer.decode("latin-1").splitlines():
        if line.strip():
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
    signature = fields.pop(_SIGNATURE, "")
    names = [name.strip().lower() for name in announced.split(",") if name.strip()]
    if sorted(names) != sorted(fields) or (names and signing.mode == SIGNED):
        raise errors.malformed_trailer()
    if signing.mode == f"{SIGNED}-TRAILER":
        text = "".join(f"{name}:{value}\n" for name, value in fields.items())
        expected = signing.signature("TRAILER", previous, hashlib.sha256(text.encode("latin-1")).hexdigest())
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
            raise errors.mismatch("s3")
    if len(fields) > 1:
        raise errors.several_checksums()
    for name, value in fields.items():
        algorithm = name.removeprefix("x-amz-checksum-")
        if algorithm == name or not checksums.is_known(algorithm):
            raise errors.malformed_trailer()
        checksums.check(algorithm, value.encode("latin-1"), content)
