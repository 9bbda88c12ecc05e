"""The prose linter finds the words of the house style where a person reads, and not in code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prose.check import findings


def _found(folder: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(folder)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return [finding.split(" -> ")[0] for finding in findings(path)]


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.md", "One.\n\nIt is\nmended here.\n", ["a.md:4: mended"]),
        ("a.md", "`mend`, [x](mend.md)\n\n```python\nmend = 1  # mend\n```\n", []),
        ("a.md", "```text\nto mend\n```\n\n```\nmend\n```\nmend\n", ["a.md:2: mend", "a.md:8: mend"]),
        ("a.py", '"""It mends."""\n', ["a.py:1: mends"]),
        ("a.py", "x = 1  # mend\n", ["a.py:1: mend"]),
        ("a.py", "x = 1  # noqa: E501  # to mend\n", ["a.py:1: mend"]),
        ("a.py", 'mend = {"mend": 1}\n', []),
        ("a.py", 'print(f"{mend} of its own")\n', ["a.py:1: of its own"]),
        ("tests/a.py", '"""Mended."""\nmatch = "to mend it"\n', ["tests/a.py:1: Mended"]),
        ("tests/a.py", "def test_it_mends():\n    pass\n", ["tests/a.py:1: mends"]),
        ("a.yml", "# to mend\nmend: 1\n", ["a.yml:1: mend"]),
        (
            "a.ipynb",
            '{"cells": [\n{"cell_type": "markdown", "source": [\n"To mend\\n",\n"it"\n]},\n'
            '{"cell_type": "code", "outputs": ["mend"], "source": [\n"mend = 1  # told"\n]}\n]}\n',
            ["a.ipynb:3: mend", "a.ipynb:7: told"],
        ),
        ("a.ts", "const mend = 'mend it'; // told\n", ["a.ts:1: mend", "a.ts:1: told"]),
        ("Makefile", "mend:\n\techo mend it\n", ["Makefile:2: mend"]),
        (
            "lambdamagic/a.py",
            'E("x", hint="run it")\nE("x", hint="Run it.")\nE("x", hint="Run it" if a else f"{b} c")\n',
            [
                "lambdamagic/a.py:1: the hint begins in lower case: 'run it'",
                "lambdamagic/a.py:2: the hint ends with a period: 'Run it.'",
            ],
        ),
    ],
)
def test_words_are_found_where_a_person_reads(
    name: str, source: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word is found in prose, docstrings, comments and strings, with its line; code is left alone."""
    assert _found(tmp_path, name, source, monkeypatch) == expected
