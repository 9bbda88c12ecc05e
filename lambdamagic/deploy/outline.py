"""A deployment as rows for display: account, function, packages, idle cost. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from lambdamagic.deploy.model import FunctionSpec, StackSpec

Row = tuple[str, str]

AT_REST = "storage only: packages, logs, and the objects of jobs, for some days"
_WIDTH = 76  # JupyterLab on a small screen


def size_of(function: FunctionSpec) -> str:
    """Return a function's runtime or image, and its size."""
    made_of = f"Python {function.python}" if function.image is None else f"image {function.image}"
    return f"{made_of}, {function.arch}, {function.memory_mb:,} MB, {function.timeout_s} s"


def at_rest(snapshot_usd: float) -> str:
    """Return what costs something when it is idle.

    Args:
        snapshot_usd: What the function's snapshot costs a month; 0 without SnapStart.
    """
    snapshot = f"; SnapStart's snapshot, {snapshot_usd:.2f} USD a month, and each restore from it"
    return AT_REST + (snapshot if snapshot_usd else "")


def outline(
    spec: StackSpec, *, account: str, region: str, packages: str, is_new: bool, snapshot_usd: float = 0.0
) -> list[Row]:
    """Return rows on a deployment's resources; for a new one also its idle cost and the command that deletes it.

    Args:
        spec: What there will be.
        account: The account's number.
        region: The region.
        packages: The function's packages in addition to lambdamagic, in words.
        is_new: Whether there is nothing yet.
        snapshot_usd: What the function's snapshot costs a month; 0 without SnapStart.
    """
    name = spec.function.name
    rows = [("account", f"{account}, {region}"), ("function", f"{name}: {size_of(spec.function)}")]
    if spec.function.image is None:
        rows.append(("packages", packages))
    if not is_new:
        return rows + ([("idle cost", at_rest(snapshot_usd))] if snapshot_usd else [])
    invoker = f", and {spec.invoker_name}, which may invoke {name} and write its log" if spec.has_invoker else ""
    graphs = f", invoke {name} and use lambdamagic/graphs/ of the bucket" if spec.has_graphs else ""
    data = f", use {', '.join(spec.data_buckets)}" if spec.data_buckets else ""
    may = f"may write that log{graphs}{data}" if graphs or data else "may only write that log"
    bucket = "an encrypted bucket" if spec.bucket is None else f"the existing bucket {spec.bucket}"
    return [
        *rows,
        ("with", f"{bucket}, a log group, a role that {may}{invoker}"),
        ("idle cost", at_rest(snapshot_usd)),
        ("to delete", f"lambdamagic destroy {name}"),
    ]


def listed(packages: Sequence[str], *, otherwise: str) -> str:
    """Return packages as one text."""
    return ", ".join(packages) or otherwise


def laid_out(rows: Iterable[Row]) -> str:
    """Return rows as lines that are not too long."""
    return "\n".join(
        textwrap.fill(text, _WIDTH, initial_indent=f"  {name:<10} ", subsequent_indent=13 * " ", break_on_hyphens=False)
        for name, text in rows
    )
