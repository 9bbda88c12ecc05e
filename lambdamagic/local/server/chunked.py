"""The aws-chunked transfer of S3: what a body carries, its chunks' signatures and its checksum trailer.

"Signature calculations for the authorization header: transferring payload in multiple chunks", S3 API reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from dataclasses import dataclass

from lambdamagic.local.server import auth_errors as errors


@dataclass(frozen=True, slots=True)
class ChunkSigning:
    """With what the chunks of one body are verified.

    Attributes:
        mode: The stated `x-amz-content-sha256`, which says whether chunks are signed at all.
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


def decode_chunked(body: bytes, signing: ChunkSigning) -> bytes:
    """Return what an aws-chunked body carries, its chunks' signatures and its checksum trailer verified.

    Raises:
        AwsError: A chunk's signature or the trailing checksum does not fit, or the body is broken off.
    """
    is_signed = signing.mode.startswith("STREAMING-AWS4-HMAC-SHA256")
    previous = signing.seed_signature
    empty = hashlib.sha256(b"").hexdigest()
    content: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        if end < 0:
            raise errors.incomplete_body()
        size_text, _, extension = body[at:end].partition(b";")
        try:
            size = int(size_text, 16)
        except ValueError:
            raise errors.incomplete_body() from None
        chunk = body[end + 2 : end + 2 + size]
        if len(chunk) != size:
            raise errors.incomplete_body()
        if is_signed:
            signature = extension.partition(b"chunk-signature=")[2].strip()
            digest = hashlib.sha256(chunk).hexdigest()
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{signing.timestamp}\n{signing.scope}\n{previous}\n{empty}\n{digest}"
            if not hmac.compare_digest(hmac.digest(signing.key, text.encode(), "sha256").hex().encode(), signature):
                raise errors.mismatch("s3")
            previous = signature.decode("ascii")
        if size == 0:
            _check_trailer(body[end + 2 :], b"".join(content))
            return b"".join(content)
        content.append(chunk)
        at = end + 2 + size + 2


def check_stated(headers: dict[str, str], content: bytes) -> None:
    """Verify the checksums that a PUT states in its head.

    Raises:
        AwsError: One does not fit the body.
    """
    for name, value in headers.items():
        if name.startswith("x-amz-checksum-"):
            _check(name.removeprefix("x-amz-checksum-"), value.encode(), content)
        elif name == "content-md5":
            _check("md5", value.encode(), content)


def _check_trailer(trailer: bytes, content: bytes) -> None:
    for line in trailer.split(b"\r\n"):
        name, _, value = line.partition(b":")
        algorithm = name.strip().lower().removeprefix(b"x-amz-checksum-")
        _check(algorithm.decode("latin-1"), value, content)


def _check(algorithm: str, stated: bytes, content: bytes) -> None:
    """Verify a checksum that the standard library can compute (boto3 sends CRC32 by default)."""
    if algorithm == "crc32":
        actual = zlib.crc32(content).to_bytes(4, "big")
    elif algorithm in ("md5", "sha1", "sha256"):
        actual = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    else:
        return  # crc32c and crc64nvme need awscrt; moto recomputes them and answers its own
    if base64.b64encode(actual) != stated.strip():
        raise errors.bad_checksum(algorithm)
