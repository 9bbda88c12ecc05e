"""Estimates of a job's cost before it runs. Pure."""

from __future__ import annotations

import math

from lambdamagic.jobs.prices import AS_OF, S3_WRITE_USD, Prices

#: The number of tasks, of 1 s each, that an example cost is shown for.
_EXAMPLE_TASKS = 1000


def cell_estimate(prices: Prices, *, memory_mb: int, timeout_s: int) -> str:
    """Return a line on a cell's cost: per second, and at most.

    Args:
        prices: Of the region.
        memory_mb: The function's memory.
        timeout_s: The function's timeout: the cell is ended then.
    """
    most = _usd(prices.invocation_usd(billed_ms=timeout_s * 1000, memory_mb=memory_mb))
    return f"{_rate(prices, memory_mb)}; at most {most}, if it runs for all of its {timeout_s} s. {_basis()}"


def map_estimate(prices: Prices, *, memory_mb: int, tasks: int | None, billed_s_each: float | None) -> str:
    """Return a line on a map's cost: from earlier measurements if there are any, else for an example.

    Args:
        prices: Of the region.
        memory_mb: The function's memory.
        tasks: How many there are, if that is known.
        billed_s_each: Billed seconds of a task of the same callable in an earlier map of this session.
    """
    line = _rate(prices, memory_mb)
    if billed_s_each is not None and tasks is not None:
        total = tasks * prices.invocation_usd(billed_ms=billed_s_each * 1000, memory_mb=memory_mb)
        line += f"; {tasks:,} tasks up to {_usd(total)}, if each is billed {billed_s_each:.3g} s as in their last map"
    else:
        example = _EXAMPLE_TASKS * prices.invocation_usd(billed_ms=1000, memory_mb=memory_mb)
        line += f"; {_EXAMPLE_TASKS:,} tasks of 1 s each {_usd(example)} (run time unknown)"
    return f"{line}. {_basis()}"


def _rate(prices: Prices, memory_mb: int) -> str:
    second = prices.invocation_usd(billed_ms=1000, memory_mb=memory_mb) - prices.request_usd
    requests = _usd(prices.request_usd * 1_000_000)
    return f"Cost: {_usd(second)} a second of one invocation at {memory_mb:,} MB, {requests} a million requests"


def _basis() -> str:
    writes = _usd(S3_WRITE_USD * 1_000_000)
    return f"List prices of {AS_OF}, without S3 requests ({writes} a million writes) and the free tier."


def _usd(amount: float) -> str:
    """Return dollars with two significant digits."""
    if amount >= 0.1:
        return f"${amount:,.2f}"
    if not amount:
        return "$0"
    decimals = 1 - math.floor(math.log10(amount))
    return f"${amount:.{decimals}f}".rstrip("0")
