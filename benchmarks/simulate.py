"""The engine as it is against a simulated Lambda in virtual time.

The baseline is the best that a scheduler without any overhead reaches if it cannot know how long a task takes
(`ideal_s`). The notes have the makespan over the bound that not even one that knows could beat (`lower_bound_s`).

`python -m benchmarks.simulate` runs the grid; `simulate` is used by tests too.
"""

from __future__ import annotations

import asyncio
import builtins
import time
from dataclasses import dataclass

from benchmarks.measure import Comparison, show
from benchmarks.simulated_lambda import Nature, SimulatedLambda, durations_of, ideal_s, lower_bound_s
from benchmarks.virtual import VirtualLoop, VirtualThreads
from lambdamagic.codec.home import Home
from lambdamagic.events import Listeners
from lambdamagic.jobs.job import FunctionRef, Job, JobSpec
from lambdamagic.jobs.outcomes import encode_items, outcomes
from lambdamagic.jobs.run import JobRun
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import versions
from lambdamagic.protocol.payload import Payload
from lambdamagic.runs.sources import ChunkedItems, Sizing

_TIMEOUT_S, _LIMIT_BYTES = 900, 4_000_000
_GOAL = 1.1


@dataclass(frozen=True)
class Result:
    """The outcome of one simulated job.

    Attributes:
        makespan_s: From its start to its end, in virtual seconds.
        bound_s: What no scheduler can beat, even if it knew all durations.
        ideal_s: What one reaches that does not know them, without any overhead.
        invocations: Invocations that were taken.
        throttled: Invocations that were refused.
        executed: Tasks that were run, those that were run twice counted twice.
        overhead: Time for which environments were busy, over the time of the tasks.
        real_s: How long the simulation took.
    """

    makespan_s: float
    bound_s: float
    ideal_s: float
    invocations: int
    throttled: int
    executed: int
    overhead: float
    real_s: float

    @property
    def ratio(self) -> float:
        """Makespan over the ideal."""
        return self.makespan_s / self.ideal_s


def simulate(
    durations: list[float], *, concurrency: int, nature: Nature, seed: int = 1, backups: bool = False
) -> Result:
    """Run one task for each duration and return its outcome; checks that each has its outcome once.

    Args:
        durations: Seconds of each task.
        concurrency: The setting `max_concurrency`.
        nature: How Lambda behaves.
        seed: Of all that is random there.
        backups: The setting.
    """
    began = time.perf_counter()
    home = Home({"__name__": "__main__", "__builtins__": builtins})
    loop = VirtualLoop()
    simulated = SimulatedLambda(loop, nature, home, seed)
    spec = JobSpec(
        kind="map",
        label="simulated",
        function=FunctionRef("simulated", 1024, _TIMEOUT_S),
        transport=simulated,
        stager=Stager(None),
        program=Payload(()),
        versions=versions.here(),
        units=ChunkedItems(
            lambda chunk, first: encode_items(home, chunk, first, "auto"),
            Sizing(_TIMEOUT_S, _LIMIT_BYTES),
            durations,
        ),
        task_count=len(durations),
        max_concurrency=concurrency,
        inline_limit_bytes=_LIMIT_BYTES,
        backups=backups,
    )
    job = Job(spec, Listeners(), loop)
    run = JobRun(job, VirtualThreads(loop, lambda: simulated.took_s), lambda: 0.5, loop)

    async def whole() -> None:
        await run.begin()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(whole())
    found = {task: value for arrival in job.arrivals() for task, value in outcomes(arrival, home)}
    assert [found[task] for task in range(len(durations))] == durations
    return Result(
        job.finished_at - job.started_at if job.finished_at is not None else 0.0,
        lower_bound_s(durations, concurrency=concurrency, nature=nature),
        ideal_s(durations, concurrency=concurrency, nature=nature),
        simulated.invocations,
        simulated.throttled,
        simulated.executed,
        simulated.busy_s / sum(durations),
        time.perf_counter() - began,
    )


#: Tasks, their kind and mean seconds, concurrency, and how Lambda differs.
GRID: list[tuple[int, str, float, int, Nature]] = [
    (1_000, "even", 10.0, 1_000, Nature()),
    (1_000, "skewed", 10.0, 300, Nature()),
    (10_000, "skewed", 0.2, 1_000, Nature()),
    (10_000, "skewed", 1.0, 1_000, Nature()),
    (10_000, "skewed", 1.0, 1_000, Nature(quota=600)),
    (10_000, "skewed", 60.0, 10_000, Nature()),
    (100_000, "even", 0.1, 10_000, Nature()),
    (100_000, "skewed", 0.2, 1_000, Nature()),
]


def main(only: list[int] | None = None) -> list[Comparison]:
    """Run and print."""
    lines, notes = [], []
    for number, (count, kind, mean_s, concurrency, nature) in enumerate(GRID):
        if only and number not in only:
            continue
        result = simulate(durations_of(kind, count, mean_s), concurrency=concurrency, nature=nature)
        less = f", quota {nature.quota}" if nature.quota < concurrency else ""
        slow = f", {nature.straggling:.0%} straggle" if nature.straggling else ""
        what = f"{count:,} {kind} tasks of {mean_s:g} s at {concurrency:,}{less}{slow}"
        lines.append(
            Comparison(what, "without overhead", result.makespan_s, result.ideal_s, result.ratio, _GOAL, unit="s")
        )
        notes.append(
            f"{what}: {result.invocations:,} invocations, {result.throttled:,} refused, "
            f"{result.makespan_s / result.bound_s:.2f} x the lower bound, "
            f"busy {result.overhead:.2f} x the tasks' time; simulated in {result.real_s:.1f} s"
        )
    show("The engine in virtual time", lines, notes)
    return lines if only else [*lines, *_stragglers()]


def _stragglers() -> list[Comparison]:
    """Compare a job whose slow environments get backups with the same without."""
    lines, notes, nature = [], [], Nature(straggling=0.02)
    for count, kind, mean_s in ((1_000, "even", 10.0), (1_000, "skewed", 10.0), (10_000, "even", 1.0)):
        durations = durations_of(kind, count, mean_s)
        without = simulate(durations, concurrency=1_000, nature=nature)
        backed_up = simulate(durations, concurrency=1_000, nature=nature, backups=True)
        what = f"{count:,} {kind} tasks of {mean_s:g} s at 1,000"
        ratio = backed_up.makespan_s / without.makespan_s
        lines.append(
            Comparison(what, "without backups", backed_up.makespan_s, without.makespan_s, ratio, 0.7, unit="s")
        )
        more = backed_up.executed / without.executed - 1
        notes.append(f"{what}: {backed_up.ratio:.2f} x the ideal, {more:.1%} more tasks were run")
    show("2% of the invocations straggle: backups=True", lines, notes)
    return lines


if __name__ == "__main__":
    import sys

    main([int(number) for number in sys.argv[1:]])
