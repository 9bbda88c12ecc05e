"""A node as a walk runs it: values by position in, one value out. Runs in Lambda; standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdamagic.graphs.fusing import named
from lambdamagic.graphs.graph import Key, Run


class WalkNode:
    """A node's code.

    Args:
        key: The node's key.
        run: Makes its value.
        needs: The keys of the nodes that it needs, in the order in which their values come.
        constants: Values that it needs and that came with it.
        stored: The numbers of constants that are stored in the bucket, by their keys.
    """

    __slots__ = ("constants", "key", "needs", "run", "stored")

    def __init__(
        self, key: Key, run: Run, needs: tuple[Key, ...], constants: Mapping[Key, Any], stored: Mapping[Key, int]
    ) -> None:
        self.key, self.run, self.needs, self.constants, self.stored = key, run, needs, constants, stored

    def __call__(self, values: Sequence[Any], stored: Mapping[int, Any]) -> Any:
        """Return the node's value.

        Args:
            values: Those of the nodes that it needs.
            stored: Constants by their numbers.
        """
        known = {**self.constants, **{key: stored[number] for key, number in self.stored.items()}}
        known.update(zip(self.needs, values, strict=True))
        try:
            return self.run(known)
        except Exception as error:
            named(error, self.key)
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return WalkNode, (self.key, self.run, self.needs, self.constants, self.stored)


class Finish:
    """Builds the requested result from the kept nodes' values.

    Args:
        keys: What was asked for: a key, or lists of keys.
        numbers: The nodes' numbers, by what was asked for.
        constants: What was asked for and was there before.
    """

    __slots__ = ("constants", "keys", "numbers")

    def __init__(self, keys: Any, numbers: Mapping[Key, int], constants: Mapping[Key, Any]) -> None:
        self.keys, self.numbers, self.constants = keys, numbers, constants

    def __call__(self, values: Mapping[int, Any]) -> Any:
        """Return the result, in the requested shape."""
        return self._shaped(self.keys, values)

    def _shaped(self, keys: Any, values: Mapping[int, Any]) -> Any:
        if isinstance(keys, list):
            return tuple(self._shaped(key, values) for key in keys)
        return self.constants[keys] if keys in self.constants else values[self.numbers[keys]]

    def __reduce__(self) -> tuple[Any, ...]:
        return Finish, (self.keys, self.numbers, self.constants)
