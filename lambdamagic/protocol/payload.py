"""A payload as the envelope describes it: inline frames, and the places of staged ones.

The JSON form::

    {"frames": [{"n": 812}, {"n": 104857600, "sha256": "...", "url": "..."}], "inline": "<base64>"}

A payload that refers to shared objects carries their frames after its own, and says how they are cut::

    {"frames": [...], "inline": "...", "shared": [{"digest": "...", "sizes": [812, 104857600], "pieces": 2, ...}]}

Frames without a digest follow one another in `inline`; the others are fetched from their presigned URL. An answer that
is too large for that is staged as one run of bytes in a few objects, each with its digest::

    {"frames": [{"n": 812}, {"n": 104857600}], "parts": [{"key": "...", "n": 52429206, "sha256": "..."}, ...]}
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.reading import count, listed, table, text


class FrameRef(NamedTuple):
    """Where one frame is.

    Attributes:
        size_bytes: Its size.
        sha256: Hex digest of a staged frame; empty when it is sent inline.
        url: Presigned URL to read it from (towards the function).
        within: Where it is in an object that holds more: its first byte, and the object's size; None for all of it.
        key: The object's key, where that is not its digest's; it is not sent.
    """

    size_bytes: int
    sha256: str = ""
    url: str = ""
    within: tuple[int, int] | None = None
    key: str = ""


class Part(NamedTuple):
    """One object of a staged answer: a run of its bytes."""

    key: str
    size_bytes: int
    sha256: str


class SharedRef(NamedTuple):
    """A shared object that a payload refers to.

    Attributes:
        digest: Names its content.
        frame_sizes: Sizes of its stream and its buffers, which follow one another in its pieces.
        piece_count: How many frames of the payload are its pieces.
        is_of_home: Whether it means the same only next to the same program.
        extends: Whether it is more of the program, to be read before the payload itself.
        stayed: Whether each reader gets its own copy, which it may change: so do those of a task's value that stayed.
    """

    digest: str
    frame_sizes: tuple[int, ...]
    piece_count: int
    is_of_home: bool
    extends: bool = False
    stayed: bool = False


class Payload(NamedTuple):
    """All frames of one encoded thing: its own, then those of each shared object that it refers to."""

    frames: tuple[FrameRef, ...]
    inline: bytes = b""
    parts: tuple[Part, ...] = ()
    shared: tuple[SharedRef, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of all frames."""
        return sum(frame.size_bytes for frame in self.frames)

    @property
    def own_frames(self) -> tuple[FrameRef, ...]:
        """The frames that are not of shared objects."""
        return self.frames[: len(self.frames) - sum(shared.piece_count for shared in self.shared)]

    def to_json(self) -> dict[str, Any]:
        """Return the envelope's form."""
        frames = []
        for frame in self.frames:
            entry: dict[str, Any] = {"n": frame.size_bytes}
            if frame.sha256:
                entry["sha256"] = frame.sha256
            if frame.url:
                entry["url"] = frame.url
            if frame.within:
                entry["within"] = list(frame.within)
            frames.append(entry)
        document: dict[str, Any] = {"frames": frames, "inline": base64.b64encode(self.inline).decode("ascii")}
        if self.parts:
            document["parts"] = [{"key": part.key, "n": part.size_bytes, "sha256": part.sha256} for part in self.parts]
        if self.shared:
            document["shared"] = [
                {
                    "digest": each.digest,
                    "sizes": list(each.frame_sizes),
                    "pieces": each.piece_count,
                    "of_home": each.is_of_home,
                    **({"extends": True} if each.extends else {}),
                    **({"stayed": True} if each.stayed else {}),
                }
                for each in self.shared
            ]
        return document

    @classmethod
    def from_json(cls, document: Any) -> Payload:
        """Read the envelope's form.

        Raises:
            ProtocolError: It is not one.
        """
        try:
            fields = table(document)
            frames = tuple(map(_frame, listed(fields["frames"])))
            parts = tuple(map(_part, listed(fields["parts"]))) if "parts" in fields else ()
            shared = tuple(map(_shared, listed(fields["shared"]))) if "shared" in fields else ()
            return cls(frames, base64.b64decode(text(fields["inline"]), validate=True), parts, shared)
        except (KeyError, ValueError) as error:
            raise ProtocolError(f"a payload of an envelope cannot be read: {error!r}") from error

    def inline_segments(self) -> list[bytearray | None]:
        """Return the frames that are sent inline, each in separate, writable memory, and None for staged ones."""
        found: list[bytearray | None] = []
        position = 0
        view = memoryview(self.inline)
        for frame in self.frames:
            if frame.sha256:
                found.append(None)
                continue
            found.append(bytearray(view[position : position + frame.size_bytes]))
            position += frame.size_bytes
        if position != len(self.inline):
            raise ProtocolError("a payload's frames do not add up to the bytes that came with it")
        return found


def _frame(document: Any) -> FrameRef:
    entry = table(document)
    if len(entry) == 1:  # most are inline
        return FrameRef(count(entry["n"]))
    return FrameRef(count(entry["n"]), text(entry.get("sha256", "")), text(entry.get("url", "")), _within(entry))


def _part(document: Any) -> Part:
    part = table(document)
    return Part(text(part["key"]), count(part["n"]), text(part["sha256"]))


def _shared(document: Any) -> SharedRef:
    each = table(document)
    return SharedRef(
        text(each["digest"]),
        tuple(map(count, listed(each["sizes"]))),
        count(each["pieces"]),
        bool(each["of_home"]),
        bool(each.get("extends", False)),
        bool(each.get("stayed", False)),
    )


def _within(entry: dict[str, Any]) -> tuple[int, int] | None:
    if "within" not in entry:
        return None
    start, size = map(count, listed(entry["within"]))
    return start, size


def split_frames(frames: Sequence[FrameRef], body: memoryview) -> list[memoryview]:
    """Cut the run of bytes of a staged answer into its frames, without copying.

    Raises:
        ProtocolError: The sizes do not add up.
    """
    found = []
    position = 0
    for frame in frames:
        found.append(body[position : position + frame.size_bytes])
        position += frame.size_bytes
    if position != len(body):
        raise ProtocolError("a staged answer's frames do not add up to its parts")
    return found


def signed_text(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return what the function signs for a staged answer."""
    return tuple(f"{part.key} {part.size_bytes} {part.sha256}" for part in parts)


def inline_payload(segments: Sequence[Any]) -> Payload:
    """Put all frames inline."""
    refs = tuple(FrameRef(len(memoryview(segment).cast("B"))) for segment in segments)
    return Payload(refs, b"".join(segments))
