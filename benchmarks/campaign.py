"""A seeded fault campaign: throttles, server errors, broken connections, killed environments, S3 that says 503.

Used by `benchmarks/faults.py`, which prints it, and by a test, which holds its promises.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from lambdamagic import events
from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.local.testing.faults import FaultRule, Faults
from lambdamagic.targets.local_target import LocalTarget


def work(number: int) -> tuple[int, int]:
    """Return something that tells which task gave it."""
    return number, number * number


@dataclass
class Campaign:
    """What came of one run.

    Attributes:
        seconds: How long it took.
        wrong: Results that are not what they should be.
        finished: How often each task's outcome was told.
        invocations: Invocations that were started.
        throttled: Invocations refused with 429.
        retried: Reasons for which tasks were sent again, with how many invocations.
    """

    seconds: float = 0.0
    wrong: int = 0
    finished: Counter[int] = field(default_factory=Counter)
    invocations: int = 0
    throttled: int = 0
    retried: Counter[str] = field(default_factory=Counter)

    def listen(self, event: events.Event) -> None:
        """Count an event."""
        match event:
            case events.InvocationStarted():
                self.invocations += 1
            case events.InvocationThrottled():
                self.throttled += 1
            case events.InvocationRetried():
                self.retried[event.reason.split("(")[0].strip()[:60]] += 1
            case events.TaskFinished():
                self.finished[event.task] += 1
            case _:
                pass


def rules(seed: int, mode: str) -> list[FaultRule]:
    """Return the campaign's faults, as shares of all requests; events are delivered twice now and then too."""
    doubled = [FaultRule("duplicate", count=None, fraction=0.05, seed=seed + 6)] if mode != "sync" else []
    return [
        FaultRule("throttle", count=None, fraction=0.30, seed=seed),
        FaultRule("error", count=None, fraction=0.05, seed=seed + 1),
        FaultRule("drop_before", count=None, fraction=0.025, seed=seed + 2),
        FaultRule("drop_after", count=None, fraction=0.025, seed=seed + 3),
        FaultRule("kill", count=None, fraction=0.05, seed=seed + 4),
        FaultRule("s3_error", count=None, fraction=0.05, seed=seed + 5, status=503),
        *doubled,
    ]


def run(
    tasks: int, *, chunksize: int, seed: int | None, inline_limit_bytes: int = 4_000_000, mode: str = "sync"
) -> Campaign:
    """Run `tasks` tasks on the embedded Lambda of this process, with faults if a seed is given.

    Args:
        tasks: How many.
        chunksize: Tasks in one invocation, so that there are enough invocations to hit.
        seed: Draws the faults; None for none.
        inline_limit_bytes: A small one makes items and results go through S3.
        mode: How invocations are made.
    """
    campaign = Campaign()
    # A short timeout: how long a dead environment that nobody waits for goes unnoticed follows from it.
    options = {"memory_mb": 256, "timeout_s": 15, "inline_limit_bytes": inline_limit_bytes, "mode": mode}
    with LambdaExecutor(target="local", **options) as executor:
        executor.submit(abs, 1).result()
        target = executor._launcher.target()
        assert isinstance(target, LocalTarget)
        faults = Faults(target.server.connection)
        executor.add_listener(campaign.listen)
        if seed is not None:
            faults.add(*rules(seed, mode))
        try:
            began = time.perf_counter()
            found = list(executor.map(work, range(tasks), chunksize=chunksize))
            campaign.seconds = time.perf_counter() - began
        finally:
            faults.clear()
    campaign.wrong = sum(result != (number, number * number) for number, result in enumerate(found))
    campaign.wrong += abs(len(found) - tasks)
    return campaign
