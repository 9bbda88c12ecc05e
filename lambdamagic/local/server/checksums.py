"""The checksums that S3 compares with a body ("Checking object integrity", S3 user guide)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from functools import lru_cache

from lambdamagic.local.server import auth_errors as errors

_HASHES = ("md5", "sha1", "sha256", "sha512")
#: Bits and polynomial, reflected.
_CYCLIC = {"crc32c": (32, 0x82F63B78), "crc64nvme": (64, 0x9A6C9329AC4BC9B5)}
_BYTES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def check_stated(headers: dict[str, str], content: bytes) -> None:
    """Verify the checksums that a PUT states in its head.

    Raises:
        AwsError: One does not fit the body, is not readable, or there is more than one.
    """
    if "content-md5" in headers:
        check("md5", headers["content-md5"].encode("latin-1", "replace"), content)
    stated = [name.removeprefix("x-amz-checksum-") for name in headers if name.startswith("x-amz-checksum-")]
    known = [name for name in stated if name in _BYTES]
    if len(known) > 1:
        raise errors.several_checksums()
    for name in known:
        check(name, headers[f"x-amz-checksum-{name}"].encode("latin-1", "replace"), content)


def check(algorithm: str, stated: bytes, content: bytes) -> None:
    """Verify one checksum, in Base64.

    Raises:
        AwsError: It does not fit the content, or is none.
    """
    try:
        value = base64.b64decode(stated.strip(), validate=True)
    except binascii.Error:
        raise errors.unreadable_checksum(algorithm) from None
    if len(value) != _BYTES[algorithm]:
        raise errors.unreadable_checksum(algorithm)
    if value != _of(algorithm, content):
        raise errors.bad_checksum(algorithm)


def is_known(algorithm: str) -> bool:
    """Return whether S3 has a checksum of this name."""
    return algorithm in _BYTES


def _of(algorithm: str, content: bytes) -> bytes:
    if algorithm in _HASHES:
        return hashlib.new(algorithm, content, usedforsecurity=False).digest()
    if algorithm == "crc32":
        return zlib.crc32(content).to_bytes(4, "big")
    bits, _ = _CYCLIC[algorithm]
    table, found = _table(algorithm), (1 << bits) - 1
    for byte in content:  # 0.1 s for a MB; only clients with the AWS Common Runtime, or that ask for it, send these
        found = table[(found ^ byte) & 255] ^ (found >> 8)
    return (found ^ ((1 << bits) - 1)).to_bytes(bits // 8, "big")


@lru_cache
def _table(algorithm: str) -> tuple[int, ...]:
    _, polynomial = _CYCLIC[algorithm]
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (polynomial if byte & 1 else 0)
        found.append(byte)
    return tuple(found)
