"""Writing HCL, Terraform's language: as much of it as a generated file needs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Expression(str):
    """HCL that is written verbatim, such as `aws_iam_role.function.arn`."""

    __slots__ = ()


class Block(dict[str, Any]):
    """The content of a nested block, which is written without an equals sign."""


def write(kind: str, *labels: str, body: Mapping[str, Any]) -> str:
    """Return a block of the top level."""
    head = " ".join([kind, *(json.dumps(label) for label in labels)])
    return "\n".join([f"{head} {{", *_body(body, 1), "}"]) + "\n"


def _body(values: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in values.items():
        for each in value if isinstance(value, list) and value and isinstance(value[0], Block) else [value]:
            if isinstance(each, Block):
                yield f"{indent}{key} {{"
                yield from _body(each, depth + 1)
                yield f"{indent}}}"
            else:
                yield f"{indent}{key} = {_value(each, depth)}"


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    indent = "  " * (depth + 1)
    if isinstance(value, list):
        if not value:
            return "[]"
        return "[" + ", ".join(_value(item, depth) for item in value) + "]"
    lines = [f"{indent}{_key(key)} = {_value(item, depth + 1)}" for key, item in value.items()]
    return "\n".join(["{", *lines, "  " * depth + "}"])


def _key(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)
