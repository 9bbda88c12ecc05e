"""What of S3 is billed, and to whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest

from lambdamagic.aws.connections import NotSentError
from lambdamagic.storage.requests import (
    PROCESS,
    MeteredConnections,
    RequestMeter,
    S3Requests,
    count_operation,
    paid_by,
    payer,
)


@pytest.mark.parametrize(
    ("operation", "billed"),
    [
        ("PutObject", S3Requests(writes=1)),
        ("ListObjectsV2", S3Requests(writes=1)),
        ("CreateMultipartUpload", S3Requests(writes=1)),
        ("CompleteMultipartUpload", S3Requests(writes=1)),
        ("GetObject", S3Requests(reads=1)),
        ("HeadObject", S3Requests(reads=1)),
        ("HeadBucket", S3Requests(reads=1)),
        ("DeleteObject", S3Requests()),
        ("DeleteObjects", S3Requests()),
        ("AbortMultipartUpload", S3Requests()),
    ],
)
def test_an_operation_is_a_write_a_read_or_free(operation: str, billed: S3Requests) -> None:
    """As S3's price list has them."""
    meter = RequestMeter()
    with paid_by(meter):
        count_operation(operation)
    assert meter.total == billed
    assert bool(billed) is (billed != S3Requests())


class _Connections:
    """Answers with a status, or fails with it; notes whether it was to count what it sends."""

    def __init__(self, status: int = 200, error: Exception | None = None) -> None:
        self.status, self.error = status, error
        self.sent: Callable[[int], None] | None = None
        self.forget_idle = self.close = lambda: None

    @contextmanager
    def exchange(self, method: str, url: str, *, sent: Any, **content: Any) -> Iterator[Any]:
        self.sent = sent
        if self.status == 0:
            raise self.error or AssertionError
        yield SimpleNamespace(status=self.status)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("connections", "is_billed"),
    [
        (_Connections(200), True),
        (_Connections(404), True),
        (_Connections(499), True),
        (_Connections(500), False),
        (_Connections(503), False),
        (_Connections(0, ConnectionResetError()), True),  # S3 may have carried it out
        (_Connections(0, NotSentError()), False),
        (_Connections(200, ConnectionResetError()), True),
        (_Connections(200, NotSentError()), True),
        (_Connections(500, NotSentError()), False),
    ],
)
@pytest.mark.parametrize(("method", "is_write"), [("PUT", True), ("POST", True), ("GET", False), ("HEAD", False)])
def test_an_exchange_is_billed_unless_s3_failed(
    connections: _Connections, is_billed: bool, method: str, is_write: bool
) -> None:
    """Refusals cost a request too, errors of S3's and what was never sent do not."""
    meter, metered = RequestMeter(), MeteredConnections(connections)  # type: ignore[arg-type]  # those that are asked for
    expected = type(connections.error) if connections.error is not None else None
    with paid_by(meter):
        try:
            with metered.exchange(method, "http://s3/k"):
                pass
        except (ConnectionResetError, NotSentError) as error:
            assert type(error) is expected
        else:
            assert expected is None
    billed = S3Requests(writes=int(is_write), reads=int(not is_write)) if is_billed else S3Requests()
    assert meter.total == billed


def test_bytes_that_are_sent_are_counted_where_there_is_a_body() -> None:
    """By the payer's meter, so that what it stops ends there."""
    meter, connections = RequestMeter(), _Connections()
    metered = MeteredConnections(connections)  # type: ignore[arg-type]  # those that are asked for
    with paid_by(meter):
        with metered.exchange("GET", "http://s3/k"):
            assert connections.sent is None
        with metered.exchange("PUT", "http://s3/k", body=[memoryview(b"abc")]):
            assert connections.sent == meter.sent


def test_a_meter_counts_what_is_moved() -> None:
    """Bytes announced, sent and received; and requests since the last look."""
    meter = RequestMeter()
    meter.expect(10)
    meter.expect(5)
    meter.sent(3)
    meter.sent(4)
    meter.received(6)
    meter.received(1)
    assert (meter.expected, meter.moved) == (15, (7, 7))
    meter.add(writes=2)
    meter.add(reads=3)
    assert meter.take() == S3Requests(2, 3)
    meter.add(writes=1, reads=1)
    assert meter.take() == S3Requests(1, 1)
    assert not meter.take()
    assert meter.total == S3Requests(3, 4)
    assert S3Requests(1, 2) + S3Requests(3, 5) == S3Requests(4, 7)
    assert bool(S3Requests(reads=1)) and bool(S3Requests(writes=1))


def test_what_is_stopped_is_not_sent() -> None:
    """The thread that sends raises the error, and the bytes that were handed over count."""
    meter = RequestMeter()
    meter.sent(1)
    meter.stop(TimeoutError("too late"))
    with pytest.raises(TimeoutError, match="too late"):
        meter.sent(2)
    assert meter.moved == (3, 0)


def test_who_pays_is_known_in_threads_too() -> None:
    """The payer is that of the context; the process pays where there is none."""
    outer, inner = RequestMeter(), RequestMeter()
    seen: list[RequestMeter] = []
    with paid_by(outer):
        with paid_by(inner):
            context = copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: seen.append(payer()),))
        thread.start()
        thread.join()
        assert payer() is outer
    assert seen == [inner]
    assert payer() is PROCESS
