"""What is in the bucket for walks is read under its own name and its own job's key only."""

from __future__ import annotations

from typing import Any

import pytest

from lambdamagic.errors import IntegrityError, ProtocolError
from lambdamagic.walks.sealed import open_parts, seal_parts
from lambdamagic.walks.structure import Structure, structure_of
from lambdamagic.walks.walk_event import WalkEvent
from lambdamagic.worker.tally import Tally
from lambdamagic.worker.walking import serve_walk

_SEAL: dict[str, Any] = {"key": b"k" * 32, "job_id": "job"}


def test_parts_come_back() -> None:
    """Several parts, of several segments, large and empty."""
    parts = {3: ("value", [b"abc", b""]), 70: ({"n": 1}, [bytes(100_000)])}
    data = b"".join(seal_parts(parts, name="edges/9/3", **_SEAL))
    found = open_parts(bytearray(data), name="edges/9/3", **_SEAL)
    assert {number: (about, [bytes(each) for each in segments]) for number, (about, segments) in found.items()} == {
        3: ("value", [b"abc", b""]),
        70: ({"n": 1}, [bytes(100_000)]),
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[:-1] + b"x",
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: b"\xff" * 8,
        lambda data: b"\xff" * 100,
        lambda data: data.replace(b"[[3", b"[[4"),
    ],
)
def test_a_changed_object_is_not_read(change: Any) -> None:
    """Cut, longer, another part, foreign bytes: one kind of error."""
    data = b"".join(seal_parts({3: ("value", [b"abc"])}, name="values/3", **_SEAL))
    with pytest.raises(IntegrityError):
        open_parts(change(data), name="values/3", **_SEAL)


@pytest.mark.parametrize("other", [{"name": "values/4"}, {"job_id": "other"}, {"key": b"o" * 32}])
def test_another_place_is_no_place(other: dict[str, Any]) -> None:
    """An object of ours in place of another, in another job, or by another key."""
    data = b"".join(seal_parts({3: ("value", [b"abc"])}, name="values/3", **_SEAL))
    with pytest.raises(IntegrityError):
        open_parts(data, **{"name": "values/3", **_SEAL, **other})


@pytest.mark.parametrize("data", [b"", b"x", Structure(((0,),), frozenset()).to_bytes()])
def test_no_structure(data: bytes) -> None:
    """A node that needs itself would never begin."""
    with pytest.raises(ProtocolError):
        Structure.from_bytes(data)


def test_a_structure_comes_back() -> None:
    """With its blocks."""
    structure = structure_of([[], [0], [0, 1]], [2], [0, 2])
    assert Structure.from_bytes(structure.to_bytes()) == structure
    assert [structure.block_of(node) for node in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("document", [None, {}, {"name": "n1", "groups": []}, {"name": "n1", "groups": [[]]}])
def test_no_event(document: Any) -> None:
    """What is no walk's event is refused with one kind of error."""
    with pytest.raises(ProtocolError):
        WalkEvent.from_json(document)


_WALK = {"name": "n1", "groups": [[0]], "edges": [], "inline": "", "stored": [], "allowance": [1, 1], "kin": []}


@pytest.mark.parametrize("missing", ["job", "walk", "attempt"])
def test_the_function_refuses_what_is_no_walks_event(missing: str) -> None:
    """With the same error, before anything of it runs."""
    event = {"job": "j", "key": "", "bucket": "b", "options": {}, "every_s": 1.0, "walk": _WALK, "attempt": 0}
    del event[missing]

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 1000

    with pytest.raises(ProtocolError, match="not a walk's event"):
        serve_walk(event, Context(), {}, Tally(0.0, init_ms=0.0, is_cold=False))
