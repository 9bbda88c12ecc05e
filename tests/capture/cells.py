"""Plan a cell and compare every set of the plan exactly."""

from __future__ import annotations

import linecache
import textwrap
from typing import Any

from lambdamagic.capture import CapturePlan, plan_cell

_count = 0


def notebook(source: str = "", **values: Any) -> dict[str, Any]:
    """A namespace as a notebook has it, after a cell with this source."""
    global _count
    _count += 1
    filename = f"<notebook-cell-{_count}>"
    source = textwrap.dedent(source)
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace: dict[str, Any] = {"__name__": "__main__", **values}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    return namespace


def check(
    cell: str,
    *,
    given: str | dict[str, Any] = "",
    captured: str = "",
    bound: str = "",
    deleted: str = "",
    deleted_only: str = "",
    unresolved: dict[str, int] | None = None,
    **options: Any,
) -> CapturePlan:
    """Plan a cell after the given one, and assert what it captures, binds and deletes: exactly that."""
    namespace = given if isinstance(given, dict) else notebook(given)
    plan = plan_cell(textwrap.dedent(cell), namespace, **options)
    assert set(plan.captured) == set(captured.split())
    assert plan.bound == set(bound.split())
    assert plan.deleted == set(deleted.split())
    assert plan.deleted_only == set(deleted_only.split())
    assert plan.unresolved == (unresolved or {})
    assert all(name == taken.name and taken.reason for name, taken in plan.captured.items())
    return plan
