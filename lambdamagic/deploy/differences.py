"""Differences between two templates, by resource and property. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Json = Mapping[str, Any]
Action = Literal["add", "modify", "remove"]


@dataclass(frozen=True)
class Difference:
    """One property: its path, what it was, what it becomes; "" where there is nothing."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """The change of one resource.

    Attributes:
        action: What.
        resource: Its logical id.
        kind: Its type.
        properties: What differs, for `modify`.
        replaces: Whether it is replaced: `True`, `False`, `Conditional`; "" if unknown.
    """

    action: Action
    resource: str
    kind: str
    properties: tuple[Difference, ...] = ()
    replaces: str = ""

    def with_replacement(self, replaced: Mapping[str, str]) -> Change:
        """Return this change with CloudFormation's statement on replacement."""
        return dataclasses.replace(self, replaces=replaced.get(self.resource, self.replaces))


def differences(old: Json, new: Json, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """Return what changes from one template to another.

    Args:
        old: The template of the stack; empty if there is none.
        new: The template that is wanted.
        before: The stack's parameters.
        after: The parameters that are wanted.
    """
    were, become = old.get("Resources", {}), new.get("Resources", {})
    found = [Change("add", name, become[name]["Type"]) for name in become if name not in were]
    for name in become:
        if name in were:
            old_values = dict(_flat(_filled(were[name], before), ""))
            new_values = dict(_flat(_filled(become[name], after), ""))
            changed = tuple(
                Difference(path.removeprefix("Properties."), old_values.get(path, ""), new_values.get(path, ""))
                for path in sorted({*old_values, *new_values})
                if old_values.get(path) != new_values.get(path)
            )
            if changed:
                found.append(Change("modify", name, become[name]["Type"], changed))
    found += [Change("remove", name, were[name]["Type"]) for name in were if name not in become]
    return found


def _filled(value: Any, parameters: Mapping[str, str]) -> Any:
    """Put the parameters' values in place of references to them."""
    if isinstance(value, Mapping):
        if set(value) == {"Ref"} and value["Ref"] in parameters:
            return parameters[value["Ref"]]
        return {key: _filled(item, parameters) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, parameters) for item in value]
    return value


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, str | int | float | bool) or value is None:
        yield path, str(value)
    else:
        yield path, json.dumps(value, sort_keys=True)
