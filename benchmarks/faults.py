"""2,000 tasks under faults against the same tasks without: every result right, none lost, none told twice."""

from __future__ import annotations

import sys

from benchmarks.campaign import Campaign, run
from benchmarks.measure import Comparison, show
from lambdamagic.api import process

_TASKS = 2_000


def _line(what: str, with_faults: Campaign, without: Campaign) -> Comparison:
    return Comparison(
        what,
        "without faults",
        with_faults.seconds * 1000,
        without.seconds * 1000,
        with_faults.seconds / without.seconds,
        None,
    )


def main(seed: int = 20261121) -> list[Comparison]:
    """Run and print."""
    lines, notes = [], []
    try:
        for what, limit, mode in (
            ("sync", 4_000_000, "sync"),
            ("sync, through S3", 64, "sync"),
            ("event", 4_000_000, "event"),
            ("trigger", 4_000_000, "trigger"),
        ):
            without = run(_TASKS, chunksize=10, seed=None, inline_limit_bytes=limit, mode=mode)
            with_faults = run(_TASKS, chunksize=10, seed=seed, inline_limit_bytes=limit, mode=mode)
            lines.append(_line(f"{_TASKS:,} tasks, {what}", with_faults, without))
            twice = sum(count > 1 for count in with_faults.finished.values())
            notes.append(
                f"{what}: wrong {with_faults.wrong}, lost {_TASKS - len(with_faults.finished)}, told twice {twice}; "
                f"{with_faults.invocations} invocations, {with_faults.throttled} throttled"
            )
            notes += [f"    {count} x {reason}" for reason, count in with_faults.retried.most_common()]
    finally:
        process.close()
    show(f"Fault campaign, seed {seed}", lines, notes)
    return lines


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
