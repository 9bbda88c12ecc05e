"""The worker's side of the store: bytes to and from presigned URLs, with the standard library alone.

Imported in Lambda at every cold start, so without boto3. The notebook's store moves its bodies through here too, so
there is one way in which bytes are sent.
"""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lambdamagic.aws.connections import NETWORK_ERRORS, Connections
from lambdamagic.aws.proxies import is_loopback
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import IntegrityError
from lambdamagic.storage.download import Piece, total_size
from lambdamagic.storage.hashing import CheckedDigest, HashBehind
from lambdamagic.storage.object_store import Hasher, Segment, byte_views
from lambdamagic.storage.parallel import Parallel
from lambdamagic.storage.refusals import ERROR_BODY_BYTES, Refused, error_of, expect, object_name
from lambdamagic.storage.requests import MeteredConnections
from lambdamagic.storage.retry import TransferRetry, is_transient

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tuning:
    """How large objects are cut.

    Attributes:
        threshold_bytes: Larger objects are sent in parts.
        part_bytes: One part. "Performance guidelines for Amazon S3" name 8 and 16 MB; a multipart upload's parts are
            at least 5 MiB and at most 10,000 ("Amazon S3 multipart upload limits").
        parallel: How many parts are under way at once.
        split_loopback: Whether to do so on this very machine too. Parts win bandwidth from a network that gives each
            connection a share; with the embedded Lambda they only compete for the same cores (measured: 100 MB in
            one stream took half the time of parts).
    """

    threshold_bytes: int = 16 << 20
    part_bytes: int = 8 << 20
    parallel: int = 8
    split_loopback: bool = False


class Transfer:
    """Moves bytes to and from presigned URLs; a `UrlTransfer`.

    Thread-safe. Connections are kept for the next call; threads exist only once a large object was moved.

    Args:
        tuning: How large objects are cut.
        retry: How patient each transfer is.
        clock: Waits between attempts.
        jitter: Gives numbers from [0, 1).
        connections: Where connections come from; closed with this.

    Attributes:
        tuning: As given.
        parts: Runs the parts of large objects.
    """

    def __init__(
        self,
        *,
        tuning: Tuning | None = None,
        retry: TransferRetry | None = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
        connections: Connections | None = None,
    ) -> None:
        self.tuning = tuning or Tuning()
        self._retry = retry or TransferRetry()
        self._clock = clock
        self._jitter = jitter
        self._connections = MeteredConnections(connections or Connections())
        self.parts = Parallel(self.tuning.parallel)

    def fetch(
        self,
        url: str,
        size: int | None = None,
        *,
        hasher: Hasher | None = None,
        sha256: str | None = None,
        most_bytes: int = sys.maxsize,
    ) -> bytearray:
        """Return the object behind a presigned GET; see `UrlTransfer.fetch`.

        One request up to `tuning.threshold_bytes`, also when the size is unknown; parallel ranges above (one request on
        this machine). A broken read resumes where it broke. An object of unknown size that is larger than `most_bytes`
        is an IntegrityError, of which nothing is read.
        """
        if size is None:
            return self._fetch_unknown(url, CheckedDigest(hasher, sha256, object_name(url)), most_bytes)
        buffer = bytearray(size)
        self.fetch_into(url, memoryview(buffer), hasher=hasher, sha256=sha256)
        return buffer

    def fetch_range(self, url: str, start: int, size: int, whole: int, *, sha256: str | None = None) -> bytearray:
        """Return a run of bytes of the object behind a presigned GET.

        Args:
            url: The URL.
            start: The first byte.
            size: How many.
            whole: The object's size.
            sha256: The digest that the run must have.

        Raises:
            FileNotFoundError: There is no such object.
            IntegrityError: The object's size, or the digest, is another.
            TransferError: The store refused, or failed for too long.
        """
        if size == whole:
            return self.fetch(url, size, sha256=sha256)
        buffer = bytearray(size)
        digest = CheckedDigest(None, sha256, object_name(url))
        with HashBehind(digest.wanted) as behind:
            behind.follow([memoryview(buffer)])
            piece = Piece(
                self._connections, url, memoryview(buffer), start=start, size=whole, progressed=behind.advance
            )
            self._attempt(piece.read, f"read {object_name(url)!r}", url, progress=lambda: piece.position)
        digest.check()
        return buffer

    def fetch_into(
        self, url: str, buffer: memoryview, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> None:
        """Fill `buffer` with the object behind a presigned GET, which must be exactly as long.

        Raises:
            ValueError: the buffer is read-only or not contiguous.
            FileNotFoundError: there is no such object.
            IntegrityError: the object's size or digest is another.
            TransferError: the store refused, or still failed after the retry deadline.
        """
        if buffer.readonly or not buffer.c_contiguous:
            raise ValueError("the buffer must be writable and contiguous")
        buffer = buffer.cast("B")
        digest = CheckedDigest(hasher, sha256, object_name(url))
        with HashBehind(digest.wanted) as behind:
            behind.follow([buffer])
            if self.splits(url, len(buffer)):
                self._fetch_parts(url, buffer, 0, behind)
            else:
                piece = Piece(self._connections, url, buffer, size=len(buffer), progressed=behind.advance)
                self._attempt(piece.read, f"read {object_name(url)!r}", url, progress=lambda: piece.position)
        digest.check()

    def splits(self, url: str, size: int) -> bool:
        """Return whether an object of `size` bytes behind a URL is sent in parts."""
        return size > self.tuning.threshold_bytes and (self.tuning.split_loopback or not is_loopback(url))

    def upload(
        self,
        url: str,
        segments: Sequence[Segment],
        *,
        hasher: Hasher | None = None,
        headers: Mapping[str, str] | None = None,
        retry: TransferRetry | None = None,
    ) -> str:
        """Store the joined segments behind a presigned PUT, in one request; return the object's ETag.

        S3 takes at most 5 GB in one PUT ("Uploading objects", S3 user guide).
        """
        views = byte_views(segments)
        with HashBehind(hasher.update if hasher is not None else None) as behind:
            behind.follow(views, ready=sum(len(view) for view in views))
            doing = f"write {object_name(url)!r}"
            return self._attempt(lambda: self._write(url, views, headers), doing, url, retry=retry)

    def read_answer(self, url: str) -> bytes:
        """Return the whole body of an answer that is no object, such as a listing; S3 does not say how long it is."""

        def read() -> bytes:
            with self._connections.exchange("GET", url) as response:
                expect(response, (200,), url)
                return bytes(response.read())

        return self._attempt(read, f"list {object_name(url)!r}", url)

    def exists(self, url: str) -> bool:
        """Return whether there is an object behind a presigned HEAD."""

        def head() -> bool:
            with self._connections.exchange("HEAD", url) as response:
                response.read()
                if response.status == 404:
                    return False
                expect(response, (200,), url)
                return True

        return self._attempt(head, f"look for {object_name(url)!r}", url)

    def forget_idle(self) -> None:
        """Ask on new connections from now on; see `Connections.forget_idle`."""
        self._connections.forget_idle()

    def close(self) -> None:
        """Close the connections and end the threads. Idempotent."""
        self.parts.close()
        self._connections.close()

    def _fetch_unknown(self, url: str, digest: CheckedDigest, most_bytes: int) -> bytearray:
        """Fetch an object whose size the first response states."""
        first = self.tuning.threshold_bytes
        headers = {"Range": f"bytes=0-{first - 1}"} if self.splits(url, first + 1) else {}
        buffer = bytearray()
        piece: Piece | None = None

        def read() -> None:
            nonlocal buffer, piece
            if piece is not None:
                piece.read()  # it broke after its beginning
                return
            with self._connections.exchange("GET", url, headers=headers) as response:
                if response.status == 416:  # no first byte: the object is empty
                    response.read(ERROR_BODY_BYTES)
                    return
                expect(response, (206, 200), url)
                size = total_size(response)
                if size is None:
                    raise IntegrityError(f"{object_name(url)!r}: the response states no length")
                if size > most_bytes:
                    raise IntegrityError(f"{object_name(url)!r} holds {size:,} bytes, more than {most_bytes:,}")
                buffer = bytearray(size)
                view = memoryview(buffer)
                behind.follow([view])
                head = view[: response.length]
                piece = Piece(self._connections, url, head, size=size, progressed=behind.advance)
                piece.fill(response)

        with HashBehind(digest.wanted) as behind:
            self._attempt(read, f"read {object_name(url)!r}", url, progress=lambda: piece.position if piece else 0)
            if piece is not None and piece.position < len(buffer):
                self._fetch_parts(url, memoryview(buffer), piece.position, behind, etag=piece.etag)
        digest.check()
        return buffer

    def _fetch_parts(
        self, url: str, buffer: memoryview, start: int, behind: HashBehind, *, etag: str | None = None
    ) -> None:
        size, step = len(buffer), self.tuning.part_bytes
        starts = range(start, size, step)

        def read(index: int) -> None:
            begin = starts[index]
            piece = Piece(self._connections, url, buffer[begin : begin + step], start=begin, size=size, etag=etag)
            doing = f"read {object_name(url)!r} from byte {begin}"
            self._attempt(piece.read, doing, url, progress=lambda: piece.position)

        self.parts.run(read, len(starts), lambda index: behind.advance(min(starts[index] + step, size)))

    def _write(self, url: str, views: list[memoryview], headers: Mapping[str, str] | None) -> str:
        with self._connections.exchange("PUT", url, headers=headers, body=views) as response:
            expect(response, (200,), url)
            response.read()
            return response.headers.get("ETag", "")

    def _attempt(
        self,
        once: Callable[[], _T],
        doing: str,
        url: str,
        *,
        progress: Callable[[], int] | None = None,
        retry: TransferRetry | None = None,
    ) -> _T:
        """Run `once` until it succeeds, fails for good, or the deadline passes; progress extends the deadline."""
        attempt = attempts = 0
        first_failure_s = 0.0
        reached = 0
        while True:
            attempts += 1
            attempt += 1
            try:
                return once()
            except FileNotFoundError:
                raise  # an OSError, but no failure of the network
            except Refused as refused:
                if not is_transient(refused.status, refused.code):
                    raise error_of(refused, doing, url) from None
                failure: Exception = refused
            except NETWORK_ERRORS as exc:
                failure = exc
            now_s = self._clock.monotonic()
            if progress is not None and progress() > reached:
                reached, attempt = progress(), 1
            if attempt == 1:
                first_failure_s = now_s
            delay_s = (retry or self._retry).delay_s(attempt, elapsed_s=now_s - first_failure_s, jitter=self._jitter())
            if delay_s is None:
                raise error_of(failure, f"{doing} in {attempts} attempts", url) from failure
            self._clock.sleep(delay_s)


_default: Transfer | None = None
_default_lock = threading.Lock()


def default_transfer() -> Transfer:
    """Return the process's transfer, which keeps connections from one invocation to the next. Thread-safe."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Transfer()
            atexit.register(_close_at_exit, os.getpid())
        return _default


def forget_idle_connections() -> None:
    """Let the process's transfer, if there is one, ask on new connections. Thread-safe."""
    with _default_lock:
        transfer = _default
    if transfer is not None:
        transfer.forget_idle()


def close_default_transfer() -> None:
    """Close the process's transfer; the next call makes a new one. Thread-safe."""
    global _default
    with _default_lock:
        transfer, _default = _default, None
    atexit.unregister(_close_at_exit)
    if transfer is not None:
        transfer.close()


def _close_at_exit(pid: int) -> None:
    if os.getpid() == pid:  # in a forked child the connections are its parent's
        close_default_transfer()


def fetch(url: str, size: int | None = None, *, sha256: str | None = None, most_bytes: int = sys.maxsize) -> bytearray:
    """Return the object behind a presigned GET, by the process's transfer; see `Transfer.fetch`."""
    return default_transfer().fetch(url, size, sha256=sha256, most_bytes=most_bytes)


def upload(
    url: str,
    segments: Sequence[Segment],
    *,
    hasher: Hasher | None = None,
    retry: TransferRetry | None = None,
) -> None:
    """Store the joined segments behind a presigned PUT, by the process's transfer; see `Transfer.upload`."""
    default_transfer().upload(url, segments, hasher=hasher, retry=retry)
