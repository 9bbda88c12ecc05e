"""Parse the arguments of `%lambda_map` and `%%lambda_map`: a callable and items, or a loop."""

from __future__ import annotations

import ast

from IPython.core.error import UsageError


def split_call(text: str, *, fetches: bool = False) -> tuple[str, str]:
    """Split `fn items` into its two expressions.

    Args:
        text: What follows the options.
        fetches: Whether `--fetch` is among them, which takes the word behind it.

    Raises:
        UsageError: There are no two expressions.
    """
    splits = [(text[:n].strip(), text[n:].strip()) for n, character in enumerate(text) if character.isspace()]
    found = [(fn, items) for fn, items in splits if _is_expression(fn) and _is_expression(items)]
    # `f [1] + [2]` and `lambda x: x + k [1]` can be split in two places: a sign hardly begins the items, and a
    # lambda reaches as far as it can.
    found = [split for split in found if split[1][0] not in "+-~"] or found
    if found:
        return found[-1] if text.lstrip().startswith("lambda") else found[0]
    hint = "; --fetch needs a path here, and `--fetch .` fetches all files" if fetches else ""
    raise UsageError(
        f"%lambda_map takes a callable and the items, as in `%lambda_map evaluate candidates`; got {text!r}{hint}"
    )


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return bool(text)


def split_name(text: str) -> tuple[str, str]:
    """Split `results = x in xs` into the name, empty without one, and the loop."""
    name, sign, loop = text.partition("=")
    return (name.strip(), loop) if sign and name.strip().isidentifier() and loop[:1] != "=" else ("", text)


def split_loop(text: str) -> tuple[str, str, tuple[str, ...]]:
    """Split `x in xs` into the target, the items' expression and the names that the target binds.

    Raises:
        UsageError: It is no such text.
    """
    loop: ast.stmt | None
    try:
        loop = ast.parse(f"for {text.strip().removesuffix(':')}: pass").body[0]
    except SyntaxError:
        loop = None
    if not isinstance(loop, ast.For):
        raise UsageError(f"%%lambda_map takes a loop, as in `%%lambda_map x in xs`; got {text!r}")
    names = tuple(node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name))
    return ast.unparse(loop.target), ast.unparse(loop.iter), names
