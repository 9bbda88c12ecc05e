"""The client's view of a graph's walks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lambdamagic.walks.walk_event import WalkEvent

#: How often a walk is begun at most: an environment may die, and the next one too.
ATTEMPTS_MOST = 4


@dataclass
class AttemptSeen:
    """One attempt of a walk, as far as it is seen."""

    sent_at: float
    since: float
    signs: dict[str, tuple[int, float]] = field(default_factory=dict)
    seen_at: float = 0.0
    is_recorded: bool = False
    allowed_s: float = 0.0


@dataclass
class WalkSeen:
    """One walk, as far as it is seen; `event` is None until it was read."""

    event: WalkEvent | None = None
    was_left: bool = False
    attempts_most: int = ATTEMPTS_MOST
    attempts: dict[int, AttemptSeen] = field(default_factory=dict)

    @property
    def latest(self) -> int:
        """The number of its latest attempt; 0 before the first."""
        return max(self.attempts, default=0)

    @property
    def has_record_to_come(self) -> bool:
        """Whether its latest attempt has not left its record yet."""
        return bool(self.attempts) and not self.attempts[self.latest].is_recorded


class GraphView(Protocol):
    """Shows a graph while it runs; its methods are called in the graph's thread, and must not raise."""

    def tick(self) -> None:
        """Draw it again if it is time to."""

    def moved(self) -> None:
        """Note that walks have ended, with all that they printed."""

    def ended(self) -> None:
        """Draw the end."""
