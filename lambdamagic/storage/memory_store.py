"""The object store's fake: a dictionary that keeps the same contract, counts requests and fails on request."""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import BucketMissingError, IntegrityError
from lambdamagic.storage.hashing import CheckedDigest
from lambdamagic.storage.object_store import (
    OCTETS,
    Hasher,
    ObjectInfo,
    Segment,
    TransferError,
    byte_views,
    object_missing,
)

MAX_EXPIRES_S = 604_800


class MemoryObjectStore:
    """Keeps objects in this process; an `ObjectStore` and the `UrlTransfer` for its own URLs. Thread-safe.

    Args:
        bucket: The bucket's name.
        clock: Dates objects and ends URLs.

    Attributes:
        requests: How often each operation was asked for, refused ones included. Operations are named as S3's HTTP
            methods (`PUT`, `GET`, `HEAD`) and `LIST`, `DELETE`.
        missing: Set to True to make the bucket one that does not exist.
    """

    def __init__(self, bucket: str = "memory", *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.requests: Counter[str] = Counter()
        self.missing = False
        self._bucket = bucket
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._failures: dict[str, deque[Exception]] = {}

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def fail_next(self, operation: str, error: Exception, *, times: int = 1) -> None:
        """Let the next `times` requests of an operation raise `error`, having changed nothing."""
        with self._lock:
            self._failures.setdefault(operation, deque()).extend([error] * times)

    def put(self, key: str, segments: Sequence[Segment], *, content_type: str = OCTETS) -> None:
        """Store an object; see `ObjectStore.put`."""
        body = b"".join(byte_views(segments))
        with self._request("PUT") as objects:
            objects[key] = (body, self._clock.time())

    def get(
        self,
        key: str,
        *,
        hasher: Hasher | None = None,
        sha256: str | None = None,
        most_bytes: int = sys.maxsize,
    ) -> bytearray:
        """Return an object's bytes; see `ObjectStore.get`."""
        body = bytearray(self._read(key))
        if len(body) > most_bytes:
            raise IntegrityError(f"{key!r} holds {len(body):,} bytes, more than {most_bytes:,}")
        digest = CheckedDigest(hasher, sha256, key)
        digest.update(memoryview(body))
        digest.check()
        return body

    def get_into(
        self, key: str, size: int, buffer: memoryview, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> None:
        """Fill a buffer with an object; see `ObjectStore.get_into`."""
        if buffer.nbytes != size or buffer.readonly or not buffer.c_contiguous:
            raise ValueError(f"the buffer must be writable, contiguous and {size} bytes long")
        body = self.get(key, hasher=hasher, sha256=sha256)
        if len(body) != size:
            raise IntegrityError(f"{key!r} holds {len(body):,} bytes where {size:,} were expected")
        buffer.cast("B")[:] = body

    def exists(self, key: str) -> bool:
        """Return whether an object is stored under `key`."""
        with self._request("HEAD", ask_bucket=False) as objects:
            return key in objects

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with `prefix`, in the keys' order."""
        with self._request("LIST") as objects:
            found = [ObjectInfo(k, len(body), at) for k, (body, at) in objects.items() if k.startswith(prefix)]
        yield from sorted(found, key=lambda info: info.key.encode("utf-8", "surrogatepass"))

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders under a prefix."""
        rests = (info.key.removeprefix(prefix) for info in self.list(prefix))
        yield from dict.fromkeys(f"{prefix}{rest.split('/')[0]}/" for rest in rests if "/" in rest)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are not an error."""
        names = [*keys]
        if names:
            with self._request("DELETE") as objects:
                for name in names:
                    objects.pop(name, None)

    def presign_get(self, key: str, expires_s: int) -> str:
        """Return a URL that `fetch` of this same store takes."""
        return self._sign("GET", key, expires_s)

    def presign_put(self, key: str, expires_s: int) -> str:
        """Return a URL that `upload` of this same store takes."""
        return self._sign("PUT", key, expires_s)

    def links_last_s(self, needed_s: float) -> float:
        """Return that they last for ever."""
        return float("inf")

    def signer(self) -> str:
        """Name none."""
        return ""

    def fetch(
        self, url: str, size: int | None = None, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> bytearray:
        """Return the object behind a URL; see `UrlTransfer.fetch`."""
        key = self._open(url, "GET")
        if size is None:
            return self.get(key, hasher=hasher, sha256=sha256)
        buffer = bytearray(size)
        self.get_into(key, size, memoryview(buffer), hasher=hasher, sha256=sha256)
        return buffer

    def upload(self, url: str, segments: Sequence[Segment], *, hasher: Hasher | None = None) -> None:
        """Store segments behind a URL; see `UrlTransfer.upload`."""
        self.put(self._open(url, "PUT"), segments)
        if hasher is not None:
            for view in byte_views(segments):
                hasher.update(view)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _read(self, key: str) -> bytes:
        with self._request("GET") as objects:
            if key not in objects:
                raise object_missing(key, self._bucket)
            return objects[key][0]

    @contextmanager
    def _request(self, operation: str, *, ask_bucket: bool = True) -> Iterator[dict[str, tuple[bytes, float]]]:
        with self._lock:
            self.requests[operation] += 1
            scripted = self._failures.get(operation)
            if scripted:
                raise scripted.popleft()
            if self.missing and ask_bucket:
                raise BucketMissingError(f"the bucket {self._bucket!r} does not exist")
            yield self._objects if not self.missing else {}

    def _sign(self, method: str, key: str, expires_s: int) -> str:
        if not 1 <= expires_s <= MAX_EXPIRES_S:
            raise ValueError(f"a presigned URL lives 1 to {MAX_EXPIRES_S} seconds, not {expires_s}")
        query = urlencode({"method": method, "until": self._clock.time() + expires_s})
        return f"memory://{self._bucket}/{quote(key)}?{query}"

    def _open(self, url: str, method: str) -> str:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if parts.scheme != "memory" or parts.netloc != self._bucket:
            raise TransferError("this URL belongs to another store", status=403, code="AccessDenied")
        if query["method"] != [method]:
            raise TransferError(f"this URL is not for {method}", status=403, code="SignatureDoesNotMatch")
        if self._clock.time() >= float(query["until"][0]):
            raise TransferError("Request has expired", status=403, code="AccessDenied")
        return unquote(parts.path.removeprefix("/"))
