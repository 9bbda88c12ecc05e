"""The worker's side of the store: bytes to and from presigned URLs, with the standard library alone.

Imported in Lambda at every cold start, hence no boto3. The notebook's store moves its bodies through here too, so that
there is one way in which bytes travel.
"""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import IntegrityError
from lambdamagic.storage.base import Hasher, Segment, byte_views
from lambdamagic.storage.connections import CHUNK_BYTES, NETWORK_ERRORS, Connections
from lambdamagic.storage.hashing import Digest, HashAlong
from lambdamagic.storage.refusals import ERROR_BODY_BYTES, Refused, error_of, expect, object_name
from lambdamagic.storage.retry import RetryPolicy, is_transient

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tuning:
    """How large objects are cut.

    Attributes:
        threshold_bytes: Larger objects travel in parts.
        part_bytes: One part. "Performance guidelines for Amazon S3" name 8 and 16 MB; a multipart upload's parts are
            at least 5 MiB and at most 10,000 ("Amazon S3 multipart upload limits").
        parallel: How many parts are under way at once.
    """

    threshold_bytes: int = 16 << 20
    part_bytes: int = 8 << 20
    parallel: int = 8


class Transfer:
    """Moves bytes to and from presigned URLs; a `UrlTransfer`.

    Thread-safe. Connections are kept for the next call; threads exist only once a large object was moved.

    Args:
        tuning: How large objects are cut.
        retry: How patient each transfer is.
        clock: Waits between attempts.
        jitter: Gives numbers from [0, 1).
        connections: Where connections come from; closed with this.
    """

    def __init__(
        self,
        *,
        tuning: Tuning | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
        connections: Connections | None = None,
    ) -> None:
        self.tuning = tuning or Tuning()
        self._retry = retry or RetryPolicy()
        self._clock = clock
        self._jitter = jitter
        self._connections = connections or Connections()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def fetch(
        self, url: str, size: int | None = None, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> bytearray:
        """Return the object behind a presigned GET; see `UrlTransfer.fetch`.

        One request up to `tuning.threshold_bytes`, also when the size is unknown; parallel ranges above.
        """
        if size is None:
            return self._fetch_unknown(url, Digest(hasher, sha256, object_name(url)))
        buffer = bytearray(size)
        self.fetch_into(url, memoryview(buffer), hasher=hasher, sha256=sha256)
        return buffer

    def fetch_into(
        self, url: str, buffer: memoryview, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> None:
        """Fill `buffer` with the object behind a presigned GET, which must be exactly as long.

        Raises:
            ValueError: the buffer is read-only or not contiguous.
            FileNotFoundError: there is no such object.
            IntegrityError: the object's size or digest is another.
            TransferError: the store refused, or failed for longer than our patience.
        """
        if buffer.readonly or not buffer.c_contiguous:
            raise ValueError("the buffer must be writable and contiguous")
        buffer = buffer.cast("B")
        digest = Digest(hasher, sha256, object_name(url))
        if len(buffer) > self.tuning.threshold_bytes:
            self._fetch_parts(url, buffer, 0, digest, etag=None)
        else:
            self._attempt(lambda: self._read_whole(url, buffer), f"read {object_name(url)!r}", url)
            digest.update(buffer)
        digest.check()

    def upload(
        self,
        url: str,
        segments: Sequence[Segment],
        *,
        hasher: Hasher | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Store the joined segments behind a presigned PUT, in one request; return the object's ETag.

        S3 takes at most 5 GB in one PUT ("Uploading objects", S3 user guide).
        """
        views = byte_views(segments)
        with HashAlong(hasher, views):
            return self._attempt(lambda: self._write(url, views, headers), f"write {object_name(url)!r}", url)

    def exists(self, url: str) -> bool:
        """Say whether there is an object behind a presigned HEAD."""

        def head() -> bool:
            with self._connections.exchange("HEAD", url) as response:
                response.read()
                if response.status == 404:
                    return False
                expect(response, (200,), url)
                return True

        return self._attempt(head, f"look for {object_name(url)!r}", url)

    def map_parts(self, work: Callable[[int], None], count: int, done: Callable[[int], None] | None = None) -> None:
        """Run `work(i)` for every part in parallel; call `done(i)` in order, in the calling thread.

        After the first failure no other part begins, and none is under way when this returns or raises.
        """
        pool = self._threads()
        failed = threading.Event()

        def run(index: int) -> None:
            if failed.is_set():
                return
            try:
                work(index)
            except BaseException:
                failed.set()
                raise

        futures: list[Future[None]] = [pool.submit(run, index) for index in range(count)]
        try:
            for index, future in enumerate(futures):
                future.result()
                if failed.is_set():
                    break
                if done is not None:
                    done(index)
        finally:
            failed.set()
            failures = [future.exception() for future in futures]  # waits: nobody may write into the buffer later
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Close the connections and end the threads. Idempotent."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)
        self._connections.close()

    def _fetch_unknown(self, url: str, digest: Digest) -> bytearray:
        first = self.tuning.threshold_bytes
        etag = ""

        def read() -> tuple[bytearray, int]:
            nonlocal etag
            headers = {"Range": f"bytes=0-{first - 1}"}
            with self._connections.exchange("GET", url, headers=headers) as response:
                if response.status == 416:  # no first byte: the object is empty
                    response.read(ERROR_BODY_BYTES)
                    return bytearray(), 0
                expect(response, (200, 206), url)
                length = int(response.headers["Content-Length"])
                total = _total(response) if response.status == 206 else length
                etag = response.headers.get("ETag", "")
                buffer = bytearray(total)
                _fill(response, memoryview(buffer)[:length])
                return buffer, length

        buffer, have = self._attempt(read, f"read {object_name(url)!r}", url)
        view = memoryview(buffer)
        digest.update(view[:have])
        if have < len(buffer):
            self._fetch_parts(url, view, have, digest, etag=etag or None)
        digest.check()
        return buffer

    def _fetch_parts(self, url: str, buffer: memoryview, start: int, digest: Digest, *, etag: str | None) -> None:
        size, step = len(buffer), self.tuning.part_bytes
        starts = range(start, size, step)

        def part(index: int) -> memoryview:
            return buffer[starts[index] : starts[index] + step]

        def read(index: int) -> None:
            begin = starts[index]
            doing = f"read {object_name(url)!r} from byte {begin}"
            self._attempt(lambda: self._read_range(url, part(index), begin, size, etag), doing, url)

        self.map_parts(read, len(starts), lambda index: digest.update(part(index)))

    def _read_whole(self, url: str, buffer: memoryview) -> None:
        with self._connections.exchange("GET", url) as response:
            expect(response, (200,), url)
            self._check_size(url, response.length, len(buffer))
            _fill(response, buffer)

    def _read_range(self, url: str, buffer: memoryview, begin: int, size: int, etag: str | None) -> None:
        headers = {"Range": f"bytes={begin}-{begin + len(buffer) - 1}"}
        if etag is not None:
            headers["If-Match"] = etag  # an object replaced meanwhile must not be read half and half
        with self._connections.exchange("GET", url, headers=headers) as response:
            if response.status == 416:
                raise self._size_error(url, _total(response), size)
            if response.status == 412:
                raise IntegrityError(f"{object_name(url)!r} was replaced while it was read")
            expect(response, (206,), url)
            self._check_size(url, _total(response), size)
            _fill(response, buffer)

    def _write(self, url: str, views: list[memoryview], headers: Mapping[str, str] | None) -> str:
        with self._connections.exchange("PUT", url, headers=headers, body=views) as response:
            expect(response, (200,), url)
            response.read()
            return response.headers.get("ETag", "")

    def _check_size(self, url: str, actual: int | None, expected: int) -> None:
        if actual is not None and actual != expected:
            raise self._size_error(url, actual, expected)

    def _size_error(self, url: str, actual: int, expected: int) -> IntegrityError:
        return IntegrityError(f"{object_name(url)!r} holds {actual:,} bytes where {expected:,} were expected")

    def _attempt(self, once: Callable[[], _T], doing: str, url: str) -> _T:
        """Run `once` until it succeeds, fails for good, or the patience ends."""
        began = self._clock.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                return once()
            except FileNotFoundError:
                raise
            except Refused as refused:
                if not is_transient(refused.status, refused.code):
                    raise error_of(refused, doing, url) from None
                failure: Exception = refused
            except NETWORK_ERRORS as exc:
                failure = exc
            elapsed_s = self._clock.monotonic() - began
            delay_s = self._retry.delay_s(attempt, elapsed_s=elapsed_s, jitter=self._jitter())
            if delay_s is None:
                raise error_of(failure, f"{doing} in {attempt} attempts", url) from failure
            self._clock.sleep(delay_s)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self.tuning.parallel, thread_name_prefix="lambdamagic-transfer")
            return self._pool


def _fill(response: http.client.HTTPResponse, buffer: memoryview) -> None:
    position, size = 0, len(buffer)
    while position < size:
        count = response.readinto(buffer[position : position + CHUNK_BYTES])
        if not count:
            raise http.client.IncompleteRead(b"", size - position)
        position += count
    response.read()  # marks the response as finished, so that its connection is kept


def _total(response: http.client.HTTPResponse) -> int:
    return int(response.headers.get("Content-Range", "").rpartition("/")[2] or -1)


_default: Transfer | None = None
_default_lock = threading.Lock()


def default_transfer() -> Transfer:
    """Return the process's transfer, which keeps connections from one invocation to the next. Thread-safe."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Transfer()
        return _default


def fetch(url: str, size: int | None = None, *, hasher: Hasher | None = None, sha256: str | None = None) -> bytearray:
    """Return the object behind a presigned GET, by the process's transfer; see `Transfer.fetch`."""
    return default_transfer().fetch(url, size, hasher=hasher, sha256=sha256)


def upload(url: str, segments: Sequence[Segment], *, hasher: Hasher | None = None) -> None:
    """Store the joined segments behind a presigned PUT, by the process's transfer; see `Transfer.upload`."""
    default_transfer().upload(url, segments, hasher=hasher)
