"""Which node needs which, by number, and where walks begin. Pure; each environment reads all of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol import reading

_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Structure:
    """A graph without its code. Nodes are numbered in an order in which each comes after what it needs.

    Attributes:
        needs: For each node, the nodes whose values it needs.
        kept: The nodes whose values are asked for.
        blocks: The first node of each block in which the nodes' code is stored.
    """

    needs: tuple[tuple[int, ...], ...]
    kept: frozenset[int]
    blocks: tuple[int, ...] = (0,)

    @cached_property
    def dependents(self) -> tuple[tuple[int, ...], ...]:
        """For each node, the nodes that need it."""
        found: list[list[int]] = [[] for _ in self.needs]
        for node, needs in enumerate(self.needs):
            for need in needs:
                found[need].append(node)
        return tuple(map(tuple, found))

    @cached_property
    def heights(self) -> tuple[int, ...]:
        """For each node, how many nodes the longest way from it to the end has."""
        found = [1] * len(self.needs)
        for node in range(len(self.needs) - 1, -1, -1):
            for need in self.needs[node]:
                found[need] = max(found[need], found[node] + 1)
        return tuple(found)

    @property
    def leaves(self) -> list[int]:
        """The nodes that need no other."""
        return [node for node, needs in enumerate(self.needs) if not needs]

    @property
    def joins(self) -> int:
        """How many nodes need more than one other."""
        return sum(len(needs) > 1 for needs in self.needs)

    def first_groups(self, walks: int) -> list[list[int]]:
        """Cut the leaves into at most so many groups of neighbors, one for each first walk."""
        return evenly(self.leaves, walks)

    def block_of(self, node: int) -> int:
        """Return the number of the block in which a node's code is stored."""
        from bisect import bisect_right

        return bisect_right(self.blocks, node) - 1

    def to_bytes(self) -> bytes:
        """Return what is stored."""
        document = [self.needs, sorted(self.kept), self.blocks]
        return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray) -> Structure:
        """Read what was stored.

        Raises:
            ProtocolError: It is none, or its order is none.
        """
        try:
            reader = zlib.decompressobj()
            text = reader.decompress(data, _MOST_BYTES)
            needs, kept, blocks = reading.listed(reading.read_json(text))
            found = cls(tuple(map(tuple, needs)), frozenset(kept), tuple(blocks))
        except (TypeError, ValueError, zlib.error) as error:
            raise ProtocolError(f"a graph's structure cannot be read: {error!r}") from error
        for node, each in enumerate(found.needs):
            if not all(type(need) is int and 0 <= need < node for need in each):
                raise ProtocolError("a graph's structure cannot be read: a node stands before what it needs")
        return found


def evenly(items: Sequence[int], groups: int) -> list[list[int]]:
    """Cut a list into at most so many runs of neighbors, of lengths that differ by one at most."""
    count = max(1, min(groups, len(items)))
    size, more = divmod(len(items), count)
    found, start = [], 0
    for number in range(count):
        end = start + size + (number < more)
        found.append(list(items[start:end]))
        start = end
    return [group for group in found if group]


def structure_of(needs: Iterable[Iterable[int]], kept: Iterable[int], blocks: Iterable[int] = (0,)) -> Structure:
    """Return a structure from what nodes need, by their numbers."""
    return Structure(tuple(tuple(each) for each in needs), frozenset(kept), tuple(blocks))
