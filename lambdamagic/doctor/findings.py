"""Findings of checks as data, for a terminal, a notebook or a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "warning", "failed", "skipped"]

SIGNS: Mapping[State, str] = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result.

    Attributes:
        check: What was looked at.
        state: `failed` keeps jobs from running; a `warning` may, or costs time; `skipped` says why in `text`.
        text: What was found. Never a secret.
        fix: What to do, as one imperative sentence; empty if there is nothing to do.
        facts: The same for programs.
    """

    check: str
    state: State
    text: str
    fix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "check": self.check,
            "state": self.state,
            "text": self.text,
            "fix": self.fix or None,
            "facts": dict(self.facts),
        }


def summary(findings: list[Finding]) -> str:
    """Return one line over all."""
    count = {state: sum(1 for each in findings if each.state == state) for state in SIGNS}
    if count["failed"]:
        return f"{count['failed']} of {len(findings)} checks failed; fix the first one first, it often causes the next"
    if count["warning"]:
        return f"jobs can run; {count['warning']} {'warning' if count['warning'] == 1 else 'warnings'}"
    return "all checks passed"
