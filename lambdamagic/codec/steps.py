"""Steps of a pickle that are written by hand."""

from __future__ import annotations

import pickle


def prelude(count: int) -> bytes:
    """Return a pickle that takes `count` objects from the buffers and gives them the numbers 0, 1, 2, ...

    The C unpickler's `memo` attribute cannot be set from a dictionary (in CPython 3.11 to 3.13 the entries go to the
    memo that is about to be thrown away), so the numbers are given by the unpickler's own means.
    """
    return pickled((pickle.NEXT_BUFFER + pickle.MEMOIZE + pickle.POP) * count + pickle.NONE)


def pickled(steps: bytes) -> bytes:
    """Return a pickle of these steps."""
    return b"\x80\x05" + steps + pickle.STOP


def step_to(named: type) -> bytes:
    """Return the step that finds a class by its name."""
    return pickle.GLOBAL + f"{named.__module__}\n{named.__qualname__}\n".encode()


#: Gives the next number to nothing.
NUMBERED = pickle.NONE + pickle.MEMOIZE + pickle.POP
#: Hidden parts have a multiple of so many numbers.
_ROUND = 1024
_FILLERS: list[object] = []


def gap_after(count: int) -> int:
    """Return how many numbers are left out after so many objects."""
    return -count % _ROUND


def fillers(count: int) -> list[object]:
    """Return so many objects that no payload holds."""
    _FILLERS.extend(object() for _ in range(count - len(_FILLERS)))
    return _FILLERS[:count]
