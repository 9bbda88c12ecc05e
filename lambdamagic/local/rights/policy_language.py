"""IAM's policy language: whether a set of policies allows an action on a resource. Pure: documents in, a decision out.

moto's own `IAMPolicy` knows no condition but StringEquals, reads a condition that is not met as a denial, and takes a
resource's dots and question marks for a regular expression's. What is here follows "IAM JSON policy elements" and
"Policy evaluation logic" of the IAM User Guide, for policies of identities. A condition operator that is not known is
not met, so that nothing is allowed by mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

Json = dict[str, Any]
Context = Mapping[str, str]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


class Decision(Enum):
    """What a set of policies says."""

    ALLOWED = "allowed"
    DENIED = "explicitly denied"
    SILENT = "not allowed by any policy"


def decide(documents: Iterable[str], action: str, resource: str, context: Context) -> Decision:
    """Return what policies say about one action on one resource.

    Args:
        documents: The policies, as JSON.
        action: Such as `s3:PutObject`.
        resource: The ARN, or `*` where the action knows no resources.
        context: Condition keys, in any case, and their values.

    Raises:
        ValueError: A document is not JSON.
    """
    known = {key.lower(): value for key, value in context.items()}
    is_allowed = False
    for document in documents:
        for statement in _statements(document):
            if _applies(statement, action, resource, known):
                if statement.get("Effect") == "Deny":
                    return Decision.DENIED  # whatever any other statement says
                is_allowed = True
    return Decision.ALLOWED if is_allowed else Decision.SILENT


@lru_cache(maxsize=128)
def _statements(document: str) -> tuple[Json, ...]:
    found = json.loads(document).get("Statement", [])
    return tuple(found) if isinstance(found, list) else (found,)


def _applies(statement: Json, action: str, resource: str, context: Context) -> bool:
    # Actions are compared without regard to case ("IAM JSON policy elements: Action"), resources with.
    if "NotAction" in statement:
        if any(_is_like(action.lower(), each.lower()) for each in _listed(statement["NotAction"])):
            return False
    elif not any(_is_like(action.lower(), each.lower()) for each in _listed(statement.get("Action"))):
        return False
    if "NotResource" in statement:
        if any(_is_like(resource, each, context) for each in _listed(statement["NotResource"])):
            return False
    elif not any(_is_like(resource, each, context) for each in _listed(statement.get("Resource"))):
        return False
    return all(
        _is_met(operator, key, _listed(wanted), context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _is_met(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    value = context.get(key.lower())
    _, _, own = operator.rpartition(":")  # ForAnyValue and ForAllValues: each key here has one value
    if own == "Null":
        return (value is None) == (wanted == ["true"])
    is_negated = "Not" in own
    if value is None:
        return is_negated or own.endswith("IfExists") or operator.startswith("ForAllValues:")
    matches = _MATCHES.get(own.removesuffix("IfExists").replace("Not", ""))
    if matches is None:
        return False
    return any(matches(value, each, context) for each in wanted) != is_negated


def _equals(value: str, wanted: str, context: Context) -> bool:
    return value == "".join(character for _, character in _pieces(wanted, context))


def _equals_in_any_case(value: str, wanted: str, context: Context) -> bool:
    return _equals(value.lower(), wanted.lower(), context)


def _is_like(value: str, pattern: str, context: Context | None = None) -> bool:
    expression = "".join(
        {"*": ".*", "?": "."}.get(character, re.escape(character)) if is_own else re.escape(character)
        for is_own, character in _pieces(pattern, context or {})
    )
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _pieces(pattern: str, context: Context) -> Iterator[tuple[bool, str]]:
    """Yield a pattern's characters, each with whether it is its own and none that came from a variable."""
    end = 0
    for found in _VARIABLE.finditer(pattern):
        yield from ((True, character) for character in pattern[end : found.start()])
        name, _, default = (part.strip() for part in found[1].partition(","))
        value = _LITERALS.get(name) or context.get(name.lower()) or default.strip("'")
        # A variable without a value matches nothing, and so does the sign that stands for it here.
        yield from ((False, character) for character in value or "\0")
        end = found.end()
    yield from ((True, character) for character in pattern[end:])


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [_text(each) for each in value] if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_MATCHES: dict[str, Callable[[str, str, Context], bool]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": _is_like,
    "ArnEquals": _is_like,  # both operators behave alike ("Amazon Resource Name (ARN) condition operators")
    "ArnLike": _is_like,
    "Bool": _equals_in_any_case,
    "NumericEquals": lambda value, wanted, _: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted, _: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted, _: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted, _: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted, _: float(value) >= float(wanted),
}
