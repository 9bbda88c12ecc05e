"""Start execution environments before they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.events import Event, InvocationFinished

_HOLD_S = 1.0


@dataclass(frozen=True)
class Warmth:
    """The warm environments after `warm_up`.

    Attributes:
        environments: How many execution environments ran something.
        cold: How many of them were started for it.
    """

    environments: int
    cold: int


def warm_up(count: int, *, hold_s: float = _HOLD_S, **options: Any) -> Warmth:
    """Have so many execution environments run something at once, so that they are there afterwards.

    Args:
        count: How many.
        hold_s: How long each is kept busy, so that none serves two of the invocations; billed.
        **options: As `LambdaExecutor` takes them.

    Raises:
        LambdaMagicError: The target is not usable.
    """
    seen: dict[str, bool] = {}

    def note(event: Event) -> None:
        if isinstance(event, InvocationFinished) and event.environment_id:
            seen[event.environment_id] = seen.get(event.environment_id, False) or event.is_cold

    with LambdaExecutor(max_workers=count, stdout="drop", **options) as executor:
        executor.add_listener(note)
        # By its text, as this module is not in the function.
        futures = [executor.submit(eval, f"__import__('time').sleep({hold_s!r})") for _ in range(count)]
        for future in futures:
            future.result()
    return Warmth(len(seen), sum(seen.values()))
