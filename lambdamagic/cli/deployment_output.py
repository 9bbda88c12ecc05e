"""Print plans and CloudFormation's events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambdamagic.cli.output import Output
from lambdamagic.deploy.differences import Change
from lambdamagic.deploy.stack import StackEvent

_SIGNS = {"add": ("+", "green"), "modify": ("~", "yellow"), "remove": ("-", "red")}
_MOST_PROPERTIES = 8
_LONGEST = 60


def show_changes(out: Output, changes: Sequence[Change]) -> None:
    """Print what would change."""
    import click

    for change in changes:
        sign, color = _SIGNS[change.action]
        replaced = {"True": "  (replaced)", "Conditional": "  (may be replaced)"}.get(change.replaces, "")
        out.text(click.style(f"  {sign} {change.resource:<18} {change.kind}{replaced}", fg=color))
        for each in change.properties[:_MOST_PROPERTIES]:
            out.text(f"      {each.path}: {_short(each.before)} -> {_short(each.after)}")
        if len(change.properties) > _MOST_PROPERTIES:
            out.text(f"      and {len(change.properties) - _MOST_PROPERTIES} more")


def _short(value: str) -> str:
    if not value:
        return "(none)"
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def changes_document(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes for `--json`."""
    return [
        {
            "action": change.action,
            "resource": change.resource,
            "type": change.kind,
            "replaces": change.replaces or None,
            "properties": [
                {"path": each.path, "before": each.before, "after": each.after} for each in change.properties
            ],
        }
        for change in changes
    ]


class EventLines:
    """Prints a line for each resource that CloudFormation has finished.

    Args:
        out: Where to.
    """

    def __init__(self, out: Output) -> None:
        self._out = out

    def __call__(self, event: StackEvent) -> None:
        """Print an event; what only begins is left out."""
        import click

        if not event.done:
            return
        if event.done == "failed":
            line = click.style(f"  ✗ {event.resource:<18} {event.reason}", fg="red")
        else:
            line = f"  {click.style('✓', fg='green')} {event.resource:<18} {event.done}"
        self._out.note(line)
