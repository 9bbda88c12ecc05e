"""Parts of a payload that can each fail alone: items of tasks, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.frames import Segment
from lambdamagic.codec.home import Home
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})


class Unreadable:
    """Placeholder of a part whose objects could not be rebuilt.

    Attributes:
        error: What their code raised, or what reading them did.
    """

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def write_items(encoder: Encoder, items: Sequence[Any]) -> None:
    """Write items so that reading each can fail alone; plain data cannot fail, and is written in one part.

    Raises:
        BaseException: What the code of an item's class raises.
    """
    kinds = set(map(type, items))
    if kinds == {tuple}:
        kinds = set(map(type, chain.from_iterable(items)))
    is_plain = kinds <= _PLAIN
    encoder.dump(is_plain)
    if is_plain:
        encoder.dump(list(items))
        return
    for item in items:
        encoder.dump(item)


def read_items(frames: Sequence[Segment], home: Home) -> list[Any]:
    """Return the items that `write_items` wrote, with `Unreadable` for those that could not be rebuilt."""
    return list(iter_items(frames, home))


def iter_items(frames: Sequence[Segment], home: Home) -> Iterator[Any]:
    """Yield the items that `write_items` wrote, lazily, with `Unreadable` for those that could not be rebuilt."""
    parts = read_each(frames, home)
    if next(parts) is True:
        yield from next(parts)
    else:
        yield from parts


def read_each(
    frames: Sequence[Segment],
    home: Home,
    *,
    missing: Callable[[str, str, Exception], Any] | None = None,
) -> Iterator[Any]:
    """Yield each part, or `Unreadable` in its place.

    Args:
        frames: The payload's.
        home: Where its code lives.
        missing: See `Decoder`.
    """
    decoder, count = Decoder(frames, home, missing=missing), 0
    while not decoder.is_at_end:
        try:
            part = decoder.load()
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as error:  # noqa: BLE001  # code of the user's runs here: it may raise anything
            error.__traceback__ = None  # it would keep the frames
            yield from _read_rest(Decoder(frames, home, missing=missing, salvages=True), count, error)
            return
        yield part
        count += 1
        del part


def _read_rest(decoder: Decoder, done: int, error: BaseException) -> Iterator[Any]:
    """Read on with the slow unpickler, which can continue behind what raises."""
    count = 0
    while not decoder.is_at_end:
        try:
            part = decoder.load()
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as failure:  # noqa: BLE001  # the bytes themselves cannot be read: nothing behind can
            yield Unreadable(failure)
            return
        broken = decoder.take_failure()
        if count >= done:
            yield part if broken is None else Unreadable(error if count == done else broken)
        count += 1
        del part
