"""What a cell shows of futures, results, jobs and settings, on any page's ground."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.appearance import SIGNS, html_line
from lambdamagic.magics.output_bundle import outputs_bundle
from lambdamagic.magics.tables import Table
from lambdamagic.widgets import page as card
from tests.browser.axe import violations
from tests.widgets.jobs import START, after, outcome, over, sent, started

_TABLE = Table("Settings", ("setting", "value~", "from~"), [("memory_mb", "2048", "default")], ["Jobs run on AWS."])
#: The ground and the text of pages that have no variables of JupyterLab's.
_GROUNDS = {"white": ("#ffffff", "#000000"), "GitHub dark": ("#0d1117", "#f0f6fc"), "VS Code": ("#1f1f1f", "#cccccc")}


@pytest.mark.parametrize("ground", _GROUNDS)
def test_axe_finds_nothing(open_page: Callable[..., Any], ground: str) -> None:
    """Each state's line, cards under way and over, what a job in the background printed, and a table."""
    back, text = _GROUNDS[ground]
    begun = (started(), sent("a", 0, 1), outcome(2), outcome(3, "ValueError: E"))
    entries = [{"stream": "stderr", "text": "a warning"}, {"display": {"text/plain": "1"}}]
    printed = outputs_bundle(entries, "ValueError: E", None)
    long = outputs_bundle([{"stream": "stdout", "text": "a line\n" * 500}] * 2, "", "a value " * 500)
    assert printed is not None and long is not None
    shown = [html_line("evaluate", state, "took 3 s") for state in SIGNS]
    shown += [card.render(after(*begun), START + 4), card.render(after(*begun, over("failed")), START + 10)]
    shown += [printed["text/html"], long["text/html"], _TABLE._repr_html_()]
    body = f'<body style="background:{back};color:{text}"><main>{"".join(shown)}</main></body>'
    page = open_page()
    page.set_content(f'<html lang="en"><title>A page</title>{body}</html>')
    assert violations(page, "main") == []
    page.get_by_role("group", name="Result").focus()
    page.keyboard.press("End")
    page.wait_for_function("document.activeElement.scrollTop > 0")
