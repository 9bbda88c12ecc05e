"""A payload: one pickle stream and the large buffers that were kept out of it.

Frame 0 is the stream, the others are buffers in the order in which the stream asks for them. Frames are never joined:
an array of a gigabyte is hashed, sent and received in place.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import types

Segment: TypeAlias = bytes | bytearray | memoryview

#: Buffers smaller than this stay in the pickle stream: a separate frame costs more than copying 4 KiB.
OUT_OF_BAND_MIN_BYTES = 4096
#: Buffers of a shared object below this are staged together, and smaller names stay in the stream: a request for each
#: would cost more than a copy.
ALONE_MIN_BYTES = 1 << 20


class Frames(NamedTuple):
    """The bytes of one encoded thing, in order and unjoined.

    Attributes:
        segments: Its own.
        shared: What it refers to by digest; not counted in the sizes.
    """

    segments: tuple[Segment, ...]
    shared: tuple[Written, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Size of each frame in bytes."""
        return tuple(_size(segment) for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        """Size of all frames together, in bytes."""
        return sum(self.sizes)


class StoredAt(NamedTuple):
    """The place of bytes in the bucket.

    Attributes:
        key: The object.
        start: Their first byte in it.
        object_bytes: Its size.
    """

    key: str
    start: int
    object_bytes: int


class Written:
    """The bytes of a shared object.

    Attributes:
        frame_sizes: Of the stream and its buffers.
        pieces: The same bytes as they are staged: large buffers alone, the bytes between them joined.
        sha256: Of each piece.
        digest: Names the content: made of these.
        shared: What it refers to in turn.
        is_of_home: Whether the notebook's own functions or classes are in it, so that it means the same only next to
            the same program.
        functions: The notebook's functions in it.
        modules: The modules that it refers to.
        extends: Whether it is more of a program, to be read before whatever comes with it.
        gives_copies: Whether each reader gets its own copy, which it may change.
        stored: Where it is already; None where its pieces are to be sent.
    """

    __slots__ = (
        "digest",
        "extends",
        "frame_sizes",
        "functions",
        "gives_copies",
        "is_of_home",
        "modules",
        "pieces",
        "sha256",
        "shared",
        "size_bytes",
        "stored",
    )  # fmt: skip

    def __init__(
        self,
        frames: Frames,
        *,
        is_of_home: bool,
        functions: Sequence[types.FunctionType] = (),
        modules: Iterable[str] = (),
        extends: bool = False,
    ) -> None:
        self.pieces = _pieces(frames)
        self.sha256 = tuple(hashlib.sha256(piece).hexdigest() for piece in self.pieces)
        self.frame_sizes, self.size_bytes = frames.sizes, frames.size_bytes
        self.digest = digest_of(self.sha256, self.frame_sizes)
        self.shared, self.is_of_home, self.extends = frames.shared, is_of_home, extends
        self.functions, self.modules = functions, frozenset(modules)
        self.stored: StoredAt | None = None
        self.gives_copies = False

    @classmethod
    def at(cls, stored: StoredAt, frame_sizes: tuple[int, ...], sha256: str, *, is_of_home: bool) -> Written:
        """Return a reference to bytes in the bucket."""
        found = cls.__new__(cls)
        found.pieces, found.sha256, found.frame_sizes, found.size_bytes = (), (sha256,), frame_sizes, sum(frame_sizes)
        found.digest = digest_of((sha256,), frame_sizes)
        found.shared, found.functions, found.modules = (), (), frozenset()
        found.is_of_home, found.extends, found.stored = is_of_home, False, stored
        found.gives_copies = True
        return found


def digest_of(sha256: tuple[str, ...], frame_sizes: tuple[int, ...]) -> str:
    """Return the digest that names content: of its bytes, and of how they are cut into frames."""
    return hashlib.sha256(repr((sha256, frame_sizes)).encode()).hexdigest()


def _pieces(frames: Frames) -> tuple[Segment, ...]:
    pieces: list[Segment] = []
    for is_large, group in itertools.groupby(frames.segments, lambda each: memoryview(each).nbytes >= ALONE_MIN_BYTES):
        segments = list(group)
        pieces += segments if is_large else [b"".join(segments)]
    return tuple(pieces)


def _size(segment: Segment) -> int:
    return segment.nbytes if isinstance(segment, memoryview) else len(segment)


def sha256_of(segments: Sequence[Segment]) -> str:
    """Return the hex SHA-256 of segments as if they were joined."""
    digest = hashlib.sha256()
    for segment in segments:
        digest.update(segment)
    return digest.hexdigest()
