"""The words of the house style, looked for in one file; and the shape of errors."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.prose.texts import texts_of

# Bytes and text that the rules do not apply to: data, and the list itself.
_EXEMPT = ("tests/data/", "tests/fixtures/", "tests/prose/", "labextension/node_modules/")
_WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text())["word"]
_EACH = "|".join(f"(?P<w{n}>(?:{word['find']})\\b)" for n, word in enumerate(_WORDS))
_ANY = re.compile(rf"\b(?=\w)(?:{_EACH})", re.IGNORECASE)


def findings(path: Path) -> Iterator[str]:
    """Yield what the house style replaces in a file, as `file:line: word -> better`."""
    if path.as_posix().startswith(_EXEMPT):
        return
    for text in texts_of(path):
        for match in _ANY.finditer(text.text):
            line = text.line + text.text.count("\n", 0, match.start())
            use = _WORDS[int((match.lastgroup or "w0")[1:])]["use"]
            yield f"{path}:{line}: {' '.join(match[0].split())} -> {use}"
    if path.suffix == ".py" and path.parts[0] == "lambdamagic":
        yield from _hints(path)


def _hints(path: Path) -> Iterator[str]:
    # An error's hint is a sentence: it begins with a capital letter or with code, and has no period at its end.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.keyword) or node.arg != "hint":
            continue
        for text in _literals(node.value):
            if text[:1].islower() and not text.startswith(("chmod ", "pip ", "lambdamagic ")):
                yield f"{path}:{node.value.lineno}: the hint begins in lower case: {text[:40]!r}"
            if text.endswith("."):
                yield f"{path}:{node.value.lineno}: the hint ends with a period: {text[-40:]!r}"


def _literals(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.IfExp):
        yield from _literals(value.body)
        yield from _literals(value.orelse)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "`" for part in value.values)
