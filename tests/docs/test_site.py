"""The documentation site (`make docs`) has every page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parents[2]


def _pages(entries: list[Any]) -> list[str]:
    found = []
    for entry in entries:
        for target in entry.values():
            found += _pages(target) if isinstance(target, list) else [target]
    return found


def test_each_page_is_in_the_navigation_once() -> None:
    """The front page is README.md; every file of docs/ has one place."""
    navigation = yaml.safe_load((_ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(_pages(navigation)) == sorted(["index.md", *(page.name for page in (_ROOT / "docs").glob("*.md"))])
