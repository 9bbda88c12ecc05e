"""Count billed S3 requests by payer.

S3 bills PUT, COPY, POST and LIST at one price, GET, HEAD and all others at a lower one, and DELETE at none ("Amazon S3
pricing"). What it answered with a 5xx is not billed; other errors are ("Billing for Amazon S3 error responses", S3 user
guide). Part of the worker: the standard library only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Unpack

from lambdamagic.aws.connections import Connections, Content, NotSentError

#: boto3's operations whose HTTP method does not decide the price.
_WRITES = frozenset({"ListObjectsV2", "CreateMultipartUpload", "CompleteMultipartUpload", "PutObject"})
_FREE = frozenset({"DeleteObject", "DeleteObjects", "AbortMultipartUpload"})


@dataclass(frozen=True)
class S3Requests:
    """Billed requests.

    Attributes:
        writes: PUT, POST and LIST.
        reads: GET and HEAD.
    """

    writes: int = 0
    reads: int = 0

    def __add__(self, other: S3Requests) -> S3Requests:
        return S3Requests(self.writes + other.writes, self.reads + other.reads)

    def __sub__(self, other: S3Requests) -> S3Requests:
        return S3Requests(self.writes - other.writes, self.reads - other.reads)

    def __bool__(self) -> bool:
        return bool(self.writes or self.reads)


class RequestMeter:
    """Counts what one payer is billed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes = self._reads = 0
        self._taken = S3Requests()
        self._sent = self._received = self._expected = 0
        self._stopped: Exception | None = None

    def add(self, *, writes: int = 0, reads: int = 0) -> None:
        """Count requests."""
        with self._lock:
            self._writes += writes
            self._reads += reads

    def sent(self, count: int) -> None:
        """Count bytes of bodies that have been handed to the network.

        Raises:
            Exception: What `stop` was given: nothing more is to be sent.
        """
        with self._lock:
            self._sent += count
            stopped = self._stopped
        if stopped is not None:
            raise stopped

    def stop(self, error: Exception) -> None:
        """End what is being sent: its thread raises the error."""
        self._stopped = error

    def expect(self, count: int) -> None:
        """Note that so many more bytes are about to come."""
        with self._lock:
            self._expected += count

    def received(self, count: int) -> None:
        """Count bytes of bodies that have come."""
        with self._lock:
            self._received += count

    @property
    def expected(self) -> int:
        """How many bytes were announced, in all."""
        return self._expected

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes of bodies sent and received so far; what is sent a second time counts again."""
        with self._lock:
            return self._sent, self._received

    @property
    def total(self) -> S3Requests:
        """All that were counted."""
        with self._lock:
            return S3Requests(self._writes, self._reads)

    def take(self) -> S3Requests:
        """Return what was counted since the last call."""
        total = self.total
        with self._lock:
            taken, self._taken = self._taken, total
        return total - taken


#: Pays where no other payer is set: in Lambda, for all of the environment's requests.
PROCESS = RequestMeter()
_payer: ContextVar[RequestMeter] = ContextVar("lambdamagic_payer", default=PROCESS)


class paid_by:  # as those of contextlib are called
    """Count the requests of this context, and of what it starts in our threads, on a meter."""

    __slots__ = ("_meter", "_token")

    def __init__(self, meter: RequestMeter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._token = _payer.set(self._meter)

    def __exit__(self, *_: object) -> None:
        _payer.reset(self._token)


def payer() -> RequestMeter:
    """Return the meter of this context."""
    return _payer.get()


def count_operation(operation: str) -> None:
    """Count one of boto3's requests by the name of its operation."""
    if operation not in _FREE:
        is_write = operation in _WRITES
        _payer.get().add(writes=is_write, reads=not is_write)


class MeteredConnections:
    """Connections whose exchanges with S3 are counted.

    Args:
        connections: What makes them.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.forget_idle, self.close = connections.forget_idle, connections.close

    @contextmanager
    def exchange(self, method: str, url: str, **content: Unpack[Content]) -> Iterator[HTTPResponse]:
        """See `Connections.exchange`. What was sent and lost its answer counts: S3 may have carried it out."""
        status = 0
        try:
            sent = _payer.get().sent if content.get("body") else None
            with self._connections.exchange(method, url, sent=sent, **content) as response:
                status = response.status
                yield response
        except NotSentError:
            status = status or 500
            raise
        finally:
            if status < 500:
                is_write = method in ("PUT", "POST")
                _payer.get().add(writes=is_write, reads=not is_write)
