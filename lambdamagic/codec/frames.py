"""A payload: one pickle stream and the large buffers that were kept out of it.

Frame 0 is the stream, the others are buffers in the order in which the stream asks for them. Frames are never joined:
an array of a gigabyte is hashed, sent and received in place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from lambdamagic.codec.shared import Written

Segment: TypeAlias = bytes | bytearray | memoryview

#: Buffers smaller than this stay in the pickle stream: a frame of its own costs more than copying 4 KiB.
OUT_OF_BAND_MIN_BYTES = 4096


@dataclass(frozen=True)
class Frames:
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


def _size(segment: Segment) -> int:
    return segment.nbytes if isinstance(segment, memoryview) else len(segment)


def sha256_of(segments: Sequence[Segment]) -> str:
    """Return the hex SHA-256 of segments as if they were joined."""
    digest = hashlib.sha256()
    for segment in segments:
        digest.update(segment)
    return digest.hexdigest()
