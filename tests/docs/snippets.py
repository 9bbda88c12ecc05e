"""The fenced blocks of a page, and what their info strings ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)\s*$", re.DOTALL | re.MULTILINE)
_INFO = re.compile(r"(?P<language>[\w-]*)(?:\s+(?P<kind>no-test|raises):\s*(?P<rest>.+))?\s*")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: The page's path below the repository's root.
        line: The line of the fence.
        language: The first word of the info string.
        text: What stands between the fences.
        no_test: Why it is not run; empty when it is.
        raises: The exception that it must raise; empty for none.
    """

    page: str
    line: int
    language: str
    text: str
    no_test: str = ""
    raises: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Return a page's blocks.

    Raises:
        ValueError: An info string is unknown.
    """
    page = str(path.relative_to(ROOT))
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        info = _INFO.fullmatch(match["info"].strip())
        if info is None:
            raise ValueError(f"{page}:{line}: unknown info string {match['info']!r}")
        reason = {info["kind"]: info["rest"]} if info["kind"] else {}
        found.append(
            Block(
                page,
                line,
                info["language"],
                match["text"],
                no_test=reason.get("no-test", ""),
                raises=reason.get("raises", ""),
            )
        )
    return found


def all_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for path in PAGES for block in blocks_of(path)]
