"""What axe-core finds in a page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
#: Rules for whole pages, which a part of one does not have to keep.
_NOT_OF_A_PART = {"page-has-heading-one", "region", "landmark-one-main", "heading-order"}


def violations(page: Any, context: str) -> list[str]:
    """Return a line for each violation below the element that a selector names."""
    found = Axe().run(page, context=context, options=_RULES).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} — {node.get('failureSummary', '')[:300]}"
        for violation in found
        if violation["id"] not in _NOT_OF_A_PART
        for node in violation["nodes"]
    ]
