"""Timing two things against each other in one run, on a machine that is noisy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One line of a benchmark: a measured thing over a named baseline.

    Attributes:
        what: What was measured.
        baseline_name: Against what.
        ours: Median of ours, in `unit`.
        baseline: Median of the baseline.
        ratio: Median of the ratios of neighboring runs, so that noise which hits both cancels.
        goal: The ratio to stay below; None where there is none.
    """

    what: str
    baseline_name: str
    ours: float
    baseline: float
    ratio: float
    goal: float | None
    unit: str = "ms"

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.goal is None or self.ratio <= self.goal


def compare(
    what: str,
    ours: Callable[[], float | None],
    baseline_name: str,
    baseline: Callable[[], float | None],
    *,
    goal: float | None,
    rounds: int,
    warm_up: int = 2,
) -> Comparison:
    """Run both in turns and compare.

    Args:
        what: Name of ours.
        ours: Runs once; returns its milliseconds, or None to be timed from outside.
        baseline_name: Name of the baseline.
        baseline: The same for the baseline.
        goal: The ratio to stay below.
        rounds: How often each runs.
        warm_up: Rounds before that do not count.
    """
    pairs = []
    for number in range(rounds + warm_up):
        # Whoever comes second finds warmer caches: they take turns.
        if number % 2:
            theirs, mine = _once(baseline), _once(ours)
        else:
            mine, theirs = _once(ours), _once(baseline)
        if number >= warm_up:
            pairs.append((mine, theirs))
    return Comparison(
        what,
        baseline_name,
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(mine / theirs for mine, theirs in pairs),
        goal,
    )


def _once(call: Callable[[], float | None]) -> float:
    began = time.perf_counter()
    measured = call()
    return (time.perf_counter() - began) * 1000 if measured is None else measured


def show(title: str, comparisons: list[Comparison], notes: list[str] | None = None) -> None:
    """Print a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("what", "ours", "baseline", "", "ratio", "goal", ""):
        table.add_column(column, justify="right" if column in ("ours", "ratio", "goal") else "left")
    for line in comparisons:
        goal = "" if line.goal is None else f"<= {line.goal:g}"
        verdict = "" if line.goal is None else ("met" if line.is_met else "MISSED")
        table.add_row(
            line.what,
            f"{line.ours:,.2f} {line.unit}",
            f"{line.baseline:,.2f} {line.unit}",
            line.baseline_name,
            f"{line.ratio:.2f}" if line.ratio >= 0.01 else f"{line.ratio:.4f}",
            goal,
            verdict,
        )
    console = Console(width=140)
    console.print(table)
    for note in notes or []:
        console.print(note, highlight=False)
