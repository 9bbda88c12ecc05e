"""A seeded fault campaign: throttles, 5xx, answers lost in every way, dead environments, S3's 503 and 307, freezes.

Used by `benchmarks/faults.py`, which prints it, and by a test, which holds its promises.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.warm import warm_executor
from lambdamagic import events
from lambdamagic.local.testing.faults import FaultRule, Faults


def work(number: int, folder: str) -> tuple[int, int]:
    """Note that it ran, and return something that says which task gave it."""
    with (Path(folder) / str(number)).open("a") as file:
        file.write("x")
    return number, number * number


@dataclass
class Campaign:
    """The outcome of one run.

    Attributes:
        seconds: How long it took.
        wrong: Results that are not what they should be.
        finished: How often each task's outcome was reported.
        invocations: Invocations that were started.
        throttled: Invocations refused with 429.
        twice: Tasks that ran more often than once.
        again: Tasks that may have, by the events: sent again, and what was sent before may have run.
        retried: Reasons for which tasks were sent again, with how many invocations.
    """

    seconds: float = 0.0
    wrong: int = 0
    finished: Counter[int] = field(default_factory=Counter)
    invocations: int = 0
    throttled: int = 0
    twice: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    retried: Counter[str] = field(default_factory=Counter)
    _under_way: set[int] = field(default_factory=set)
    _is_repeating: bool = False

    @property
    def undocumented(self) -> set[int]:
        """Tasks that ran twice and for which no event said that this may be."""
        return self.twice - self.again

    def listen(self, event: events.Event) -> None:
        """Count an event."""
        match event:
            case events.JobStarted():
                self._is_repeating = bool(self.finished)  # a job that continues says first what it has
            case events.JobFinished():
                self.again |= (
                    self._under_way
                )  # nothing waits for these any more, and who resumes the job runs them again
            case events.InvocationStarted():
                self.invocations += 1
                self._is_repeating = False
                self._under_way.update(event.tasks)
            case events.InvocationThrottled():
                self.throttled += 1
            case events.InvocationRetried():
                self.again.update(event.tasks if event.may_have_run else ())
                self.retried[event.reason.split("(")[0].strip()[:60]] += 1
            case events.TaskFinished():
                self._under_way.discard(event.task)
                if not (self._is_repeating and event.task in self.finished):
                    self.finished[event.task] += 1
            case _:
                pass


def rules(seed: int, mode: str, *, has_holes: bool) -> list[FaultRule]:
    """Return the campaign's faults, as shares of all requests; events are delivered twice now and then too.

    Args:
        seed: Draws them.
        mode: How invocations are made.
        has_holes: Whether some requests are never answered, which takes as long as a client is patient.
    """
    holes = [
        FaultRule("hole", count=2, fraction=0.1, seed=seed + 9),
        FaultRule("s3_hole", count=2, fraction=0.05, seed=seed + 13),
    ]
    doubled = [FaultRule("duplicate", count=None, fraction=0.05, seed=seed + 6)] if mode != "sync" else []
    return [
        FaultRule("throttle", count=None, fraction=0.30, seed=seed),
        FaultRule("error", count=None, fraction=0.05, seed=seed + 1),
        FaultRule("drop_before", count=None, fraction=0.025, seed=seed + 2),
        FaultRule("drop_after", count=None, fraction=0.025, seed=seed + 3),
        FaultRule("kill", count=None, fraction=0.05, seed=seed + 4),
        FaultRule("cut_head", count=None, fraction=0.02, seed=seed + 7),
        FaultRule("cut_body", count=None, fraction=0.02, seed=seed + 8),
        FaultRule("s3_error", count=None, fraction=0.05, seed=seed + 5, status=503),
        FaultRule("s3_error", count=None, fraction=0.03, seed=seed + 14, status=307, code="TemporaryRedirect"),
        FaultRule("frozen", count=None, delay_s=5.0),  # a shorter freeze leaves connections alive
        FaultRule("s3_drop", count=None, fraction=0.02, seed=seed + 10),
        FaultRule("s3_cut_head", count=None, fraction=0.03, seed=seed + 11),
        FaultRule("s3_cut_body", count=None, fraction=0.03, seed=seed + 12),
        *(holes if has_holes else ()),
        *doubled,
    ]


def run(
    tasks: int,
    folder: Path,
    *,
    chunksize: int,
    seed: int | None,
    inline_limit_bytes: int = 4_000_000,
    mode: str = "sync",
    has_holes: bool = False,
    rest_s: float = 0.0,
) -> Campaign:
    """Run `tasks` tasks on the embedded Lambda of this process, with faults if a seed is given.

    Args:
        tasks: How many.
        folder: Where each task notes that it ran; empty.
        chunksize: Tasks in one invocation, so that there are enough invocations to hit.
        seed: Draws the faults; None for none.
        inline_limit_bytes: A small one makes items and results go through S3.
        mode: How invocations are made.
        has_holes: See `rules`.
        rest_s: Let environments that have used their connections be frozen for so long before, in which these die.
    """
    campaign = Campaign()
    # A short timeout: how long a dead environment without a waiting client goes unnoticed follows from it.
    options = {"memory_mb": 256, "timeout_s": 15, "inline_limit_bytes": inline_limit_bytes, "mode": mode}
    with warm_executor(**options) as (executor, target):
        faults = Faults(target.server.connection)
        if rest_s:
            (folder / "before").mkdir()
            list(executor.map(work, range(32), [str(folder / "before")] * 32, chunksize=1))
            shutil.rmtree(folder / "before")
            time.sleep(rest_s)
        executor.add_listener(campaign.listen)
        if seed is not None:
            faults.add(*rules(seed, mode, has_holes=has_holes))
        try:
            began = time.perf_counter()
            found = list(executor.map(work, range(tasks), [str(folder)] * tasks, chunksize=chunksize))
            campaign.seconds = time.perf_counter() - began
        finally:
            faults.clear()
    campaign.wrong = sum(result != (number, number * number) for number, result in enumerate(found))
    campaign.wrong += abs(len(found) - tasks)
    campaign.twice = {int(path.name) for path in folder.iterdir() if path.stat().st_size > 1}
    return campaign
