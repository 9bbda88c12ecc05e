"""Values that stay: left in the bucket, and in this environment's memory for the tasks that follow here."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Literal

from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.frames import Frames, digest_of
from lambdamagic.codec.home import Home
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.protocol.envelope import Upload
from lambdamagic.protocol.payload import FrameRef, SharedRef
from lambdamagic.protocol.stayed import Stayed, StayedValue

#: A smaller value comes back in the answer: sending it again costs less than a request to the bucket.
STAYS_MIN_BYTES = 64 * 1024
_KEEP_FRACTION = 0.25  # of the environment's memory: the rest is the tasks'
_MB = 1 << 20
_PLAIN = frozenset({int, float, complex, bool, type(None)})


#: Where the value of a task goes.
Goes = Literal["bucket", "answer", "nowhere"]


class Stays:
    """What a callable returns so that its value stays in the bucket, if that is worth it, or in memory.

    Args:
        value: The value.
        goes: Where it goes: to the `bucket` if it is large, with the `answer`, or `nowhere`.
        uses: How many later tasks of the same invocation take it.
    """

    __slots__ = ("goes", "uses", "value")

    def __init__(self, value: Any, goes: Goes = "bucket", uses: int = 0) -> None:
        self.value, self.goes, self.uses = value, goes, uses


class Staying:
    """Calls a callable, and lets its value stay."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.__qualname__ = getattr(fn, "__qualname__", type(fn).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Stays:
        """Return what the callable returns, marked."""
        return Stays(self.fn(*args, **kwargs))


class StayedFrames:
    """The bytes of values that were made or read here; those that were not used for longest go first.

    Each reader gets a copy, as it would from the bucket: a task may change its arguments.

    Args:
        limit_bytes: How large they may be together; by default a part of the function's memory.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        if limit_bytes is None:
            memory_mb = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"))
            limit_bytes = int(memory_mb * _MB * _KEEP_FRACTION)
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, Sequence[Any]] = OrderedDict()
        self._size_bytes = 0
        self.fetched_bytes = 0

    def keep(self, digest: str, frames: Sequence[Any]) -> None:
        """Keep a value's frames, if there is room for them."""
        size = _size(frames)
        if digest in self._kept or size > self._limit_bytes:
            return
        while self._size_bytes + size > self._limit_bytes:
            self._size_bytes -= _size(self._kept.popitem(last=False)[1])
        self._kept[digest] = frames
        self._size_bytes += size

    def read(self, shared: SharedRef, piece: FrameRef) -> list[bytearray]:
        """Return a value's frames, each in its own memory.

        Raises:
            FileNotFoundError: It is no longer in the bucket.
            IntegrityError, TransferError: It cannot be read from there.
        """
        found = self._kept.get(shared.digest)
        if found is None:
            from lambdamagic.storage.presigned import default_transfer

            start, whole = piece.within or (0, piece.size_bytes)
            data = default_transfer().fetch_range(piece.url, start, piece.size_bytes, whole, sha256=piece.sha256)
            self.fetched_bytes += piece.size_bytes
            found, position, view = [], 0, memoryview(data)
            for size in shared.frame_sizes:
                found.append(view[position : position + size])
                position += size
            self.keep(shared.digest, found)
        else:
            self._kept.move_to_end(shared.digest)
        return [bytearray(frame) for frame in found]


def _size(frames: Sequence[Any]) -> int:
    return sum(memoryview(frame).nbytes for frame in frames)


class Leaving:
    """Writes the values of one invocation that stay, and leaves them in the bucket together."""

    def __init__(self, home: Home, kinds: Sequence[str], kept: StayedFrames) -> None:
        self._home, self._kinds, self._kept = home, kinds, kept
        self._segments: list[Any] = []
        self._values: list[StayedValue] = []
        self._size = 0

    def take(self, task: int, value: Any) -> bool:
        """Write a value if it is to stay; False where it is small, or cannot be written by itself."""
        if type(value) in _PLAIN:
            return False
        found = self._written(value)
        if found is None or found[0].size_bytes < STAYS_MIN_BYTES:
            return False
        frames, is_of_home = found
        digest = hashlib.sha256()
        for segment in frames.segments:
            digest.update(segment)
        sha256 = digest.hexdigest()
        # Copied: what a task returned may be memory that the next one writes into.
        segments = [segment if type(segment) is bytes else bytes(segment) for segment in frames.segments]
        self._kept.keep(digest_of((sha256,), frames.sizes), segments)
        self._values.append(StayedValue(task, self._size, frames.sizes, sha256, is_of_home, kind_of(value, frames)))
        self._segments += segments
        self._size += frames.size_bytes
        return True

    def _written(self, value: Any) -> tuple[Frames, bool] | None:
        for kind in self._kinds:
            encoder = Encoder(self._home, kind=kind)
            try:
                encoder.dump(value)
            except NEVER_THE_OBJECTS:
                raise
            except BaseException:  # noqa: BLE001, S112  # code of the value's class; who writes it next says what it was
                continue
            return encoder.frames(), encoder.is_of_home
        return None

    def leave(self, upload_to: Upload, left_s: float) -> Stayed | None:
        """Store what was taken; None without any.

        Args:
            upload_to: Where.
            left_s: For how long the bucket may refuse: what was computed was paid for.
        """
        if not self._values:
            return None
        from lambdamagic.storage.presigned import upload
        from lambdamagic.storage.retry import TransferRetry

        upload(upload_to.url, self._segments, retry=TransferRetry.until(left_s))
        return Stayed(upload_to.key, self._size, tuple(self._values))


def kind_of(value: Any, frames: Frames) -> str:
    """Return what a value is, for display: its type, its shape or length, and its size."""
    shape: Any = getattr(value, "shape", None)
    name = type(value).__name__
    try:
        described = f"{name} {shape}" if isinstance(shape, tuple) else f"{name} of {len(value):,}"
    except Exception:  # noqa: BLE001  # whatever the value's class does
        described = name
    size = frames.size_bytes
    return f"{described}, {size / 1e6:.1f} MB" if size >= 1e5 else f"{described}, {size / 1e3:.1f} kB"
