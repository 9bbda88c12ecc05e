"""Tasks under faults, and without: every result is right, none is lost, none runs twice but where the docs say so."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import expiring
from benchmarks.campaign import Campaign, run
from benchmarks.measure import Comparison, show

_TASKS = 600  # in each mode, with and without faults: some 7 minutes, most of them waits for lost answers
_CHUNKSIZE = 5
_REST_S = 6.0  # in a freeze of 5 s connections die


def _line(what: str, with_faults: Campaign, without: Campaign) -> Comparison:
    return Comparison(
        what,
        "without faults",
        with_faults.seconds * 1000,
        without.seconds * 1000,
        with_faults.seconds / without.seconds,
        None,
    )


def _counts(tasks: int, found: Campaign) -> str:
    lost, reported = tasks - len(found.finished), found.finished.values()
    return (
        f"wrong {found.wrong}, lost {lost}, reported twice {sum(each > 1 for each in reported)}; "
        f"ran twice {len(found.twice)}, undocumented {len(found.undocumented)}; "
        f"{found.invocations} invocations, {found.throttled} throttled"
    )


def _run(tasks: int, *, seed: int | None, limit: int, mode: str) -> Campaign:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return run(
            tasks,
            place,
            chunksize=_CHUNKSIZE,
            seed=seed,
            inline_limit_bytes=limit,
            mode=mode,
            has_holes=True,
            rest_s=_REST_S,
        )


def main(seed: int = 20261121, tasks: int = _TASKS) -> list[Comparison]:
    """Run and print.

    Args:
        seed: Draws the faults.
        tasks: How many, in each mode.
    """
    os.environ["EMBEDDED_LAMBDA_STRICT"] = "1"  # environments are frozen between invocations
    lines, notes = [], []
    for what, limit, mode in (
        ("sync", 4_000_000, "sync"),
        ("sync, through S3", 64, "sync"),
        ("event", 4_000_000, "event"),
        ("trigger", 4_000_000, "trigger"),
    ):
        without = _run(tasks, seed=None, limit=limit, mode=mode)
        with_faults = _run(tasks, seed=seed, limit=limit, mode=mode)
        lines.append(_line(f"{tasks:,} tasks, {what}", with_faults, without))
        notes.append(f"{what}: {_counts(tasks, with_faults)}")
        notes += [f"    {count} x {reason}" for reason, count in with_faults.retried.most_common()]
    for mode in ("sync", "event", "trigger"):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "ran"
            place.mkdir()
            expired = expiring.run(tasks, place, chunksize=_CHUNKSIZE, mode=mode)
            notes.append(f"{mode}, the session ends in the middle: {_counts(tasks, expired)}")
    show(f"Fault campaign, seed {seed}", lines, notes)
    return lines


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
