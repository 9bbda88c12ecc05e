"""The object-store interface: keeps bytes that are too large for an invocation.

`ObjectStore` is the notebook's side and may do everything in one bucket. `UrlTransfer` is the worker's side: it holds
no credentials and can do only what a presigned URL permits. Neither knows what the bytes mean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lambdamagic.errors import TargetError

Segment = bytes | bytearray | memoryview
"""One piece of an object's body. Bodies are sequences of pieces so that arrays are never copied to be joined."""

OCTETS = "application/octet-stream"


class Hasher(Protocol):
    """The common interface of hashlib and hmac objects."""

    def update(self, data: memoryview, /) -> None:
        """Take in more bytes."""
        ...


class TransferError(TargetError):
    """The store refused a request, or still failed after the retry deadline.

    Attributes:
        status: The HTTP status, or 0 if there was no answer.
        code: S3's error code (`SlowDown`, `AccessDenied`, ...), or "" where none was given.
    """

    def __init__(self, message: str, *, hint: str | None = None, status: int = 0, code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


def object_missing(key: str, bucket: str) -> FileNotFoundError:
    """Build the error that says that nothing is stored under `key`."""
    return FileNotFoundError(f"no object {key!r} in the bucket {bucket!r}")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing contains for one object.

    Attributes:
        key: The whole key, prefix included.
        size_bytes: The body's length.
        modified_s: When it was written, in seconds since the epoch.
    """

    key: str
    size_bytes: int
    modified_s: float


class ObjectStore(Protocol):
    """Keeps bytes under keys in one bucket. Every method may be called from any thread at any time.

    Errors of all methods:
        BucketMissingError: the bucket does not exist, is in another region, or may not be used.
        CredentialsError: there are no credentials, or they were refused.
        TargetError: the store cannot be reached, or still fails after the retry deadline.
    """

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    def put(self, key: str, segments: Sequence[Segment], *, content_type: str = OCTETS) -> None:
        """Store the joined segments under `key`, replacing an existing object.

        Readers see the old object or the whole new one, never a part. Idempotent. The segments must not change
        until this returns. Billed by AWS as one PUT request up to the multipart threshold, else as one for every
        part and two more.
        """
        ...

    def get(
        self,
        key: str,
        *,
        hasher: Hasher | None = None,
        sha256: str | None = None,
        most_bytes: int = sys.maxsize,
    ) -> bytearray:
        """Return an object's bytes.

        Args:
            key: The object's key.
            hasher: Fed with the bytes, in order, while they arrive.
            sha256: The hex digest that the bytes must have.
            most_bytes: The size above which nothing is read: others may have written the object.

        Raises:
            FileNotFoundError: nothing is stored under `key`.
            IntegrityError: the bytes do not have the digest `sha256`, or are too many.
        """
        ...

    def get_into(
        self, key: str, size: int, buffer: memoryview, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> None:
        """Fill `buffer` with an object whose size, in bytes, is known.

        Raises:
            FileNotFoundError: nothing is stored under `key`.
            IntegrityError: the object is not `size` bytes long or does not have the digest `sha256`. What is in the
                buffer then is undefined.
            ValueError: `buffer` is not writable, not contiguous, or not `size` bytes long.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether an object is stored under `key`.

        S3 answers a missing bucket and a missing key alike here, so that the former is found by the next `put`.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with `prefix`, in the keys' order (UTF-8). Fetched page by page."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the prefixes, up to the next `/` and with it, of objects whose keys start with `prefix`, in order."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; keys under which there is nothing are not an error."""
        ...

    def presign_get(self, key: str, expires_s: int) -> str:
        """Return a URL by which anybody can read the object (also in ranges) for `expires_s` seconds. No request."""
        ...

    def presign_put(self, key: str, expires_s: int) -> str:
        """Return a URL by which anybody can write the object for `expires_s` seconds. No request."""
        ...

    def links_last_s(self, needed_s: float) -> float:
        """Return for how long URLs made now last at most, whatever they say: as long as who signs them.

        Args:
            needed_s: How long they should; credentials are renewed for that where they can be.
        """
        ...

    def signer(self) -> str:
        """Name the credentials that sign URLs now; with others the older ones end sooner or later."""
        ...

    def close(self) -> None:
        """Give back connections and threads. Idempotent; the store is unusable afterwards."""
        ...


class UrlTransfer(Protocol):
    """Moves bytes to and from presigned URLs. Thread-safe."""

    def fetch(
        self, url: str, size: int | None = None, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> bytearray:
        """Return the object behind a URL made by `presign_get`.

        Args:
            url: The URL.
            size: The object's size in bytes, where it is known.
            hasher: Fed with the bytes, in order, while they arrive.
            sha256: The hex digest that the bytes must have.

        Raises:
            FileNotFoundError: there is no such object.
            IntegrityError: the bytes do not have that size or digest.
            TransferError: the store refused, or still failed after the retry deadline.
        """
        ...

    def upload(self, url: str, segments: Sequence[Segment], *, hasher: Hasher | None = None) -> None:
        """Store the joined segments behind a URL made by `presign_put`. Idempotent.

        Raises:
            TransferError: the store refused, or still failed after the retry deadline.
        """
        ...

    def close(self) -> None:
        """Give back connections and threads. Idempotent."""
        ...


def total_size(segments: Sequence[Segment]) -> int:
    """Return how many bytes the segments hold together."""
    return sum(segment.nbytes if isinstance(segment, memoryview) else len(segment) for segment in segments)


def byte_views(segments: Sequence[Segment]) -> list[memoryview]:
    """Return the non-empty segments as flat views of bytes, without copying.

    Raises:
        ValueError: a segment is not C-contiguous in memory.
    """
    views = []
    for segment in segments:
        view = memoryview(segment)
        if not view.nbytes:
            continue
        if not view.c_contiguous:
            raise ValueError("segments must be C-contiguous: hand over PickleBuffer.raw(), or a copy")
        views.append(view if view.format == "B" and view.ndim == 1 else view.cast("B"))
    return views
