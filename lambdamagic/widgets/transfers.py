"""Transfer progress of a job: bytes, total, and rate."""

from __future__ import annotations

import time
from collections.abc import Callable

from lambdamagic.widgets.text import size

#: What takes less needs no sign.
_QUIET_S = 1.0
#: Between two notes.
_EVERY_S = 0.3
#: The rate is that of so many latest seconds.
_WINDOW_S = 5.0


class TransferNote:
    """One way of a job's bytes, from its first look on.

    Args:
        verb: What is done with the bytes, such as `sending`.
        monotonic: The clock.
        is_estimate: Whether the bytes in all are a guess.
    """

    def __init__(
        self, verb: str, monotonic: Callable[[], float] = time.monotonic, *, is_estimate: bool = False
    ) -> None:
        self._verb, self._monotonic, self._about = verb, monotonic, "about " if is_estimate else ""
        self._looks: list[tuple[float, int]] = []
        self._began: float | None = None
        self._noted = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time for a line."""
        now = self._monotonic()
        return self._began is not None and now - self._began >= _QUIET_S and now - self._noted >= _EVERY_S

    def note(self, done: int, total: int) -> str:
        """Return a line on how far it is; empty while it is too early for one, or too early for the next.

        Args:
            done: Bytes that have gone.
            total: Bytes in all; 0 where that is not known.
        """
        now = self._monotonic()
        if self._began is None:
            self._began = now
        self._looks = [each for each in self._looks if now - each[0] <= _WINDOW_S] + [(now, done)]
        if now - self._began < _QUIET_S or now - self._noted < _EVERY_S:
            return ""
        self._noted = now
        since, before = self._looks[0]
        rate = f" · {size((done - before) / (now - since))}/s" if now > since and done > before else ""
        if not total:
            return f"{self._verb} {size(done)}{rate}"
        if self._about:
            total = max(total, round(done / 0.99))  # more than was guessed is not all yet
        percent = min(100, round(100 * done / total))
        return f"{self._verb} {size(min(done, total))} of {self._about}{size(total)} · {percent}%{rate}"
