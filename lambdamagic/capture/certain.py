"""Names that a cell evaluates on every path, so that an undefined one is reported before anything is sent."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator


def surely_evaluated(tree: ast.Module) -> dict[str, int]:
    """Return the names which the cell surely evaluates at its top level, with the line of the first time.

    What is in nested functions, branches, loops, try and with is left out: whether it runs, or whether its
    NameError is caught, is not known.
    """
    names: dict[str, int] = {}
    for statement in tree.body:
        own = {each.name for each in getattr(statement, "type_params", ())}  # `class Box[T](Base[T])`
        for expression in _expressions(statement):
            for name in _names(expression):
                if name.id not in own:
                    names.setdefault(name.id, name.lineno)
        if isinstance(statement, ast.Raise):
            break
    return names


def _expressions(node: ast.stmt) -> Iterable[ast.expr | None]:
    match node:
        case ast.Expr():
            return [node.value]
        case ast.Assign() | ast.Delete():
            return [getattr(node, "value", None), *node.targets]
        case ast.AnnAssign() | ast.AugAssign():
            return [node.value, node.target]
        case ast.If() | ast.While() | ast.Assert():
            return [node.test]
        case ast.For() | ast.AsyncFor():
            return [node.iter]
        case ast.With() | ast.AsyncWith():
            return [node.items[0].context_expr]
        case ast.Match():
            return [node.subject]
        case ast.Raise():
            return [node.exc]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
    return []


def _names(node: ast.AST | None) -> Iterator[ast.Name]:
    """The names within an expression which are evaluated whenever it is."""
    match node:
        case None | ast.Name(ctx=ast.Store()):
            return
        case ast.Name():
            yield node
        case ast.Lambda():
            for default in (*node.args.defaults, *node.args.kw_defaults):
                yield from _names(default)
        case ast.BoolOp():
            yield from _names(node.values[0])
        case ast.IfExp():
            yield from _names(node.test)
        case ast.Compare():
            yield from _names(node.left)
            yield from _names(node.comparators[0])
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _names(node.generators[0].iter)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _names(child)
