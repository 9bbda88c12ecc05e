"""A page that is reloaded while a job runs shows at the end what it missed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.extension import is_installed
from tests.browser.jupyter import Jupyter, outputs_of
from tests.cells.conftest import Gate

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extension is not built")


def test_a_page_that_is_reloaded_shows_all_that_the_cell_shows_at_its_end(
    jupyterlab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """What Lambda printed and displayed, what follows a job in its cell, value and error; saved before or not."""
    gate = Gate()
    body = f"print('first epoch')\n{gate.code}\ndisplay({{'loss': 0.5}})\nprint('last epoch')\n6 * 7"
    mapped = "xs = %lambda_map --chunksize 1 held range(2)\nprint('got', xs)\nxs[1] / 0"
    held = f"def held(n):\n    if n:\n        {gate.code}\n    return n"
    path = jupyterlab.write("reloaded.ipynb", f"%load_ext lambdamagic\n{held}", f"%%lambda\n{body}", mapped)
    page = open_page(strict=False)
    notebook = jupyterlab.open(page, path.name)
    try:
        notebook.run(0)
        for cell, is_saved in ((1, False), (2, True)):
            notebook.start(cell)
            gate.reached()
            page.locator(".lm-widget:has(.lm-state-running)").wait_for()
            if is_saved:
                notebook.save()
            page.reload()
            notebook.wait_until_known()
            notebook.output(cell).get_by_text("The page was reloaded").wait_for()
            gate.open()
            notebook.wait_until_ready()
            notebook.output(cell).locator(".lmr", has_text="done").wait_for()
            notebook.save()
        keep(page, "reloaded-outputs")
    finally:
        gate.close()
    kinds = [output["output_type"] for output in outputs_of(path, 1)]
    assert kinds == ["display_data", "stream", "display_data", "stream", "execute_result"]
    shown = json.dumps(outputs_of(path, 1))
    assert all(text in shown for text in ("first epoch", "{'loss': 0.5}", "last epoch", '"42"'))
    after = outputs_of(path, 2)
    assert [output["output_type"] for output in after] == ["display_data", "stream", "error"], after
    assert (after[1]["text"], after[2]["ename"]) == (["got [0, 1]\n"], "ZeroDivisionError")


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_page_that_is_reloaded_shows_what_a_background_job_printed(
    jupyterlab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None], is_saved: bool
) -> None:
    """The widget is there again, and at the job's end its result, and below it what it printed and displayed."""
    gate = Gate()
    body = f"print('first epoch')\n{gate.code}\ndisplay({{'loss': 0.5}})\nprint('last epoch')\nloss = 0.5"
    path = jupyterlab.write(f"reloaded-bg-{is_saved}.ipynb", "%load_ext lambdamagic", f"%%lambda --bg\n{body}", "1 + 1")
    page = open_page(strict=False)
    notebook = jupyterlab.open(page, path.name)
    try:
        notebook.run(0)
        notebook.run(1)
        gate.reached()
        page.locator(".lm-widget:has(.lm-state-running)").wait_for()
        if is_saved:
            notebook.save()
        page.reload()
        notebook.wait_until_ready()
        page.locator(".lm-widget:has(.lm-state-running)").wait_for()
        gate.open()
        notebook.output(1).locator(".lmr", has_text="done").wait_for()
        notebook.output(1).get_by_text("last epoch").wait_for()
        keep(page, f"reloaded-background-{is_saved}")
        notebook.save()
    finally:
        gate.close()
    result, below = outputs_of(path, 1)
    assert "done" in json.dumps(result)
    shown = json.dumps(below)
    assert all(text in shown for text in ("first epoch", "{'loss': 0.5}", "last epoch"))
