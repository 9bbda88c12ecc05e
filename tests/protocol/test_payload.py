"""The form of a payload in an envelope, and how its bytes are cut into frames."""

from __future__ import annotations

import array
import json
from typing import Any

import pytest

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.payload import (
    FrameRef,
    Part,
    Payload,
    SharedRef,
    inline_payload,
    signed_text,
    split_frames,
)

_PARTS = (Part("lambdamagic/jobs/x/results/1/0", 7, "ab"),)
_SHARED = (
    SharedRef("d1", (3, 4), 2, False),
    SharedRef("d2", (5,), 1, True, extends=True),
    SharedRef("d3", (6,), 1, False, stayed=True),
)


def _sent(payload: Payload) -> Payload:
    return Payload.from_json(json.loads(json.dumps(payload.to_json())))


@pytest.mark.parametrize(
    "payload",
    [
        Payload((FrameRef(2), FrameRef(0)), b"ab"),
        Payload((FrameRef(2, "ff", "http://x"), FrameRef(3, "ee", "http://y", (5, 9)), FrameRef(1)), b"a"),
        Payload((FrameRef(7),), b"", _PARTS),
        Payload(tuple(FrameRef(number, "f", "u") for number in range(1, 7)), b"", (), _SHARED),
    ],
    ids=["inline", "staged", "parts", "shared"],
)
def test_a_payload_is_read_as_it_was_written(payload: Payload) -> None:
    """With all that a frame, a part and a shared object state."""
    assert _sent(payload) == payload
    assert payload.size_bytes == sum(frame.size_bytes for frame in payload.frames)


def test_what_is_usual_is_not_written() -> None:
    """An envelope has a maximum size: a frame that is inline has its size only, flags are there where they are set."""
    document = Payload((FrameRef(2),), b"ab").to_json()
    assert document == {"frames": [{"n": 2}], "inline": "YWI="}
    shared = Payload((), b"", (), _SHARED).to_json()["shared"]
    assert [sorted(set(each) & {"extends", "stayed"}) for each in shared] == [[], ["extends"], ["stayed"]]
    assert shared[1]["extends"] is shared[2]["stayed"] is True
    assert not (_SHARED[0].extends or _SHARED[0].stayed)


def test_own_frames_come_first() -> None:
    """Those of shared objects follow them: as many as these have pieces."""
    frames = tuple(map(FrameRef, range(6)))
    assert Payload(frames, b"", (), _SHARED).own_frames == frames[:2]
    assert Payload(frames).own_frames == frames


def test_inline_frames_are_separate_and_writable() -> None:
    """Staged ones have no bytes here; the sizes add up, or the payload is refused."""
    frames = (FrameRef(2), FrameRef(5, "ff", "u"), FrameRef(0), FrameRef(3))
    found = Payload(frames, b"abcde").inline_segments()
    assert found == [bytearray(b"ab"), None, bytearray(), bytearray(b"cde")]
    assert isinstance(found[0], bytearray)
    for wrong in (b"abcd", b"abcdef"):
        with pytest.raises(ProtocolError, match="do not add up"):
            Payload(frames, wrong).inline_segments()


def test_a_staged_answer_is_cut_without_copies() -> None:
    """Its frames are views of one run of bytes."""
    body = bytearray(b"abcdef")
    found = split_frames((FrameRef(2), FrameRef(4)), memoryview(body))
    body[0] = ord("x")
    assert [bytes(each) for each in found] == [b"xb", b"cdef"]
    for wrong in ((FrameRef(2), FrameRef(3)), (FrameRef(2), FrameRef(5))):
        with pytest.raises(ProtocolError, match="do not add up"):
            split_frames(wrong, memoryview(body))


def test_what_is_signed_of_parts() -> None:
    """Where each is, its size and its digest."""
    assert signed_text((*_PARTS, Part("k", 1, "cd"))) == ("lambdamagic/jobs/x/results/1/0 7 ab", "k 1 cd")


def test_sizes_of_inline_frames_are_in_bytes() -> None:
    """Of any buffer, whatever its items are."""
    found = inline_payload([b"ab", array.array("d", [1.0])])
    assert (found.frames, len(found.inline)) == ((FrameRef(2), FrameRef(8)), 10)
    assert not (found.parts or found.shared)


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 1}, {"frames": [{}]}, {"frames": [{"n": -1}]}, {"frames": [{"n": 1, "sha256": 2}]},
        {"frames": [{"n": 1, "url": 2}]}, {"frames": [{"n": 1, "sha256": "a", "within": [1]}]},
        {"frames": [{"n": 1, "sha256": "a", "within": [1, 2, 3]}]}, {"frames": ["x"]}, {"inline": "YWI"}, {"inline": 5},
        {"inline": "YW I="}, {"inline": "YWI=\n"},
        {"inline": None}, {"parts": [{"key": "k"}]}, {"parts": 1}, {"shared": [{}]}, {"shared": 5},
        {"shared": [{"digest": "d", "sizes": ["x"], "pieces": 1, "of_home": 0}]},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_payload_is_refused(change: dict[str, Any]) -> None:
    """With an error of ours, whatever is in the bucket."""
    document = {**Payload((FrameRef(2),), b"ab").to_json(), **change}
    with pytest.raises(ProtocolError, match="cannot be read"):
        Payload.from_json(document)
    with pytest.raises(ProtocolError):
        Payload.from_json(list(document))
