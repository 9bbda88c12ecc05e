"""What jobs say that they cost, over what the embedded Lambda counts at its end, in each mode."""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks.measure import Comparison, show
from benchmarks.warm import warm_executor
from lambdamagic import events
from lambdamagic.jobs.prices import S3_READ_USD, S3_WRITE_USD, Prices
from lambdamagic.local.testing.faults import Faults

_TASKS = 200
_WORK_S = 0.1
_WRITES = ("PutObject", "ListObjectsV2", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
_READS = ("GetObject", "HeadObject")


def work(number: int, size: int) -> bytes:
    """Take some time, and return something."""
    time.sleep(_WORK_S)
    return bytes([number % 256]) * size


def counted_usd(stats: dict[str, Any]) -> float:
    """Return what an instance's counters come to at list price."""
    prices, s3 = Prices.of("us-east-1"), stats["requests"].get("s3", {})
    return (
        stats["billed_gb_s"] * prices.gb_second_usd
        + stats["billed_invocations"] * prices.request_usd
        + sum(s3.get(name, 0) for name in _WRITES) * S3_WRITE_USD
        + sum(s3.get(name, 0) for name in _READS) * S3_READ_USD
    )


def run(tasks: int, *, mode: str, size: int = 100, inline_limit_bytes: int = 4_000_000) -> tuple[float, float, str]:
    """Run a map, cold starts included, and return dollars reported, dollars counted, and the counters.

    Args:
        tasks: How many.
        mode: How invocations are made.
        size: Of each result, in bytes.
        inline_limit_bytes: A small one makes results go through S3.
    """
    reported = 0.0

    def note(event: events.Event) -> None:
        nonlocal reported
        if isinstance(event, events.Billed):
            reported += event.cost_usd

    # A size that no other run has: its environments start cold.
    options = {"memory_mb": 256, "timeout_s": 60, "inline_limit_bytes": inline_limit_bytes, "mode": mode}
    with warm_executor(max_workers=4, **options) as (executor, target):
        faults = Faults(target.server.connection)
        faults.stats(reset=True)
        executor.add_listener(note)
        list(executor.map(work, range(tasks), [size] * tasks))
        # A loser or a last sign may be under way for a moment.
        stats = faults.stats()
    s3 = stats["requests"].get("s3", {})
    return reported, counted_usd(stats), f"{stats['billed_invocations']} invocations, S3: {s3}"


def main(tasks: int = _TASKS) -> list[Comparison]:
    """Run and print.

    Args:
        tasks: How many, in each mode.
    """
    lines, notes = [], []
    for what, mode, size, limit in (
        ("sync", "sync", 100, 4_000_000),
        ("sync, results through S3", "sync", 100_000, 1_000),
        ("event", "event", 100, 4_000_000),
        ("event, results in parts", "event", 100_000, 1_000),
        ("trigger", "trigger", 100, 4_000_000),
    ):
        reported, counted, note = run(tasks, mode=mode, size=size, inline_limit_bytes=limit)
        lines.append(
            Comparison(
                f"cost reported, {what}", "counted", reported * 1e6, counted * 1e6, reported / counted, None, "µ$"
            )
        )
        notes.append(f"{what}: {note}")
    show(f"Cost of {tasks} tasks of {_WORK_S:g} s, goal 1.00 +- 0.02", lines, notes)
    return lines


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
