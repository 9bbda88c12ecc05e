"""Many events in one request: what stands once, what fits, and what is reported of each."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.errors import ProtocolError
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol.batch import (
    BATCH_MAX_BYTES,
    BATCH_MAX_EVENTS,
    LOST,
    NO_ANSWER,
    NOT_SENT,
    Batch,
    BatchAnswer,
    Fate,
    fitting,
)

_FILE = Path(__file__).parents[1] / "data" / "batch-v1.json"
_VERSIONS = {"protocol": 1, "python": "3.12", "serializers": {}}
_BATCH = Batch(
    _VERSIONS, "lambdamagic", "j1", (3, 5), {"job": "j1", "program": {"inline": "abc"}}, ({"a": 1}, {"a": 2})
)
_ANSWER = BatchAnswer(
    _VERSIONS,
    (Fate(202), Fate(429, "TooManyRequestsException", "Rate Exceeded.", 2.0), Fate(NO_ANSWER, LOST, "broke")),
)


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "lambdamagic": _VERSIONS,
        "job": "j1",
        "attempt": f"a{number}",
        "options": {"tasks": [number, number]},
        **more,
    }


def noise(size: int) -> str:
    """Return text that cannot be packed smaller than it was before Base64."""
    return base64.b64encode(os.urandom(size * 3 // 4)).decode()


def packed(documents: list[dict[str, Any]]) -> Batch:
    return Batch.of(documents, versions=_VERSIONS, function="lambdamagic", tasks=(0, len(documents) - 1))


def test_the_common_part_is_sent_once_and_each_event_comes_back_whole():
    """The program once, the rest of each event its own; nothing is lost, whatever differs."""
    program = noise(20_000)
    documents = [event(number, program=program) for number in range(5)] + [event(5, program=program, live=None)]
    batch = packed(documents)
    assert set(batch.shared) == {"lambdamagic", "job", "program"}
    text = json.dumps(batch.to_json())
    assert len(text) < 1.1 * len(program)
    read = Batch.from_json(json.loads(text))
    assert [json.loads(read.payload(number)) for number in range(6)] == documents
    assert packed(json.loads(json.dumps(documents))) == batch, "equal values need not be one object"


def test_a_field_that_any_event_lacks_or_has_otherwise_is_each_events_own():
    """Wherever it is in the batch."""
    for differing in range(3):
        documents = [event(number, program="p", **({"live": 1} if number != differing else {})) for number in range(3)]
        documents[differing]["program"] = "q"
        batch = packed(documents)
        assert set(batch.shared) == {"lambdamagic", "job"}
        assert [json.loads(batch.payload(number)) for number in range(3)] == documents


def test_old_batches_are_read():
    """What version 1 wrote: a notebook and a deployed invoker of different releases exchange these bytes."""
    stored = json.loads(_FILE.read_text())
    assert Batch.from_json(stored["batch"]) == _BATCH
    assert BatchAnswer.from_json(stored["answer"]) == _ANSWER


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([], 0),
        ([event(0)], 1),
        ([event(number) for number in range(BATCH_MAX_EVENTS + 7)], BATCH_MAX_EVENTS),
        ([event(0, items="x" * AWS_LAMBDA.async_payload_bytes.most), event(1)], 0),
        ([event(0), event(1, items="x" * AWS_LAMBDA.async_payload_bytes.most)], 1),
        ([event(number, items=str(number) * 1_000_000) for number in range(9)], BATCH_MAX_BYTES // 1_000_000),
    ],
    ids=["none", "one", "too many", "the first too large", "another too large", "too much together"],
)
def test_no_more_than_fits_is_taken(documents: list[dict[str, Any]], count: int):
    """By number, by Lambda's limit for each, and by the batch's own."""
    assert fitting(documents) == count


def test_a_program_that_changes_on_the_way_is_counted_for_each():
    """A field that all have alike, but for one, is in every event: such a batch must not become too large."""
    program = noise(200_000)
    documents = [event(number, program=program) for number in range(100)]
    assert fitting(documents) == 100
    documents[99]["program"] = noise(200_000)
    assert fitting(documents) == 99
    documents[50]["program"] = noise(200_000)
    count = fitting(documents)
    assert count == 50
    documents[1]["program"] = noise(200_000)
    count = fitting(documents)
    assert 20 < count < 30
    assert len(json.dumps(packed(documents[:count]).to_json())) < AWS_LAMBDA.sync_payload_bytes.most


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {**_BATCH.to_json(), "kind": "map"},
        {**_BATCH.to_json(), "packed": "AAAA"},
        {**_BATCH.to_json(), "packed": base64.b64encode(zlib.compress(b" " * (BATCH_MAX_BYTES + 9))).decode()},
        packed([event(number) for number in range(BATCH_MAX_EVENTS + 1)]).to_json(),
    ],
    ids=["nothing", "empty", "another kind", "no zlib", "a bomb", "too many"],
)
def test_a_document_that_is_not_a_batch_is_refused(document: Any):
    """Also what would unpack to more than a batch may hold."""
    with pytest.raises(ProtocolError):
        Batch.from_json(document)


def test_fates_come_back_as_they_were():
    """Taken ones are reported in a few characters."""
    fates = (*_ANSWER.fates, Fate(NO_ANSWER, NOT_SENT))
    answer = BatchAnswer(_VERSIONS, fates)
    assert BatchAnswer.from_json(json.loads(json.dumps(answer.to_json()))) == answer
    assert len(json.dumps(Fate(202).to_json())) == 5


def _write_golden() -> None:
    """Write the golden file again: right only together with a new protocol version."""
    _FILE.write_text(json.dumps({"batch": _BATCH.to_json(), "answer": _ANSWER.to_json()}, indent=1) + "\n")


if __name__ == "__main__":
    _write_golden()
