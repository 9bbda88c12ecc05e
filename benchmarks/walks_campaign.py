"""Walks under seeded faults: events doubled, lost and throttled, environments killed, answers of Lambda and S3 lost.

Each round computes one graph on the embedded Lambda. `python -m benchmarks.walks_campaign 20` prints its outcome.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdamagic import events
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.walked import start_walks
from lambdamagic.local.testing.faults import FaultRule, Faults
from lambdamagic.targets.local_target import LocalTarget

_CODE = """
def work(folder, number):
    def run(values):
        import io, time
        with io.open(f"{folder}/{number}", "a") as file:
            file.write("x")
        time.sleep(0.01)
        return number + sum(values.values()) % 1_000_003
    return run
"""


@dataclass
class Round:
    """The outcome of one graph.

    Attributes:
        seconds: How long it took.
        is_right: Whether its result is what it should be.
        reported: How often each task's outcome was reported.
        started: How often each task was begun.
        again: Walks that were begun again, as events said.
        walks: Walks that ended.
    """

    seconds: float = 0.0
    is_right: bool = False
    reported: Counter[int] = field(default_factory=Counter)
    started: Counter[int] = field(default_factory=Counter)
    again: int = 0
    walks: int = 0

    def listen(self, event: events.Event) -> None:
        """Count an event."""
        if isinstance(event, events.TaskFinished):
            self.reported[event.task] += 1
        elif isinstance(event, events.InvocationRetried):
            self.again += 1

    @property
    def is_kept(self) -> bool:
        """Whether all promises are: a right result, no outcome reported twice, no second start without a death."""
        return (
            self.is_right
            and set(self.reported.values()) <= {1}
            and (bool(self.again) or set(self.started.values()) == {1})
        )


def rules(seed: int) -> list[FaultRule]:
    """Return the faults, as shares of requests; two environments are killed at most, since each costs seconds."""
    return [
        FaultRule("throttle", count=None, fraction=0.10, seed=seed),
        FaultRule("error", count=None, fraction=0.05, seed=seed + 1),
        FaultRule("drop_before", count=None, fraction=0.05, seed=seed + 2),
        FaultRule("drop_after", count=None, fraction=0.05, seed=seed + 3),
        FaultRule("kill", count=2, fraction=0.10, seed=seed + 4, delay_s=0.05),
        FaultRule("duplicate", count=None, fraction=0.10, seed=seed + 6),
        FaultRule("s3_error", count=None, fraction=0.05, seed=seed + 5, status=503),
        FaultRule("s3_drop", count=None, fraction=0.02, seed=seed + 10),
        FaultRule("s3_cut_head", count=None, fraction=0.03, seed=seed + 11),
        FaultRule("s3_cut_body", count=None, fraction=0.03, seed=seed + 12),
    ]


def graph_of(seed: int, folder: Path, nodes: int) -> tuple[Graph, int]:
    """Return a random graph with one end, and its value."""
    source, program = random.Random(seed), dict[str, Any](__name__="__main__")
    exec(_CODE, program)
    made, values = [], []
    for number in range(nodes):
        last = number == nodes - 1
        used = {key for node in made for key in node.needs}
        needs = [key for key in range(number) if key not in used] if last else []
        if not last and number >= 4:
            needs = source.sample(range(max(0, number - 10), number), source.choice([1, 1, 2, 2, 3]))
        made.append(Node(number, needs, program["work"](str(folder), number)))
        values.append(number + sum(values[key] for key in needs) % 1_000_003)
    return Graph.of(made, [nodes - 1]), values[-1]


def run_round(launcher: Launcher, seed: int, folder: Path, *, nodes: int = 30, has_faults: bool = True) -> Round:
    """Compute one graph.

    Args:
        launcher: Starts it, on the embedded Lambda.
        seed: Draws the graph and the faults.
        folder: Where each task notes that it was begun; empty.
        nodes: How many there are.
        has_faults: Whether anything goes wrong.
    """
    found = Round()
    graph, expected = graph_of(seed, folder, nodes)
    target = launcher.target()
    assert isinstance(target, LocalTarget)
    faults = Faults(target.server.connection)
    launcher.listeners.append(found.listen)
    try:
        if has_faults:
            faults.add(*rules(seed * 100))
        began = time.perf_counter()
        job = start_walks(launcher, graph, nodes - 1, label="campaign")
        found.is_right = job.result(timeout=240) == expected
        found.seconds = time.perf_counter() - began
    finally:
        faults.clear()
        launcher.listeners.remove(found.listen)
    found.walks = job.invocations
    found.started.update({int(path.name): path.stat().st_size for path in folder.iterdir()})
    return found


def launcher() -> Launcher:
    """Return what starts graphs; a short timeout, since from it follows how soon a death is noticed."""
    options = {"target": "local", "mode": "event", "timeout_s": 15, "memory_mb": 256}
    return Launcher(read_options(options))


def main(rounds: int = 20, seed: int = 1) -> None:
    """Run and print."""
    starts = launcher()
    kept = 0
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found = run_round(starts, seed + number, Path(folder))
        kept += found.is_kept
        twice = sum(count > 1 for count in found.started.values())
        print(
            f"round {number}: {'kept' if found.is_kept else 'BROKEN'}, {found.seconds:.1f} s, {found.walks} walks, "
            f"{found.again} begun again, {twice} tasks begun twice"
        )
    print(f"{kept} of {rounds} rounds kept all promises")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
