"""Hooks of mkdocs: README.md is the site's first page, and fences keep the info strings that tests/docs reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).parent
_INFO = re.compile(r"^(```)(ipython|python|console|text)\b[^\n]*$", re.MULTILINE)
_OUTSIDE = re.compile(
    r"\[([^\]]+)\]\((?:\.\./)?(?:CONTRIBUTING|CHANGELOG|ARCHITECTURE|LICENSE|notebooks/|lambdamagic/|tests/|benchmarks/)[^)\s]*\)"
)


def on_files(files: Any, config: Any) -> Any:
    """Add README.md as index.md."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    text = text.replace("](docs/", "](").replace('"docs/images', '"images')
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name the language of each fence only, and make links to files outside docs/ plain text."""
    markdown = _INFO.sub(lambda info: info[1] + ("python" if info[2] == "ipython" else info[2]), markdown)
    return _OUTSIDE.sub(r"\1", markdown)
