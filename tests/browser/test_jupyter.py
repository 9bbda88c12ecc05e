"""Jobs in JupyterLab and Notebook, watched as a person watches them, against the embedded Lambda.

PICTURES=folder keeps screenshots there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipykernel
import pytest

from lambdamagic.appearance import html_line
from lambdamagic.magics.output_bundle import outputs_bundle
from lambdamagic.magics.tables import Table
from lambdamagic.widgets import page as card
from tests.browser.axe import violations
from tests.browser.extension import is_installed
from tests.browser.jupyter import Jupyter, outputs_of
from tests.browser.test_result import COLORS
from tests.cells.conftest import Gate
from tests.widgets.jobs import START, after, outcome, sent, started
from tests.widgets.test_result import _job, _rendered

_SETUP = """\
%load_ext lambdamagic
%config LambdaMagics.memory_mb = 512
import random, time

def evaluate(n):
    time.sleep(random.lognormvariate(-2.8, 0.6))
    if n % 50 == 3:
        print("candidate", n)
    if n % 97 == 5:
        raise ValueError("no convergence")
    return n * n

def slow(n):
    time.sleep(60)"""
_MAP = "scores = %lambda_map --on-error return --chunksize 10 --max-concurrency 12 evaluate range(2000)"
_CHECK = "[n for n, score in enumerate(scores) if score != n * n] == [n for n in range(2000) if n % 97 == 5]"
_SLOW = "%lambda_map --chunksize 1 slow range(20)"
_CELL = "%%lambda\nprint('printed there')\n6 * 7"
#: JupyterLab makes a subshell for the comms of widgets; what is said before it is there waits for the cell's end.
_HAS_SUBSHELL = """() => [...window.jupyterapp.shell.currentWidget.sessionContext.session.kernel._comms.values()]
    .filter((comm) => comm.targetName === 'jupyter.widget').every((comm) => comm.subshellId)"""


def _finished(page: Any) -> int:
    return int(page.locator(".lm-bar").get_attribute("aria-valuenow"))


def _shown(jupyterlab: Jupyter, name: str, html: str) -> Path:
    """Write a notebook as another process has saved it: its outputs are not signed here."""
    path = jupyterlab.write(name, "scores = %lambda_map evaluate candidates")
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["outputs"] = [{"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}]
    path.write_text(json.dumps(notebook))
    return path


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_an_untrusted_notebook_shows_its_results(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None], theme: str
) -> None:
    """JupyterLab takes styles and inline SVG out of what it does not trust: pictures and sentences stay."""
    html = _rendered(*_job(300, error=lambda task: f"E{task % 3}" if task % 8 == 7 else ""), traceback="Traceback …")
    path = _shown(jupyterlab, f"shared-{theme[11:].lower()}.ipynb", html)
    page = lab_page(1100, 800)
    notebook = jupyterlab.open(page, path.name)
    notebook.theme(theme)
    assert not page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets[0].model.trusted")
    shown = notebook.output(0)
    shown.locator("img").last.wait_for()
    page.wait_for_function("[...document.querySelectorAll('.jp-RenderedHTML img')].every((one) => one.naturalWidth)")
    assert shown.locator(".jp-RenderedHTML").locator("style, svg").count() == 0
    colors = shown.locator("img").evaluate_all(COLORS)
    assert len(colors) == 3
    assert all(one["green"] > 500 and one["red"] > 50 and one["width"] > 600 for one in colors)
    lines = shown.inner_text().splitlines()
    assert "λ evaluate ! 37 of 300 failed" in lines
    assert not [line for line in lines if line.startswith("0")], "an axis without its picture"
    keep(page, f"shared-{theme[11:].lower()}")
    notebook.theme("JupyterLab Light")


def test_dollar_signs_stay_dollar_signs(jupyterlab: Jupyter, lab_page: Callable[..., Any]) -> None:
    """JupyterLab makes mathematics of what stands between dollar signs, but not in anything that we show."""
    price = "$0.0001 each, $0.10 a thousand"
    begun = after(started(label=price), sent("a", 0, 1), outcome(2), outcome(3, f"ValueError: {price}"))
    printed = outputs_bundle([{"stream": "stdout", "text": price}], price, None)
    assert printed is not None
    shown = [
        f"<p>{price}</p>",
        html_line(price, "done", price),
        card.render(begun, START + 4),
        _rendered(*_job(30, error=lambda task: price), traceback=price),
        Table("Plan", ("name", "why~"), [(price, price)], [price])._repr_html_(),
        printed["text/html"],
    ]
    path = jupyterlab.write("dollars.ipynb", *("1" for _ in shown))
    notebook = json.loads(path.read_text())
    for cell, html in zip(notebook["cells"], shown, strict=True):
        cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}]
    path.write_text(json.dumps(notebook))
    page = lab_page()
    opened = jupyterlab.open(page, path.name)
    opened.output(0).locator("mjx-container").wait_for()
    opened.output(len(shown) - 1).scroll_into_view_if_needed()
    page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
    assert [opened.output(number).locator("mjx-container").count() for number in range(len(shown))] == [
        1,
        0,
        0,
        0,
        0,
        0,
    ]


def test_two_thousand_tasks_are_watched_and_their_result_stays(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The widget counts up live and answers clicks; what takes its place is saved, and is there after a reload."""
    path = jupyterlab.write("map.ipynb", _SETUP, _MAP, _CHECK)
    page = lab_page(1200, 1000)
    notebook = jupyterlab.open(page, path.name)
    notebook.theme("JupyterLab Dark")
    notebook.run(0)
    notebook.start(1)
    widget = page.locator(".lm-widget")
    widget.wait_for()
    page.wait_for_function("document.querySelector('.lm-bar')?.getAttribute('aria-valuenow') > 200")
    first = _finished(page)
    assert 200 < first < 2000
    keep(page, "widget-dark")
    page.wait_for_function("document.querySelector('.lm-widget').lambdamagic._store.seconds[0] > 0")
    page.locator(".lm-grid").click(position={"x": 5, "y": 5})
    detail = page.get_by_role("region", name="Item")
    assert "run time" in detail.text_content()  # what the page knows itself; the kernel is busy with the cell
    keep(page, "widget-task")
    page.get_by_role("tab", name="Timeline").click()
    keep(page, "timeline-dark")
    page.locator(".lmr").wait_for(timeout=150_000)
    assert widget.count() == 0
    keep(page, "result-dark")
    assert violations(page, ".lmr") == []
    notebook.theme("JupyterLab Light")
    keep(page, "result-light")
    notebook.run(2)
    assert "True" in notebook.output(2).text_content()
    notebook.save()
    shown, below = (output["data"] for output in outputs_of(path, 1) if output["output_type"] == "display_data")
    assert not any(below.values()), "the place for what is printed when failures are run again"
    assert sorted(shown) == ["text/html", "text/plain"]
    assert len("".join(shown["text/html"])) <= 100_000
    page.reload()
    notebook.wait_until_ready()
    result = page.locator(".lmr")
    result.wait_for()
    for told in ("2,000/2,000 tasks", "21 ×", "ValueError: no convergence"):
        assert told in result.text_content()


def test_the_stop_button_cancels_and_a_reload_changes_nothing(
    jupyterlab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """A page that is reloaded while a cell waits can stop it; the widget is there again, and then the result."""
    path = jupyterlab.write("stop.ipynb", _SETUP, _SLOW, _CELL)
    page = open_page(strict=False)
    notebook = jupyterlab.open(page, path.name)
    notebook.run(0)
    notebook.start(1)
    page.locator(".lm-widget").wait_for()
    notebook.save()
    page.reload()
    notebook.wait_until_known()
    if is_installed():
        notebook.output(1).get_by_text("λ slow × 20 ▶ running · 0/20 tasks").wait_for()
        keep(page, "reloaded-meanwhile")
    notebook.interrupt()
    notebook.wait_until_ready()
    page.locator(".lmr", has_text="cancelled").wait_for()
    keep(page, "reloaded")
    notebook.save()
    assert "vnd.jupyter.widget-view+json" not in json.dumps(outputs_of(path, 1))
    notebook.run(2)
    shown = notebook.output(2).text_content()
    assert "printed there" in shown and "42" in shown
    notebook.start(1)
    page.locator(".lm-widget:has(.lm-state-running)").wait_for()
    notebook.interrupt()
    page.locator(".lmr", has_text="cancelled").wait_for()
    notebook.output(1).get_by_text("KeyboardInterrupt").first.wait_for()
    keep(page, "cancelled")


def test_a_cell_waits_for_one_in_the_background(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The job is shown live below its own cell, with what it has printed; the reader says what it waits for."""
    gate = Gate()
    cells = (
        "%load_ext lambdamagic",
        f"%%lambda --bg\nmodel = list(range(5))\nprint('fitting')\n{gate.code}\nprint('fitted')\nlen(model)",
        "'not held up'",
        "sum(model)",
    )
    path = jupyterlab.write("background.ipynb", *cells)
    page = lab_page(1000, 700)
    notebook = jupyterlab.open(page, path.name)
    try:
        notebook.run(0)
        notebook.run(1)
        gate.reached()
        page.locator(".lm-widget:has(.lm-state-running)").wait_for()
        notebook.run(2)
        assert "not held up" in notebook.output(2).text_content()
        notebook.start(3)
        notebook.output(3).get_by_text("waiting for model from").wait_for()
        page.locator(".lm-now:visible pre", has_text="fitting").wait_for(timeout=120_000)
        keep(page, "background-waiting")
        gate.open()
        notebook.output(3).get_by_text("10", exact=True).wait_for()
        page.locator(".lmr", has_text="done").wait_for()
        notebook.output(1).get_by_text("fitted").wait_for()
        notebook.output(3).get_by_text("waited").wait_for()
        keep(page, "background-done")
    finally:
        gate.close()
    notebook.wait_until_ready()
    notebook.save()
    own = json.dumps(outputs_of(path, 1))
    assert "fitted" in own and "fitted" not in json.dumps(outputs_of(path, 3))


def test_the_cancel_button_stops_a_job_in_the_background(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The kernel is free, so the button reaches it; a cell that reads the job's name raises."""
    gate = Gate()
    cells = ("%load_ext lambdamagic", f"%%lambda --bg\n{gate.code}\nmodel = 1", "model")
    path = jupyterlab.write("cancelled.ipynb", *cells)
    page = lab_page(1000, 600)
    notebook = jupyterlab.open(page, path.name)
    try:
        notebook.run(0)
        notebook.run(1)
        gate.reached()
        page.locator(".lm-widget:has(.lm-state-running)").get_by_role("button", name="Cancel").click()
        page.locator(".lmr", has_text="cancelled").wait_for()
        notebook.start(2)
        notebook.output(2).get_by_text("was cancelled").first.wait_for()
        keep(page, "background-cancelled")
    finally:
        gate.close()


@pytest.mark.skipif(ipykernel.version_info < (7, 1), reason="this kernel has no subshells: it hears nothing meanwhile")
def test_the_cancel_button_stops_a_cell_that_blocks(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """A kernel with subshells hears the button while the cell waits, and says of a task."""
    path = jupyterlab.write("blocked.ipynb", _SETUP, _SLOW)
    page = lab_page(1000, 900)
    notebook = jupyterlab.open(page, path.name)
    notebook.run(0)
    notebook.start(1)
    widget = page.locator(".lm-widget:has(.lm-state-running)")
    widget.wait_for()
    page.wait_for_function(_HAS_SUBSHELL)
    page.locator(".lm-grid").click(position={"x": 5, "y": 5})
    page.get_by_role("region", name="Item").get_by_text("argument").wait_for()  # the kernel has sent it
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'", timeout=10_000
    )
    widget.get_by_role("button", name="Cancel").click()
    page.locator(".lmr", has_text="cancelled").wait_for()
    notebook.output(1).get_by_text("JobCancelledError").first.wait_for()
    keep(page, "cancelled-by-button")


def test_notebook_7_shows_the_same(
    tmp_path: Path, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The widget and what stays of it are not JupyterLab's alone."""
    server = Jupyter(tmp_path, "notebook")
    try:
        path = server.write("map.ipynb", _SETUP, _MAP, _CELL)
        page = open_page(strict=False)
        notebook = server.open(page, path.name)
        notebook.run(0)
        notebook.start(1)
        page.locator(".lm-widget:has(.lm-state-running)").wait_for()
        page.wait_for_function("document.querySelector('.lm-bar')?.getAttribute('aria-valuenow') > 20")
        keep(page, "notebook-7")
        page.locator(".lmr", has_text="2,000/2,000 tasks").wait_for(timeout=150_000)
        notebook.wait_until_ready()
        notebook.run(2)
        shown = notebook.output(2).text_content()
        assert "printed there" in shown and "42" in shown
    finally:
        server.close()


def test_interact_shows_what_can_be_shown(
    jupyterlab: Jupyter, lab_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The function's first call, the widget as text, and what to do for a slider that moves; no broken widget."""
    body = "from ipywidgets import interact\nprint('before')\n@interact(n=(0, 10))\ndef square(n=3):\n    return n * n"
    path = jupyterlab.write("interact.ipynb", "%load_ext lambdamagic", f"%%lambda\n{body}")
    page = lab_page()
    notebook = jupyterlab.open(page, path.name)
    for cell in (0, 1):
        notebook.run(cell)
    output = notebook.output(1)
    output.get_by_text("make it in a cell without %%lambda").wait_for()
    keep(page, "interact")
    shown = output.text_content()
    assert "before" in shown and "IntSlider(value=3, description='n', max=10)" in shown and "Error" not in shown
