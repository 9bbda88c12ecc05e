"""The JupyterLab extension as a person uses it: panel, cell button, badges, status bar, on the embedded Lambda.

PICTURES=folder keeps screenshots there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.axe import violations
from tests.browser.extension import is_installed
from tests.browser.jupyter import Jupyter, NotebookPage
from tests.browser.panel_scripts import BADGES_APART, HIDE, LINE_IS, RECORD, TO_FRONT

_SETUP = """\
%load_ext lambdamagic
%config LambdaMagics.memory_mb = 512
import time

def evaluate(n):
    time.sleep(0.05)
    if n % 80 == 0:
        print("candidate", n)
    return n * n

def slow(n):
    time.sleep(60)"""
_MAP = "scores = %lambda_map --chunksize 5 --max-concurrency 4 evaluate range(200)"
_CELL = "%%lambda\nbest = max(scores)\nprint('best:', best)\nbest"
_FAILS = "%%lambda\nscores[10_000]"
_DIES = "import os\nos._exit(1)"
_SLOW = "%lambda_map --chunksize 1 slow range(8)"


@pytest.fixture(scope="module", autouse=True)
def extension() -> None:
    """The extension as it was built last."""
    if not is_installed():
        message = "the extension is not built: `make lab` builds it"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A JupyterLab server."""
    found = Jupyter(tmp_path_factory.mktemp("panel"), "lab")
    yield found
    found.close()


def _open_panel(page: Any) -> Any:
    page.evaluate("window.jupyterapp.commands.execute('lambdamagic:show-jobs')")
    panel = page.locator("#lambdamagic-jobs")
    panel.wait_for()
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    return panel


def _open(server: Jupyter, open_page: Callable[..., Any], *cells: str) -> tuple[Any, NotebookPage, Any]:
    path = server.write(f"jobs-{len(list(server.notebooks.iterdir()))}.ipynb", *cells)  # a separate kernel
    page = open_page(strict=False, viewport={"width": 1280, "height": 800})
    notebook = server.open(page, path.name)
    return page, notebook, _open_panel(page)


def test_the_panel_follows_all_jobs(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """Live while a map runs, with what it costs; logs, filters, badges and the way to the cell; both themes."""
    setup = _SETUP.replace("import time\n", "import time\nfrom pathlib import Path\ngo = Path('go').absolute()\n")
    setup = setup.replace(
        "    time.sleep(0.05)\n", "    while n >= 100 and not go.exists():\n        time.sleep(0.05)\n"
    )
    page, notebook, panel = _open(lab, open_page, setup, _MAP, _CELL, _FAILS)
    panel.get_by_text("%load_ext lambdamagic").wait_for()
    keep(page, "panel-not-loaded")
    notebook.run(0)
    panel.get_by_text("No jobs yet").wait_for()
    keep(page, "panel-empty")
    assert violations(page, "#lambdamagic-jobs") == []
    notebook.start(1)
    job = panel.locator(".lm-job")
    job.locator(".lm-job-pace", has_text="/200 tasks").wait_for()
    page.wait_for_function("document.querySelector('.lm-job [role=progressbar]').getAttribute('aria-valuenow') > 20")
    page.locator(".lm-status-button", has_text="running").wait_for()
    keep(page, "panel-live")
    assert violations(page, "#lambdamagic-jobs") == []
    (lab.notebooks / "go").touch()
    job.locator(".lm-job-state", has_text="done").wait_for(timeout=150_000)
    notebook.wait_until_ready()
    notebook.run(2)
    notebook.run(3)
    panel.locator(".lm-job[data-state=failed]").wait_for()
    assert panel.locator(".lm-job").count() == 3
    panel.get_by_role("button", name="Failed").click()
    panel.get_by_text("IndexError").wait_for()
    assert panel.locator(".lm-job").count() == 1
    panel.get_by_role("button", name="All").click()
    panel.get_by_role("searchbox").fill("evaluate done")
    page.wait_for_function("document.querySelectorAll('.lm-job').length === 1")
    panel.get_by_role("button", name="Logs of evaluate").click()
    panel.locator(".lm-job-logs", has_text="REPORT RequestId").wait_for()
    panel.get_by_role("button", name="Go to the cell of evaluate").click()
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    assert page.evaluate(active) == 1
    panel.get_by_role("button", name="Hide logs of evaluate").click()
    panel.get_by_role("searchbox").fill("")
    assert page.locator(".lm-badge").evaluate_all("all => all.map(one => one.textContent)") == ["λ ✓", "λ ✓", "λ ✗"]
    assert page.evaluate(BADGES_APART)
    assert "3 jobs · " in panel.locator(".lm-panel-total").text_content()
    keep(page, "panel-light")
    notebook.theme("JupyterLab Dark")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    keep(page, "panel-dark")
    assert violations(page, "#lambdamagic-jobs") == []
    notebook.theme("JupyterLab Light")


def test_a_job_is_cancelled_after_a_reload_and_forgotten_after_a_restart(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """A page that is reloaded while the cell blocks sees its job at once; a new kernel begins with nothing."""
    page, notebook, panel = _open(lab, open_page, _SETUP, _SLOW)
    notebook.run(0)
    notebook.start(1)
    panel.locator(".lm-job[data-state=running]").wait_for()
    notebook.save()  # a page with changes asks before it goes
    page.reload()
    # A busy kernel does not send its status; its messages arrive nevertheless.
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")
    panel = _open_panel(page)
    panel.locator(".lm-job[data-state=running]").wait_for()
    panel.get_by_role("button", name="Cancel").click()
    panel.locator(".lm-job[data-state=cancelled]").or_(panel.get_by_text("The kernel is busy")).first.wait_for()
    keep(page, "panel-cancelled")
    if panel.get_by_text("The kernel is busy").count():
        notebook.interrupt()
    panel.locator(".lm-job[data-state=cancelled]").wait_for()
    notebook.wait_until_ready()
    page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    panel.get_by_text("lambdamagic is not loaded").wait_for()
    notebook.wait_until_restarted()
    notebook.start(0)
    panel.get_by_text("No jobs yet").wait_for()


def test_the_panel_waits_for_a_kernel_that_is_busy(lab: Jupyter, open_page: Callable[..., Any]) -> None:
    """A page that is reloaded meanwhile does not know whether lambdamagic is loaded until the kernel answers."""
    page, notebook, panel = _open(lab, open_page, _SETUP, "import threading\nthreading.Event().wait(120)")
    notebook.run(0)
    notebook.start(1)
    notebook.save()
    page.reload()
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")
    panel = _open_panel(page)
    panel.get_by_text("Waiting for the kernel").wait_for()
    notebook.interrupt()
    panel.get_by_text("No jobs yet").wait_for()


@pytest.mark.parametrize("end", ["restarted", "died"])
def test_a_job_whose_kernel_ends_is_left_with_a_last_word(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None], end: str
) -> None:
    """No widget continues running without its kernel, and the saved notebook has the last that was known."""
    page, notebook, panel = _open(lab, open_page, _SETUP, f"job = {_SLOW.replace('slow', '--bg slow')}\njob", _DIES)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    notebook.run(0)
    notebook.start(1)
    page.locator(".lm-widget:has(.lm-state-running)").wait_for()
    panel.locator(".lm-job[data-state=running]").wait_for()
    if end == "restarted":
        page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    else:
        notebook.start(2)
    output = notebook.output(1)
    output.get_by_text("λ slow × 8 ■ no longer followed").wait_for()
    assert "The kernel ended during the job" in output.text_content()
    assert "0/8 tasks · job 20" in output.text_content()
    assert page.locator(".lm-widget").count() == 0
    keep(page, f"kernel-{end}")
    assert violations(page, ".lmr-lost") == []
    notebook.save()
    (path,) = [each for each in lab.notebooks.glob("*.ipynb") if f"{each.name}" in page.title()]
    saved = json.loads(path.read_text())["cells"][1]["outputs"]
    assert "vnd.jupyter.widget-view+json" not in json.dumps(saved)
    assert "no longer followed" in json.dumps(saved)
    assert not errors


def test_a_button_runs_failed_tasks_again(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """In the job's result, and in the panel: live in the same place, and into the very list."""
    fixed = lab.notebooks / "fixed"
    setup = """\
%load_ext lambdamagic
%config LambdaMagics.memory_mb = 512
import time
from pathlib import Path
fixed = Path("fixed").absolute()

def evaluate(n):
    time.sleep(0.05)
    if n % 80 == 0 and not fixed.exists():
        raise ValueError("no convergence")
    return n * n"""
    run = "scores = %lambda_map --on-error return --chunksize 5 --max-concurrency 4 evaluate range(200)"
    check = "[n for n, score in enumerate(scores) if score != n * n]"
    page, notebook, panel = _open(lab, open_page, setup, run, check, "%lambda wait")
    notebook.run(0)
    notebook.run(1)
    again = page.locator(".lmr").get_by_role("button", name="Retry 3 failed")
    again.wait_for()
    keep(page, "retry-button")
    assert violations(page, ".lmr") == []
    for place in (page.locator(".lmr").get_by_role("button", name="CSV"), panel.get_by_role("button", name="table of")):
        with page.expect_download() as download:
            place.click()
        lines = Path(download.value.path()).read_text().splitlines()
        assert lines[0] == "task,state,seconds,argument,result,error"
        assert len(lines) == 201
        assert lines[1].endswith("ValueError('no convergence')") and lines[8].endswith(",7,49,")
    notebook.run(2)
    assert "[0, 80, 160]" in notebook.output(2).text_content()
    again.click()
    jobs = panel.locator(".lm-job")
    page.wait_for_function("document.querySelectorAll('.lm-job[data-state=partly]').length === 2")  # not fixed yet
    page.locator(".lmr", has_text="reused").wait_for()
    assert page.locator(".lmr").count() == 1, "in the same place"
    fixed.touch()
    panel.get_by_role("button", name="Retry 3 failed of evaluate").click()
    page.locator(".lmr", has_text="✓ done").wait_for()
    page.wait_for_function("document.querySelectorAll('.lm-job').length === 3")
    panel.locator(".lm-job[data-state=done]").wait_for()  # the panel is updated by itself
    assert jobs.first.get_attribute("data-state") == "done"
    assert page.get_by_role("button", name="Retry").count() == 0
    assert "200/200 tasks" in page.locator(".lmr").text_content()
    notebook.run(2)
    notebook.output(2).get_by_text("[]").wait_for()
    assert page.locator(".lm-badge").evaluate_all("all => all.map(one => one.textContent)") == ["λ ✓"]
    keep(page, "retried")


def test_the_cell_button_adds_and_removes_the_line(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """The body stays what it was; it is highlighted and completed as in a cell without the line."""
    body = "total = 0\nfor number in range(3):\n    total += number\ntotal"
    page, notebook, _ = _open(lab, open_page, _SETUP, body, "%%time\n1")
    notebook.run(0)
    source = "window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    highlighted = """() => [...window.jupyterapp.shell.currentWidget.content.activeCell.node
        .querySelectorAll('.cm-line span')].map((one) => one.textContent).slice(-8)"""
    page.wait_for_function(f"({highlighted})().length === 8")
    before = page.evaluate(highlighted)
    button = page.locator(".jp-cell-toolbar [data-command='lambdamagic:toggle-cell']")
    button.click()
    assert page.evaluate(source) == f"%%lambda\n{body}"
    page.wait_for_function(f"JSON.stringify(({highlighted})()) === JSON.stringify({before!r})")
    keep(page, "cell-button")
    notebook.run(1)
    assert "3" in notebook.output(1).text_content()
    complete = """async ([code, at]) => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        return (await kernel.requestComplete({code, cursor_pos: at})).content.matches;
    }"""
    for line in ("", "%%lambda\n"):
        code = f"{line}text = 'x'\ntotal.bit_l"
        assert page.evaluate(complete, [code, len(code)]) == ["bit_length"], line
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    page.evaluate("window.jupyterapp.commands.execute('lambdamagic:toggle-cell')")
    assert page.evaluate(source) == body
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2")
    assert page.evaluate("window.jupyterapp.commands.isEnabled('lambdamagic:toggle-cell')") is False


def test_settings_take_effect_at_once_and_a_hidden_page_is_notified_of_a_long_job(
    lab: Jupyter, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """Each setting, set in the settings editor; a short job, or one in a visible page, notifies no one."""
    long, short = "%%lambda\n__import__('time').sleep(6)", "6 * 7"
    page, notebook, panel = _open(lab, open_page, "%load_ext lambdamagic", long, short)
    page.evaluate(RECORD)
    notebook.run(0)
    notebook.run(1)
    page.locator(".lm-badge").wait_for()
    page.locator(".lm-status-button").wait_for()
    of_notebook = page.evaluate("window.jupyterapp.shell.currentWidget.id")
    page.evaluate("window.jupyterapp.commands.execute('settingeditor:open', { query: 'Lambda Jobs' })")
    page.get_by_label("Show in the status bar").uncheck()
    page.locator(".lm-status-button").wait_for(state="hidden")
    page.get_by_label("Show badges on cells").uncheck()
    page.locator(".lm-badge").wait_for(state="detached")
    page.locator("input[name$=_notifyAfterSeconds]").fill("5")
    page.locator("input[name$=_magicLine]").fill("%%lambda --memory 1024")
    keep(page, "settings")
    page.evaluate(TO_FRONT, of_notebook)
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2")
    page.wait_for_function(LINE_IS, arg="%%lambda --memory 1024")

    notebook.run(2)  # by now a cell on Lambda too, whose first run makes its environment
    notebook.run(1)
    page.wait_for_function("document.querySelectorAll('.lm-job[data-state=done]').length === 3")  # notified
    page.evaluate(HIDE, True)
    notebook.run(2)
    notebook.run(1)
    page.wait_for_function("window.told.length > 0")
    page.evaluate(HIDE, False)
    (told,) = page.evaluate("window.told.map(({ title, body }) => `${title}: ${body}`)")
    assert "✓ __import__('time').sleep(6) done: " in told
    assert ".ipynb: " in told and " s · " in told and "MB" in told
    page.evaluate("window.jupyterapp.shell.collapseRight()")
    page.locator("#lambdamagic-jobs").wait_for(state="hidden")
    page.evaluate("window.told[0].shown.onclick()")
    panel.wait_for()
    page.evaluate("window.jupyterapp.shell.collapseRight()")
    page.locator(".jp-Notification-Status").click()
    toast = page.locator(".jp-Notification-List .jp-Notification-List-Item")
    toast.get_by_text("sleep(6) done").wait_for()
    assert toast.count() == 1
    keep(page, "notification")
    toast.get_by_role("button", name="Show jobs").click()
    panel.wait_for()

    page.evaluate("window.jupyterapp.commands.execute('settingeditor:open', { query: 'Lambda Jobs' })")
    page.get_by_role("button", name="Restore to Defaults").click()
    page.locator(".lm-status-button").wait_for()
    page.evaluate(TO_FRONT, of_notebook)
    page.wait_for_function("document.querySelectorAll('.lm-badge').length === 2")
    page.wait_for_function(LINE_IS, arg="%%lambda")


def test_notebook_7_has_the_panel_too(
    tmp_path: Path, open_page: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    """Without a status bar, which Notebook does not have."""
    server = Jupyter(tmp_path, "notebook")
    try:
        page, notebook, panel = _open(server, open_page, _SETUP, _MAP)
        notebook.run(0)
        notebook.start(1)
        panel.locator(".lm-job-pace", has_text="/200 tasks").wait_for()
        keep(page, "panel-notebook-7")
        panel.locator(".lm-job[data-state=done]").wait_for(timeout=150_000)
        page.locator(".lm-badge").wait_for()
    finally:
        server.close()
