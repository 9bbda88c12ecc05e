"""When a walk hands nodes over, to how many walks, and the budget of invocations. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: Lambda ends a chain of invocations of one function after about 16 ("Use Lambda recursive loop detection to prevent
#: infinite loops", AWS Lambda Developer Guide); the request that began it counts.
DEPTH_MOST = 14


@dataclass(frozen=True)
class Allowance:
    """What a walk and all walks that descend from it may invoke.

    Attributes:
        invocations: How many in all.
        depth: How many walks invoked each other up to this one.
    """

    invocations: int = 0
    depth: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be invoked any more."""
        return self.invocations < 1

    @property
    def is_deep(self) -> bool:
        """Whether the chain is as long as Lambda lets one be: the client begins a new one."""
        return self.depth > DEPTH_MOST

    def divided(self, walks: int) -> tuple[Allowance, list[Allowance]]:
        """Pay for some invocations, and divide what is left among them and who invokes.

        Returns:
            What is left here, and what each of the others gets.
        """
        left = self.invocations - walks
        each, more = divmod(left, walks + 1)
        others = [Allowance(each + (number < more), self.depth + 1) for number in range(walks)]
        return replace(self, invocations=left - sum(other.invocations for other in others)), others

    def whole(self) -> Allowance:
        """Return all of it, for the one walk that replaces this one: each runs a node at least."""
        return Allowance(self.invocations, self.depth + 1)


@dataclass(frozen=True)
class Sharing:
    """The policy.

    Attributes:
        at_once: How many walks one walk invokes at once; more go through those, as a tree, so that one walk with many
            followers does not send them one after the other.
        large_bytes: A value from here on is looked around for before it is written, and is never sent in an event.
        inline_bytes: How much of values is sent in an event.
        short_s: Nodes that take less on average, and less than `worth_s` together, are not worth an invocation.
        worth_s: What an invocation, its event and its claim take.
        known_after: How many nodes must have run before it is known how long they take.
    """

    at_once: int = 16
    large_bytes: int = 32 * 1024
    inline_bytes: int = 96 * 1024
    short_s: float = 0.005
    worth_s: float = 0.1
    known_after: int = 2

    def is_large(self, size_bytes: int) -> bool:
        """Whether a value is large."""
        return size_bytes >= self.large_bytes

    def looks_first(self, sizes: Mapping[int, int]) -> bool:
        """Whether a walk looks for others' edges before it writes its own."""
        return sum(sizes.values()) >= self.large_bytes

    def walks_for(self, ready: Collection[int], ran: Sequence[Any], allowance: Allowance) -> int:
        """Return to how many walks all but one of the nodes that are ready go; 0 if they stay."""
        more = len(ready) - 1
        if more < 1 or allowance.is_spent:
            return 0
        mean_s = sum(each.seconds for each in ran) / len(ran) if ran else 0.0
        if len(ran) >= self.known_after and mean_s < self.short_s and more * mean_s < self.worth_s:
            return 0
        return min(more, allowance.invocations)

    def bundles(
        self, groups: Sequence[Sequence[int]], allowance: Allowance
    ) -> tuple[list[tuple[list[Sequence[int]], Allowance]], Allowance]:
        """Put groups together for the walks that are invoked at once.

        Returns:
            The groups of each walk with its allowance, and what is left here; no walks where nothing may be invoked.
        """
        if allowance.is_spent:
            return [], allowance
        count = min(self.at_once, len(groups), allowance.invocations)
        left, others = allowance.divided(count)
        size, more = divmod(len(groups), count)
        found, start = [], 0
        for number, other in enumerate(others):
            end = start + size + (number < more)
            found.append((list(groups[start:end]), other))
            start = end
        return found, left
