"""A module next to the programs that the tests run."""

from __future__ import annotations

SCALE = 10


def scaled(number):
    """Read a global of this module."""
    return number * SCALE


class Scale:
    """A class of this module."""

    def __init__(self, factor):
        self.factor = factor

    def times(self, number):
        """Return the product."""
        return number * self.factor
