"""The standard library's executors and pools next to ours, on one embedded Lambda; the counts of both at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.api.conftest import (  # noqa: F401  # fixtures are found by their names in this module
    executor,
    lambda_executor,
    lambda_pool,
    make_executor,
    one_process_of_apis,
    pool,
    process_pool,
    processes,
    programs_environment,
)

_counts: Counter[tuple[str, str]] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what passed and failed of theirs and of ours."""
    if "tests/conformance" in report.nodeid and report.when == "call":
        whose = "control" if "[processes" in report.nodeid else "ours"
        _counts[whose, report.outcome] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts next to each other."""
    for whose in ("control", "ours"):
        shown = ", ".join(f"{count} {outcome}" for (who, outcome), count in sorted(_counts.items()) if who == whose)
        if shown:
            terminalreporter.write_line(f"conformance, {whose}: {shown}")
