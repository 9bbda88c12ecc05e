"""Values that tasks of one invocation pass to each other: in memory, without a request to the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home

#: Nothing can be changed in these: all tasks may have the same one.
_UNCHANGING = frozenset({int, float, complex, bool, str, bytes, type(None)})


#: A copy of a smaller one costs next to nothing; without it a task that fails could have changed what is still needed.
_HANDED_ON_MIN_BYTES = 64 * 1024


class Earlier:
    """Stands, in a task's arguments, for the value of a task before it in the same invocation.

    Args:
        place: The other task's place in the invocation.
    """

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Earlier, (self.place,)


class Held:
    """The values of one invocation that later tasks in it take. Each task has its own copy, as if it came from outside.

    Args:
        home: Where the tasks' code lives.
        kinds: The picklers that may copy a value.
    """

    def __init__(self, home: Home, kinds: Sequence[str]) -> None:
        self._home, self._kinds = home, kinds
        self._values: dict[int, Any] = {}
        self._uses: dict[int, int] = {}
        self._written: set[int] = set()
        self._failed: dict[int, BaseException] = {}
        self._taken: list[int] = []

    def hold(self, place: int, value: Any, uses: int, *, is_written_later: bool) -> None:
        """Hold a task's value until so many tasks have taken it.

        Args:
            place: The task's place.
            value: Its value.
            uses: How many tasks will take it.
            is_written_later: Whether it also goes into the answer: then no task gets the value itself.
        """
        self._values[place], self._uses[place] = value, uses
        if is_written_later:
            self._written.add(place)

    def take(self, place: int) -> Any:
        """Return a copy of a value for the task that is about to run; the last task gets a large array itself.

        Raises:
            BaseException: What the task raised that was to make it.
        """
        if place in self._failed:
            raise self._failed[place]
        value = self._values[place]
        self._taken.append(place)
        if type(value) in _UNCHANGING:
            return value
        if self._uses[place] > 1 or place in self._written or getattr(value, "nbytes", 0) < _HANDED_ON_MIN_BYTES:
            return self._copy(value)
        del self._values[place]
        return value

    def ran(self) -> None:
        """Note that the task that took values has run: they are needed once less."""
        for place in self._taken:
            self._uses[place] -= 1
            if not self._uses[place]:
                self._values.pop(place, None)
        self._taken.clear()

    def failed(self, place: int, error: BaseException) -> None:
        """Note that a task has no value; what it took is still needed."""
        self._taken.clear()
        self._failed[place] = error

    def left(self) -> dict[int, Any]:
        """Return the values that are still needed: a task that was to take them has failed, or has not begun."""
        return self._values

    def _copy(self, value: Any) -> Any:
        for kind in self._kinds:
            encoder = Encoder(self._home, kind=kind)
            encoder.refer_to_functions()
            try:
                encoder.dump(value)
            except Exception:
                if kind == self._kinds[-1]:
                    raise
            else:
                frames = [bytearray(frame) for frame in encoder.frames().segments]
                return Decoder(frames, self._home).load()
        raise AssertionError("unreachable: there is a pickler")


_NOTHING = Held(Home({}), ())
_current = _NOTHING


@contextmanager
def holding(held: Held) -> Iterator[None]:
    """Let `resolved` find values in `held` while the context is open; an environment runs one invocation at a time."""
    global _current
    _current = held
    try:
        yield
    finally:
        _current = _NOTHING


def resolved(values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a task's arguments with the values of earlier tasks in them.

    Raises:
        BaseException: What such a task raised.
    """
    if all(type(value) is not Earlier for value in values.values()):
        return values
    return {key: _current.take(value.place) if type(value) is Earlier else value for key, value in values.items()}
