"""Costs outside of jobs: an event that a user sent, a question to a function, a check of doctor."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lambdamagic.jobs.history import History
from lambdamagic.jobs.prices import Prices
from lambdamagic.protocol.report import Report


def note_invocation(label: str, report: Report | None, where: Mapping[str, str], *, region: str, arch: str) -> float:
    """Remember what an invocation cost at list price, and return it; without a report nothing is known to be billed.

    Args:
        label: What it was for.
        report: Lambda's report of it.
        where: As `JobNote.where`.
        region: For its price.
        arch: The function's architecture.
    """
    if report is None:
        return 0.0
    cost_usd = Prices.of(region, arch).invocation_usd(
        billed_ms=report.billed_ms, memory_mb=report.memory_mb, is_restored=report.restore_ms > 0
    )
    History().charge(label, where, cost_usd=cost_usd, at=time.time())
    return cost_usd
