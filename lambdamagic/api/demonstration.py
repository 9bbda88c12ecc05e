"""A small computation that shows that everything works: pi, estimated from random points in parallel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.config import load_settings
from lambdamagic.events import Billed, Charged, Event

_TASKS = 16
# By its text, as this module is not in the function.
_DARTS = (
    "(lambda at: sum(at() ** 2 + at() ** 2 < 1 for _ in range({points})))(__import__('random').Random({seed}).random)"
)


@dataclass(frozen=True)
class Demonstration:
    """The estimate, and what it took to compute it.

    Attributes:
        pi: The estimate.
        tasks: How many tasks there were.
        target: `local` or `aws`.
        function: The function on AWS, if any.
        billed_ms: What Lambda bills for.
        cost_usd: What that costs at list price; 0 on the embedded Lambda.
    """

    pi: float
    tasks: int
    target: str
    function: str | None
    billed_ms: float
    cost_usd: float


def estimate_pi(points: int, **options: Any) -> Demonstration:
    """Estimate pi with sixteen tasks.

    Args:
        points: Darts a task.
        **options: As `LambdaExecutor` takes them.

    Raises:
        LambdaMagicError: It could not be run.
    """
    settings = load_settings(overrides=options).settings
    target = settings.resolved_target()
    billed: list[float] = []
    costs: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, Billed):
            costs.append(event.cost_usd)
            if not isinstance(event, Charged):
                billed.append(event.report.billed_ms if event.report else 0.0)

    with LambdaExecutor(**options) as executor:
        executor.add_listener(note)
        darts = [_DARTS.format(points=points, seed=seed) for seed in range(_TASKS)]
        inside = sum(executor.map(eval, darts))
    cost = sum(costs) if target == "aws" else 0.0
    return Demonstration(4 * inside / points / _TASKS, _TASKS, target, settings.function, sum(billed), cost)
