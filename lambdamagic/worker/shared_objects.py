"""Objects that tasks share: read once in this execution environment, and kept for the tasks and jobs that follow."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.home import Home
from lambdamagic.errors import TargetError
from lambdamagic.protocol.payload import FrameRef, Payload, SharedRef
from lambdamagic.worker.blobs import BlobCache
from lambdamagic.worker.stays import StayedFrames

#: How much of the environment's memory they may take: the rest is the task's.
_KEEP_FRACTION = 0.25
_MB = 1 << 20


class SharedObjects:
    """The shared objects of this environment; those that were not used for longest go first.

    Args:
        limit_bytes: How large they may be together, by their written form; one larger than that stays alone.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        if limit_bytes is None:
            memory_mb = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"))
            limit_bytes = int(memory_mb * _MB * _KEEP_FRACTION)
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._size_bytes = 0

    def get(self, digest: str, size_bytes: int, load: Callable[[], Any]) -> Any:
        """Return an object, loading it if it is not kept."""
        found = self._kept.get(digest)
        if found is not None:
            self._kept.move_to_end(digest)
            return found[0]
        while self._kept and self._size_bytes + size_bytes > self._limit_bytes:
            self._size_bytes -= self._kept.popitem(last=False)[1][1]
        value = load()
        self._kept[digest] = value, size_bytes
        self._size_bytes += size_bytes
        return value


class SharedReader:
    """What one program and its tasks refer to.

    Args:
        objects: Those of the environment.
        cache: Their bytes.
        home: Where the program lives.
        stayed: The bytes of values that stay.

    Attributes:
        found: By digest, what was referred to so far.
    """

    def __init__(self, objects: SharedObjects, cache: BlobCache, home: Home, stayed: StayedFrames) -> None:
        self._objects, self._cache, self._home, self._stayed = objects, cache, home, stayed
        self._of_home: dict[str, Any] = {}
        self.found: dict[str, Any] = {}

    def forget(self) -> None:
        """Release what was found; the environment's own objects stay with it."""
        self.found.clear()
        self._of_home.clear()

    @contextlib.contextmanager
    def reading(self, payload: Payload) -> Iterator[None]:
        """Resolve what the payload refers to, while the context is open."""
        refs = _frames_by_digest(payload)

        def resolve(digest: str) -> Any:
            shared, frames, inline = refs[digest]
            if shared.stayed:
                return Decoder(self._own_copy(shared, frames, inline), self._home).load()
            if shared.is_of_home:
                if digest not in self._of_home:
                    self._of_home[digest] = self._load(shared, frames, inline)
                value = self._of_home[digest]
            else:
                size_bytes = sum(shared.frame_sizes)
                value = self._objects.get(digest, size_bytes, lambda: self._load(shared, frames, inline))
            self.found[digest] = value
            return value

        self._home.shared = resolve
        try:
            yield
        finally:
            self._home.shared = None

    def _own_copy(
        self, shared: SharedRef, pieces: tuple[FrameRef, ...], inline: list[bytearray | None]
    ) -> list[bytearray]:
        """Return frames that the reader may write to."""
        if pieces[0].within is None:  # it was put
            found = [
                memoryview(self._cache.read(piece) if segment is None else segment)
                for piece, segment in zip(pieces, inline, strict=True)
            ]
            return [bytearray(frame) for frame in _cut(shared.frame_sizes, found)]
        try:
            return self._stayed.read(shared, pieces[0])
        except FileNotFoundError as error:
            raise TargetError(
                "a value that stayed in the bucket is no longer there: such values expire with their job",
                hint="Run the job that made it again",
            ) from error

    def _load(self, shared: SharedRef, pieces: tuple[FrameRef, ...], inline: list[bytearray | None]) -> Any:
        # Tasks that follow see the same memory: whoever writes into it learns of it.
        read = [
            memoryview(self._cache.read(piece) if segment is None else segment).toreadonly()
            for piece, segment in zip(pieces, inline, strict=True)
        ]
        return Decoder(_cut(shared.frame_sizes, read), self._home).load()


def extensions(payload: Payload, cache: BlobCache) -> Iterator[tuple[str, Callable[[], list[memoryview]]]]:
    """Yield what a payload has of more of its program: its digest, and how to read its frames, which can be written."""
    for digest, (shared, pieces, inline) in _frames_by_digest(payload).items():
        if shared.extends:

            def read(shared: SharedRef = shared, pieces: Any = pieces, inline: Any = inline) -> list[memoryview]:
                found = [
                    cache.read(piece) if segment is None else segment
                    for piece, segment in zip(pieces, inline, strict=True)
                ]
                return _cut(shared.frame_sizes, [memoryview(bytearray(each)) for each in found])

            yield digest, read


def _cut(sizes: tuple[int, ...], pieces: list[memoryview]) -> list[memoryview]:
    frames, waiting = [], iter(pieces)
    piece, position = next(waiting), 0
    for size in sizes:
        if position == len(piece) and size:
            piece, position = next(waiting), 0
        frames.append(piece[position : position + size])
        position += size
    return frames


def _frames_by_digest(payload: Payload) -> dict[str, tuple[SharedRef, tuple[FrameRef, ...], list[bytearray | None]]]:
    if not payload.shared:
        return {}
    inline = payload.inline_segments()
    found = {}
    position = len(payload.own_frames)
    for shared in payload.shared:
        end = position + shared.piece_count
        found[shared.digest] = shared, payload.frames[position:end], inline[position:end]
        position = end
    return found
