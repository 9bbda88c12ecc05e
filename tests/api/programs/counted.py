"""Objects that are counted while they live, in addition to the program that counts them."""

from __future__ import annotations

import weakref

ALIVE = weakref.WeakSet()


class Counted:
    """Counted while it lives, wherever it was made."""

    def __init__(self, payload=None):
        self.payload = payload
        ALIVE.add(self)

    def __setstate__(self, state):
        """Count what is unpickled too."""
        self.__dict__.update(state)
        ALIVE.add(self)

    def fail(self):
        """Raise, with this in hand."""
        raise ValueError


class Unsendable(Counted):
    """Cannot be pickled."""

    def __reduce__(self):
        """Raise."""
        raise ValueError
