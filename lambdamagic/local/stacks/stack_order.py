"""In which order a template's resources are made: each behind those that it needs. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_SUB = re.compile(r"\$\{([A-Za-z0-9]+)")


def in_order(resources: dict[str, Any]) -> list[str]:
    """Return resources so that each stands behind those that it needs."""
    done: list[str] = []

    def visit(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in done or name in on_the_way:
            return
        needs = resources[name].get("DependsOn", [])
        for other in [*([needs] if isinstance(needs, str) else needs), *sorted(references(resources[name]))]:
            if other in resources and other != name:
                visit(other, (*on_the_way, name))
        done.append(name)

    for name in resources:
        visit(name, ())
    return done


def references(value: Any) -> set[str]:
    """Return the names that Ref, Fn::GetAtt and Fn::Sub name anywhere in a value."""
    if isinstance(value, list):
        return {name for item in value for name in references(item)}
    if not isinstance(value, dict):
        return set()
    found = {name for item in value.values() for name in references(item)}
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    attribute = value.get("Fn::GetAtt")
    if attribute:
        found.add(attribute[0] if isinstance(attribute, list) else str(attribute).partition(".")[0])
    if "Fn::Sub" in value:
        found |= set(_SUB.findall(json.dumps(value["Fn::Sub"])))
    return found
