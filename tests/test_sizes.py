"""What holds a reader's head together: no class with many attributes, no function with many parameters."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lambdamagic

_MOST_ATTRIBUTES, _MOST_PARAMETERS = 15, 8
_FILES = sorted(
    path
    for package in ("magics", "runs", "api")
    for path in (Path(lambdamagic.__file__).parent / package).rglob("*.py")
)


def _attributes(cls: ast.ClassDef) -> set[str]:
    """Return what the class's methods set on `self`, and the fields that its body annotates."""
    nodes = [node for each in cls.body for node in ast.walk(each)]
    found = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    return found | {
        each.target.id for each in cls.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return len([each for each in named if each.arg not in ("self", "cls")]) + sum(
        map(bool, (given.vararg, given.kwarg))
    )


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_classes_and_functions_stay_small(path: Path) -> None:
    """At most 15 attributes a class and 8 parameters a function, where notebooks and programs meet the engine."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            assert len(_attributes(node)) <= _MOST_ATTRIBUTES, f"{node.name}: {sorted(_attributes(node))}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            assert _parameters(node) <= _MOST_PARAMETERS, f"line {node.lineno}"
