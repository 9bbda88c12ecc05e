"""An object that travels by its content's name: written once, sent once to a bucket, read once in each environment.

In a payload stands only its digest. The frames go along beside the payload's own, and the reader asks for them only if
it does not have the object already.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

    from lambdamagic.codec.frames import Frames, Segment
    from lambdamagic.codec.home import Home

#: A smaller object is written into the payload like any other: asking the bucket for it would cost more.
SHARED_MIN_BYTES = 64 * 1024
#: Buffers below this are staged together: a request for each would cost more than a copy.
_ALONE_MIN_BYTES = 1 << 20


class Shared:
    """An object with its written form.

    Args:
        value: The object.
        home: The namespace that captured code lives in.
        serializer: Which pickler writes it.

    Raises:
        Any of `picklers.PICKLING_ERRORS`: It cannot be written.
    """

    def __init__(self, value: Any, home: Home, serializer: str = "auto") -> None:
        # By this name `capture` finds the functions that it holds.
        self.__wrapped__ = value
        self._serializer = serializer
        self._for_homes: weakref.WeakKeyDictionary[Home, Written] = weakref.WeakKeyDictionary()
        self._everywhere: Written | None = None
        self._everywhere = self.written(home)
        if self._everywhere.is_of_home:
            # Classes have other names in another home.
            self._for_homes[home], self._everywhere = self._everywhere, None
        self.size_bytes = self.written(home).size_bytes

    @property
    def value(self) -> Any:
        """The object itself."""
        return self.__wrapped__

    def written(self, home: Home) -> Written:
        """Return the bytes for a home."""
        found = self._everywhere or self._for_homes.get(home)
        if found is None:
            found = self._for_homes[home] = _write(self.__wrapped__, home, self._serializer)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # Whatever other pickler writes it, who reads it has the object, as on Lambda.
        return operator.itemgetter(0), ((self.__wrapped__,),)


class Written:
    """The bytes of a shared object.

    Attributes:
        frame_sizes: Of the stream and its buffers.
        pieces: The same bytes as they are staged: large buffers alone, what lies between them joined.
        sha256: Of each piece.
        digest: Names the content: made of these.
        shared: What it refers to in turn.
        is_of_home: Whether the notebook's own functions or classes are in it, so that it means the same only beside
            the same program.
        functions: The notebook's functions in it.
    """

    __slots__ = ("digest", "frame_sizes", "functions", "is_of_home", "pieces", "sha256", "shared", "size_bytes")

    def __init__(self, frames: Frames, *, is_of_home: bool, functions: list[types.FunctionType]) -> None:
        self.pieces = _pieces(frames)
        self.sha256 = tuple(hashlib.sha256(piece).hexdigest() for piece in self.pieces)
        self.frame_sizes, self.size_bytes = frames.sizes, frames.size_bytes
        self.digest = hashlib.sha256(repr((self.sha256, self.frame_sizes)).encode()).hexdigest()
        self.shared, self.is_of_home, self.functions = frames.shared, is_of_home, functions


def _pieces(frames: Frames) -> tuple[Segment, ...]:
    pieces: list[Segment] = []
    for is_large, group in itertools.groupby(frames.segments, lambda each: memoryview(each).nbytes >= _ALONE_MIN_BYTES):
        segments = list(group)
        pieces += segments if is_large else [b"".join(segments)]
    return tuple(pieces)


def _write(value: Any, home: Home, serializer: str) -> Written:
    from lambdamagic.codec.encode import Encoder
    from lambdamagic.codec.picklers import KINDS, PICKLING_ERRORS

    kinds = KINDS[serializer]
    for kind in kinds:
        encoder = Encoder(home, kind=kind)
        try:
            encoder.dump(value)
        except PICKLING_ERRORS:
            if kind == kinds[-1]:
                raise
            continue
        return Written(encoder.frames(), is_of_home=encoder.is_of_home, functions=encoder.functions)
    raise AssertionError("there is a pickler for each serializer")
