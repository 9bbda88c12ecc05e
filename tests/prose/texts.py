"""The prose of the repository: Markdown outside code, comments, docstrings, visible strings, and names of tests."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^\s*(?:```|~~~)\s*(?P<info>\w*)")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)|<[^>\n]*>|https?://\S+")
_FOR_TOOLS = re.compile(r"^# (noqa|type:|pragma)[\w:, \[\]-]*")
_FILLED_IN = re.compile(r"\$\{[^}]*\}")
_SCRIPT = re.compile(
    r"/\*(?P<block>.*?)\*/|//(?P<line>[^\n]*)"
    r"|\"(?P<double>(?:[^\"\\\n]|\\.)*)\"|'(?P<single>(?:[^'\\\n]|\\.)*)'|`(?P<template>(?:[^`\\]|\\.)*)`",
    re.DOTALL,
)


@dataclass(frozen=True)
class Text:
    """A piece of prose and where it starts."""

    line: int
    text: str


def texts_of(path: Path) -> Iterator[Text]:
    """Yield the prose of a file, in its order, without code; nothing for a kind of file that holds none."""
    if path.suffix not in (".md", ".py", ".ts", ".js", ".ipynb", ".yml", ".yaml") and path.name != "Makefile":
        return
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        found = _markdown(source)
    elif path.suffix == ".py":
        found = _python(source, strings=path.parts[0] != "tests")
    elif path.suffix in (".ts", ".js"):
        found = _script(source)
    elif path.suffix == ".ipynb":
        found = _notebook(source)
    else:
        found = (Text(n, line) for n, line in enumerate(source.splitlines(), 1) if "#" in line or "echo" in line)
    for text in found:
        yield Text(text.line, _without_code(text.text))


def _without_code(text: str) -> str:
    # Newlines stay, so that a place in the text is a line of the file.
    return _LINK_TARGET.sub(" ", _CODE.sub(lambda code: "`" + "\n" * code[0].count("\n"), text))


def _markdown(source: str) -> Iterator[Text]:
    # A block of `text` is what a user sees; other blocks are code.
    fence, start, paragraph = "", 1, list[str]()
    for number, line in enumerate([*source.splitlines(), ""], 1):
        marked = _FENCE.match(line)
        if marked:
            fence = "" if fence else marked["info"] or "code"
        if marked or fence not in ("", "text") or not line.strip():
            # The table of the house style itself names what it replaces.
            if paragraph and not paragraph[0].startswith("| Not |"):
                yield Text(start, "\n".join(paragraph))
            paragraph = []
            continue
        if not paragraph:
            start = number
        paragraph.append(line)


def _python(source: str, *, strings: bool) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], _FOR_TOOLS.sub("", token.string))  # the reason behind it is read
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {id(first) for node in nodes if (first := _docstring(node))}
    in_format = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and strings:
            # What is filled in is code: a comma stands for it.
            parts = [str(part.value) if isinstance(part, ast.Constant) else "`" for part in node.values]
            yield Text(node.lineno, "".join(parts))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Text(node.lineno, node.name.removeprefix("test_").replace("_", " "))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            shown = strings and " " in node.value.strip() and id(node) not in in_format
            if shown or id(node) in docstrings:
                yield Text(node.lineno, node.value)


def _docstring(node: ast.AST) -> ast.Constant | None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
        return None
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value
    return None


def _notebook(source: str) -> Iterator[Text]:
    # Markdown, and comments of code; outputs are data.
    lines = source.splitlines()
    for cell in json.loads(source)["cells"]:
        for text in cell["source"]:
            if cell["cell_type"] == "markdown" or "#" in text:
                written = json.dumps(text, ensure_ascii=False)
                place = next((n for n, line in enumerate(lines, 1) if line.strip().rstrip(",") == written), 1)
                yield Text(place, text if cell["cell_type"] == "markdown" else text[text.index("#") :])


def _script(source: str) -> Iterator[Text]:
    for match in _SCRIPT.finditer(source):
        text = next(part for part in match.groups() if part is not None)
        if match.lastgroup in ("block", "line") or " " in text.strip():
            yield Text(source.count("\n", 0, match.start()) + 1, _FILLED_IN.sub("`", text))
