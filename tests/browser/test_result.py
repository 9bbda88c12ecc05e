"""What stays in the notebook, as a page of its own: on a light and a dark system, and in a themed page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.axe import violations
from tests.widgets.test_result import _job, _rendered


@pytest.mark.parametrize("theme", ["system light", "system dark", "jupyter light", "jupyter dark"])
def test_axe_finds_nothing(open_page: Callable[..., Any], theme: str) -> None:
    """Contrast and structure hold wherever it is read; a page that says what theme it has is believed."""
    where, lightness = theme.split()
    page = open_page(color_scheme=lightness if where == "system" else {"light": "dark", "dark": "light"}[lightness])
    html = _rendered(*_job(300, error=lambda task: f"E{task % 3}" if task % 40 == 7 else ""), traceback="Traceback …")
    body = f' data-jp-theme-light="{str(lightness == "light").lower()}"' if where == "jupyter" else ""
    page.set_content(f'<html lang="en"><title>A result</title><body{body}><main id="all">{html}</main></body></html>')
    assert violations(page, "#all") == []
    ground = page.evaluate("getComputedStyle(document.querySelector('.lmr')).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 29, 32)"}[lightness]
