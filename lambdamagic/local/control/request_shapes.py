"""What Lambda's own API model says of requests to its control plane: types, lengths, patterns, ranges and choices.

AWS checks each request against that model before it looks at what is asked, and so refuses what moto would store. The
model is botocore's; the words are those of AWS's two refusals, of what cannot be read and of what breaks a constraint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from lambdamagic.limits import AWS_LAMBDA, Limit
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest
from lambdamagic.protocol.reading import digits

#: The model's own ranges are those of AWS's newest features; an account has these.
_LIMITS: dict[str, Limit] = {
    "MemorySize": AWS_LAMBDA.memory_mb,
    "Timeout": AWS_LAMBDA.timeout_s,
    "EphemeralStorageSize": AWS_LAMBDA.ephemeral_mb,
}
_TYPES: dict[str, tuple[type, str]] = {
    "string": (str, "a String"),
    "blob": (str, "a Blob"),
    "integer": (int, "an Integer"),
    "long": (int, "a Long"),
    "double": (float, "a Double"),
    "boolean": (bool, "a Boolean"),
    "structure": (dict, "a structure"),
    "map": (dict, "a map"),
    "list": (list, "a list"),
}
_TOKENS = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE"}


def check(request: HttpRequest, body: Any) -> str | None:
    """Compare a request with the model, and return the name of its operation; None if the model has none such.

    Args:
        request: The request.
        body: What its body holds, parsed.

    Raises:
        AwsError: It does not fit.
    """
    shapes, operations = _model()
    for name, method, target, shape in operations:
        match = target.fullmatch(request.path.rstrip("/")) if method == request.method else None
        if match is not None:
            broken = list(_broken(shapes, shape, _values(shapes, shape, request, match, body)))
            if broken:
                count = f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected"
                raise AwsError(400, "ValidationException", f"{count}: {'; '.join(broken)}")
            return name
    return None


def choices(name: str) -> list[str]:
    """Return the values that a shape of the model may have."""
    found: list[str] = _model()[0][name]["enum"]
    return found


@cache
def _model() -> tuple[dict[str, Any], list[tuple[str, str, re.Pattern[str], str]]]:
    from botocore.loaders import Loader

    model = Loader().load_service_model("lambda", "service-2")
    operations = []
    for name, operation in model["operations"].items():
        target = operation["http"]["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{(\w+)\\?\+?\\\}", r"(?P<\1>[^/]+)", re.escape(target))
        shape = operation.get("input", {}).get("shape")
        if shape is not None and name != "Invoke":  # checked where it is answered, which must be quick
            operations.append((name, operation["http"]["method"], re.compile(pattern), shape))
    for shape in model["shapes"].values():
        shape.pop("documentation", None)
    return model["shapes"], operations


def _values(shapes: dict[str, Any], shape: str, request: HttpRequest, match: re.Match[str], body: Any) -> Any:
    """Return the members of a request: of its path, its query and its body."""
    if not isinstance(body, dict):
        raise _unreadable(body, "structure")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    values = dict(body)
    for name, member in shapes[shape]["members"].items():
        place, wire_name = member.get("location"), member.get("locationName", name)
        if place == "uri":
            text = unquote(match[wire_name])
            is_number = shapes[member["shape"]]["type"] in ("integer", "long") and digits(text) is not None
            values[name] = int(text) if is_number else text
        elif place == "querystring" and shapes[member["shape"]]["type"] == "string" and wire_name in query:
            values[name] = query[wire_name]
        elif place is not None:
            values.pop(name, None)
    return values


def _broken(shapes: dict[str, Any], shape: str, values: dict[str, Any], within: str = "") -> Iterator[str]:
    """Yield in AWS's words which constraints a structure's members break."""
    for name in shapes[shape].get("required", ()):
        if values.get(name) is None and "location" not in shapes[shape]["members"][name]:
            place = within + name[0].lower() + name[1:]
            yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
    for name, member in shapes[shape]["members"].items():
        if (value := values.get(name)) is not None:
            yield from _of_value(shapes, member["shape"], value, within + name[0].lower() + name[1:])


def _of_value(shapes: dict[str, Any], name: str, value: Any, place: str) -> Iterator[str]:
    shape = shapes[name]
    kind = shape["type"]
    if not _is_of(kind, value):
        raise _unreadable(value, kind)
    for constraint in _constraints(shapes, name, value):
        shown = "Value" if shape.get("sensitive") else f"Value '{value}'"
        yield f"{shown} at '{place}' failed to satisfy constraint: {constraint}"
    if kind == "structure":
        yield from _broken(shapes, name, value, f"{place}.")
    elif kind == "list":
        for number, each in enumerate(value, 1):
            if shapes[shape["member"]["shape"]]["type"] == "structure":
                yield from _of_value(shapes, shape["member"]["shape"], each, f"{place}.{number}.member")


def _is_of(kind: str, value: Any) -> bool:
    wanted = _TYPES[kind][0] if kind in _TYPES else object
    if wanted in (int, float):  # a whole number is a double too
        return isinstance(value, int if wanted is int else int | float) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _constraints(shapes: dict[str, Any], name: str, value: Any) -> Iterator[str]:
    """Yield what of a value alone is broken; of a list's or a map's members together, as AWS does."""
    shape = shapes[name]
    kind = shape["type"]
    limit = _LIMITS.get(name)
    least = shape.get("min") if limit is None else limit.least
    most = shape.get("max") if limit is None else limit.most
    if kind in ("string", "list", "integer", "long", "double"):
        size, what = (len(value), "length") if kind in ("string", "list") else (value, "value")
        if size != size:  # NaN, which Python reads from JSON
            raise _unreadable("NaN", kind)
        if most is not None and size > most:
            yield f"Member must have {what} less than or equal to {most}"
        if least is not None and size < least:
            yield f"Member must have {what} greater than or equal to {least}"
    if kind == "string":
        pattern, values = shape.get("pattern"), shape.get("enum")
        if pattern is not None and not _fits(pattern, value):
            yield f"Member must satisfy regular expression pattern: {pattern}"
        if values is not None and value not in values and name != "Runtime":  # which AWS refuses in other words
            yield f"Member must satisfy enum value set: [{', '.join(values)}]"
    elif kind == "list":
        yield from _of_members(shapes, shape["member"]["shape"], value, "Member must satisfy constraint")
    elif kind == "map":
        yield from _of_members(shapes, shape["key"]["shape"], value, "Map keys must satisfy constraint")
        yield from _of_members(shapes, shape["value"]["shape"], value.values(), "Map value must satisfy constraint")


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # Java's own, such as classes of Unicode; moto looks at tags itself


def _of_members(shapes: dict[str, Any], name: str, values: Any, begin: str) -> Iterator[str]:
    found: list[str] = []
    for value in values:
        if shapes[name]["type"] in ("structure", "map", "list"):
            continue
        if value is None:
            found.append("Member must not be null")
        elif not _is_of(shapes[name]["type"], value):
            raise _unreadable(value, shapes[name]["type"])
        else:
            found += _constraints(shapes, name, value)
    if found:
        yield f"{begin}: [{', '.join(dict.fromkeys(found))}]"


def _unreadable(value: Any, kind: str) -> AwsError:
    """Return AWS's refusal of a value of another type than the model has there."""
    if isinstance(value, dict):
        text = "Start of structure or map found where not expected."
    elif isinstance(value, list):
        text = "Start of list found where not expected."
    elif kind in ("structure", "map", "list"):
        text = "Unexpected field type"
    else:
        token = ("TRUE_VALUE" if value else "FALSE_VALUE") if isinstance(value, bool) else _TOKENS[type(value)]
        text = f"{token} can not be converted to {_TYPES[kind][1]}"
    return AwsError(400, "SerializationException", text)
