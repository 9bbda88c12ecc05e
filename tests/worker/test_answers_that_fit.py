"""An answer never exceeds what Lambda takes: it was paid for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.codec.frames import Frames
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Request, Response, TaskSummary
from lambdamagic.protocol.payload import Payload
from lambdamagic.worker.fitting import fit_answer

_LIMIT = AWS_LAMBDA.inline_bytes


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    process.close()


def prints(text: str, lines: int, size: int) -> bytes:
    """Print, and return as many bytes."""
    for _ in range(lines):
        print(text)
    return bytes(size)


@pytest.mark.parametrize("text", ["x" * 79, "\N{SNOWMAN}" * 79], ids=["ascii", "escaped"])
def test_a_result_at_the_limit_with_outputs(text: str) -> None:
    """The largest result that is sent inline, and outputs that just do: together they are staged."""
    with LambdaExecutor(target="local", inline_limit_bytes=_LIMIT, stdout="drop", max_workers=1) as executor:
        for lines in (0, 500, 3000):
            assert len(executor.submit(prints, text, lines, _LIMIT - 2_000).result()) == _LIMIT - 2_000


def fails(number: int) -> None:
    """Raise something long."""
    raise ValueError(f"{number} " + "\N{SNOWMAN}" * 900)


def test_a_chunk_of_long_errors() -> None:
    """Ten thousand errors of 900 characters: the answer has room for them."""
    with LambdaExecutor(target="local", max_workers=1) as executor:
        job = executor.start_map(fails, range(10_000), chunksize=10_000)
        assert job.wait(120)
        assert len(job.failures) == 10_000


def _request() -> Request:
    return Request(versions.here(), "cell", "job", "000001-0-1", b"k", Payload(()), inline_limit_bytes=_LIMIT)


def _answer(result: int, outputs: list[dict[str, Any]], tasks: list[TaskSummary]) -> Response:
    frames = Frames((bytes(result),))
    response = Response(versions.here(), "done", outputs=outputs, tasks=tasks)
    return fit_answer(response, frames, _request(), left_s=5.0)


def test_without_a_bucket_outputs_are_cut_before_the_result() -> None:
    """The result is what the code was paid for: what it printed is cut, and that is said."""
    printed = [{"stream": "stdout", "text": "line\n" * 400_000}]
    found = _answer(_LIMIT - 300_000, printed, [TaskSummary(1.0)])
    assert found.payload is not None
    assert len(json.dumps(found.to_json())) < AWS_LAMBDA.sync_payload_bytes.most
    assert "left out" in found.outputs[-1]["text"]


def test_without_a_bucket_a_result_that_is_too_large_is_refused() -> None:
    """Nothing could carry it: the error says how much there is room for."""
    found = _answer(_LIMIT + 500_000, [], [TaskSummary(1.0)])
    assert (found.status, found.error_kind) == ("refused", "ResultError")
    assert "bucket" in found.detail
