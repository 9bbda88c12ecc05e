"""Background cells behind one another: values go from one to the next in the bucket."""

from __future__ import annotations

import pytest

from lambdamagic.errors import BeforeFailedError, JobCancelledError
from tests.cells.conftest import cell
from tests.cells.test_background import notebook as notebook


def test_a_cell_is_queued_behind_the_one_whose_result_it_reads(notebook, gate):
    """It returns at once, waits in the background, and has the value."""
    notebook.ok("offset = 1")
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = [20]"))
    gate.reached()
    job = notebook.ok(cell("%%lambda --bg", "y = x[0] + offset")).value
    assert job.state == "queued" and "behind" in repr(job)
    gate.open()
    assert notebook.ok("y").value == 21
    assert notebook.ok("x").value == [20]


def test_the_value_does_not_pass_through_the_kernel(notebook, gate):
    """Of 8 MB that one cell makes and the next reads, the kernel gets nothing until a separate cell reads them."""
    notebook.remote("import os, sys\nos.environ['LM_TEST_QUEUED'] = '1'\nsys.path.append('/lm-test-queued')")
    notebook.ok("import logging\nhandler = logging.FileHandler('/dev/null')\nlogging.getLogger().addHandler(handler)")
    first = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nbig = bytes(range(256)) * 32_000")).value
    gate.reached()
    job = notebook.ok(cell("%%lambda --bg", "total = len(big)")).value
    gate.open()
    assert notebook.ok("total").value == 8_192_000
    assert job.usage.fetched_bytes > 8_000_000
    assert first.has_ended and "big" not in notebook.names
    assert first.received_bytes == 0 and job.received_bytes < 2_000
    assert notebook.ok("len(big)").value == 8_192_000
    assert first.received_bytes > 8_000_000
    notebook.ok("handler.close()")  # it stays here, and is no setting that a cell has changed


def test_objects_of_both_cells_stay_the_same_objects(notebook, gate):
    """An object of the notebook, of the first cell's answer and of the second's is one object at the end."""
    notebook.ok("shared = ['notebook']")
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nshared.append(1)\nholder = {{'in': shared}}\nown = []"))
    gate.reached()
    body = (
        "same_there = holder['in'] is shared\n"
        "holder['in'].append(2)\nown.append(3)\nagain = own\npair = [holder, shared]\n"
    )
    notebook.ok(cell("%%lambda --bg", body))
    gate.open()
    assert notebook.ok("same_there").value is True
    assert notebook.ok("shared").value == ["notebook", 1, 2]
    same = "holder['in'] is shared, again is own, pair[0] is holder, pair[1] is shared"
    assert notebook.ok(same).value == (True,) * 4
    assert notebook.ok("own").value == [3]


def test_functions_and_classes_of_the_first_cell(notebook, gate):
    """They can be used in the second, and have one identity in the notebook."""
    notebook.ok("factor = 3")
    body = (
        f"{gate.code}\nclass Point:\n    def __init__(self, x):\n        self.x = x * factor\n"
        "def make(x):\n    return Point(x)\n"
    )
    notebook.ok(cell("%%lambda --bg", body))
    gate.reached()
    notebook.ok(cell("%%lambda --bg", "p = make(2)\nq = Point(1)"))
    gate.open()
    assert notebook.ok("p.x, q.x, type(p) is Point, isinstance(q, Point)").value == (6, 3, True, True)


def test_three_in_a_line(notebook, gate):
    """The third has what the first and the second did."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\na = [1]"))
    gate.reached()
    notebook.ok(cell("%%lambda --bg", "a.append(2)\nb = a"))
    notebook.ok(cell("%%lambda --bg", "c = a + b\nb.append(3)"))
    gate.open()
    assert notebook.ok("c").value == [1, 2, 1, 2]
    assert notebook.ok("a, a is b").value == ([1, 2, 3], True)


def test_a_cell_queued_behind_a_failed_job_is_rejected(notebook, gate):
    """It says which job failed, with its error as the cause; it has not run."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1 / 0"))
    gate.reached()
    job = notebook.ok(cell("%%lambda --bg", "print('ran')\ny = x")).value
    gate.open()
    ran = notebook.run("y")
    assert isinstance(ran.error, BeforeFailedError) and "whose result this one reads, failed" in str(ran.error)
    assert isinstance(ran.error.__cause__, ZeroDivisionError)
    assert job.state == "failed" and "ran" not in ran.stdout


def test_a_cell_waits_if_shared_objects_were_changed_here(notebook, gate):
    """Then the first cell's bytes are no longer complete: the second begins from the notebook, with the value."""
    notebook.ok("log = []")
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = len(log)"))
    gate.reached()
    notebook.ok("log.append('here')")
    gate.open()
    job = notebook.ok(cell("%%lambda --bg", "y = (x, len(log))")).value
    assert not job.before
    assert notebook.ok("y").value == (0, 1)


@pytest.mark.parametrize("which", ["x", "z"])
def test_cancelling_what_others_wait_for(notebook, gate, which):
    """A queued job can be cancelled alone; cancelled with those before it, all end."""
    first = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1")).value
    gate.reached()
    second = notebook.ok(cell("%%lambda --bg", "z = x")).value
    (first if which == "x" else second).cancel()
    if which == "z":
        gate.open()
        assert notebook.ok("x").value == 1
    assert notebook.run("z").error is not None
    assert second.state in ("cancelled", "failed")


def _line(ran):
    """The one line of `%lambda jobs` that says of a queued job."""
    return next(line for line in ran.text.splitlines() if "queued" in line)


def test_a_queued_job_says_what_it_waits_for_and_is_among_the_jobs(notebook, gate):
    """Its repr names the job before it, `%lambda jobs` has it with its tasks."""
    first = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1")).value
    gate.reached()
    job = notebook.ok(cell("%%lambda --bg", "y = x")).value
    reported = repr(job)
    assert "y = x  … queued" in reported and f"waiting for job {first.job_id[-8:]} ({first.label})" in reported
    assert "0 ms" not in reported
    assert job.job_id in _line(notebook.ok("%lambda jobs"))
    gate.open()
    assert notebook.ok("y").value == 1
    assert "queued" not in notebook.ok("%lambda jobs").text


def test_a_queued_job_that_is_cancelled_ends_at_once_and_never_runs(notebook, gate):
    """It does not wait for the one before it, which continues; the button of its widget does the same."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1"))
    gate.reached()
    job = notebook.ok(cell("%%lambda --bg", "print('ran')\nz = x")).value
    job._card.run.cancel()
    assert job.wait_for_end(60) and job.state == "cancelled"
    row = next(line for line in notebook.ok("%lambda jobs").text.splitlines() if job.job_id in line)
    assert "■ cancelled" in row
    gate.open()
    assert notebook.ok("x").value == 1
    assert isinstance(notebook.run("z").error, JobCancelledError)


def test_the_card_of_a_queued_job_ends_with_it(kernel, gate):
    """Also if it never began: the job before it fails, and the output that is saved says so."""
    kernel.run(cell("%%lambda --bg", f"{gate.code}\nx = 1 / 0"))
    gate.reached()
    shown = kernel.run(cell("%%lambda --bg", "y = x")).bundles("display_data")[0]
    assert (
        "y = x" in shown["text/plain"] and "queued" in shown["text/plain"] and "waiting for job" in shown["text/plain"]
    )
    gate.open()
    ended = kernel.wait_for_update("whose result this one reads, failed")
    assert "✗ failed" in ended["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" not in ended
