"""Hash objects of `hashlib`, of which Python gives the digest only: where one is sent, its digest is known."""

from __future__ import annotations

import hashlib
import sys
from typing import Any


class KnownDigest:
    """A hash object of another process: it gives its digest, and takes no more data."""

    def __init__(self, name: str, digest: bytes, block_size: int) -> None:
        self.name, self._digest, self.block_size = name, digest, block_size
        self.digest_size = len(digest)

    def digest(self) -> bytes:
        """Return the digest of the data so far."""
        return self._digest

    def hexdigest(self) -> str:
        """Return it as text."""
        return self._digest.hex()

    def copy(self) -> KnownDigest:
        """Return another one."""
        return KnownDigest(self.name, self._digest, self.block_size)

    def update(self, data: Any, /) -> None:
        """Refuse: what the data before have left in the hash cannot be read."""
        raise TypeError(
            f"this {self.name} hash has data from another process, and Python gives only its digest: "
            f"update it in the cell that makes it"
        )

    def __repr__(self) -> str:
        return f"<{self.name} hash object with a known digest>"


def parts(value: Any) -> tuple[str, bytes, int]:
    """Return the arguments of `again` for a hash object.

    Raises:
        TypeError: Its digest has any length.
    """
    if not value.digest_size:
        raise TypeError(f"cannot pickle a {value.name} hash: its digest has any length")
    return value.name, value.digest(), value.block_size


def again(name: str, digest: bytes, block_size: int) -> Any:
    """Return a new hash object if there were no data, and else one that knows the digest."""
    try:
        made = hashlib.new(name, usedforsecurity=False)
    except ValueError:  # an HMAC, whose key is not known
        return KnownDigest(name, digest, block_size)
    return made if made.digest() == digest else KnownDigest(name, digest, block_size)


#: The types of hash objects in this process.
KINDS = (
    *(type(hashlib.new(name, usedforsecurity=False)) for name in ("sha256", "blake2b", "blake2s")),
    getattr(sys.modules.get("_hashlib"), "HMAC", KnownDigest),  # absent without OpenSSL
)
