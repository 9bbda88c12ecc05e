"""The cost limit."""

from __future__ import annotations

import threading

from lambdamagic.errors import CostLimitError


class Budget:
    """The cost limit of one job, or of all jobs of an executor. Thread-safe.

    Args:
        limit_usd: US dollars at list price.
    """

    def __init__(self, limit_usd: float) -> None:
        self.limit_usd = limit_usd
        self._lock = threading.Lock()
        self._spent_usd = 0.0

    def spend(self, cost_usd: float) -> None:
        """Note a cost."""
        with self._lock:
            self._spent_usd += cost_usd

    def check(self) -> None:
        """Return if something is left.

        Raises:
            CostLimitError: Nothing is.
        """
        if self._spent_usd >= self.limit_usd:
            raise CostLimitError(
                f"the cost limit is reached: ${self._spent_usd:.2f} of ${self.limit_usd:.2f} at list price",
                hint="Raise it with --max-cost or the setting max_cost_usd (0 is no limit); completed results are kept",
            )
