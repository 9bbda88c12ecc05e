"""`--bg`: the cell returns at once, and cells that read what it binds wait for it."""

from __future__ import annotations

import textwrap
import threading

import pytest

from lambdamagic.errors import JobCancelledError
from tests.cells.conftest import cell


@pytest.fixture
def notebook(notebook):
    """The notebook; no job is left behind by a test."""
    yield notebook
    notebook.run("%lambda cancel all")
    while notebook.run("%lambda wait all").error is not None:
        pass
    notebook.reset()
    notebook.run("'a boundary'")


def test_a_cell_that_reads_waits_and_another_does_not(kernel, gate):
    """The reader shows what it waits for, and has the value; a cell in between ran while the remote code was held."""
    kernel.run("%%lambda -q\n0")  # the embedded Lambda runs from here on
    begun = kernel.run(cell("%%lambda --bg", f"{gate.code}\nprint('there')\nmodel = 6 * 7"))
    gate.reached()
    assert "▶ running" in str(begun.bundles("display_data"))
    assert kernel.run("1 + 1\n").value == "2"
    message = kernel.send("print('reads'); model")
    kernel.wait_for_text(message, "waiting for model from")
    gate.open()
    replied = kernel.finish(message)
    assert replied.value == "42"
    assert "waited" in str(replied.bundles("update_display_data"))
    assert kernel.run("model").value == "42"


def test_stopping_the_waiting_leaves_the_job_alone(kernel, gate):
    """Ctrl-C ends the waiting cell as interrupted, also one with await; the job continues, and is read later."""
    kernel.run(cell("%%lambda --bg -q", f"{gate.code}\nkept = 5"))
    gate.reached()
    for code in ("ran = kept", "import asyncio\nawait asyncio.sleep(0)\nran = kept"):
        message = kernel.send(code)
        kernel.wait_for_text(message, "waiting for kept")
        kernel.interrupt()
        replied = kernel.finish(message)
        assert replied.error["ename"] == "KeyboardInterrupt"
        assert "the job continues" in "".join(replied.error["traceback"])
        assert "refuse" not in "".join(replied.error["traceback"])
    assert kernel.run("'ran' in globals()").value == "False"
    gate.open()
    assert kernel.run("kept").value == "5"


def test_a_cell_that_reads_what_failed_is_rejected(notebook):
    """It raises what the remote code raised, with its lines; none of its statements has run, until it is bound."""
    notebook.ok(cell("%%lambda --bg", "before = 1\nbroken = {}['key']"))
    ran = notebook.run("touched = True\nbroken")
    assert isinstance(ran.error, KeyError)
    assert "----> 3 broken = {}['key']" in ran.traceback and "lambdamagic/" not in ran.traceback
    assert "touched" not in notebook.names
    assert notebook.ok("before").value == 1
    assert isinstance(notebook.run("broken").error, KeyError)
    assert notebook.ok("broken = 3").error is None
    assert notebook.ok("broken").value == 3


def test_an_older_value_is_back_after_the_failure_was_shown(notebook):
    """As after a cell that failed: the name still has what it had."""
    notebook.ok("x = 'old'")
    notebook.ok(cell("%%lambda --bg", "x = 1 / 0"))
    assert isinstance(notebook.run("x").error, ZeroDivisionError)
    assert notebook.ok("x").value == "old"


def test_a_newer_assignment_wins_and_that_is_said(notebook, gate):
    """What was assigned while the job ran stays, even if it is the same object as before."""
    notebook.ok("same = 1")
    job = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nsame = 2\nother = 3\nthird = 4")).value
    gate.reached()
    notebook.ok("same = 1\nother = 'mine'")
    assert notebook.ok("same, other").value == (1, "mine")
    gate.open()
    ran = notebook.ok("%lambda wait")
    assert "other, same were assigned while job" in ran.stderr or "same, other were assigned" in ran.stderr
    assert notebook.ok("same, other, third").value == (1, "mine", 4)
    assert job.left_out == {"same": 2, "other": 3}


def test_the_job_that_was_started_last_wins(notebook, gate):
    """Of two jobs that bind a name, whichever is done first."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 'first'\nonly = 1"))
    gate.reached()
    notebook.ok(cell("%%lambda --bg", "x = 'second'"))
    assert notebook.ok("x").value == "second"
    gate.open()
    assert notebook.ok("only").value == 1
    assert notebook.ok("x").value == "second"


def test_what_the_last_job_does_not_bind_comes_from_the_one_before(notebook, gate):
    """A name that the later job only may bind keeps the earlier job's value."""
    notebook.ok(cell("%%lambda --bg", "x = 'first'"))
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nif False:\n    x = 'second'"))
    gate.reached()
    gate.open()
    assert notebook.ok("%lambda wait").error is None
    assert notebook.ok("x").value == "first"


def test_changes_in_place_come_between_cells(notebook, gate):
    """A cell that runs, also one that runs another, sees its objects unchanged to its end."""
    notebook.ok("log = []")
    notebook.names["job"] = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nlog.append(1)")).value
    gate.reached()
    notebook.names["gate"] = gate
    notebook.ok("gate.open()\njob.wait_for_end(30)\nget_ipython().run_cell('2')\nseen = list(log)")
    assert notebook.names["seen"] == []
    assert notebook.ok("log").value == [1]


def test_a_cell_on_lambda_that_reads_a_pending_name_waits(notebook, gate):
    """As a cell in the kernel does; its body is looked at like any other."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 20"))
    gate.reached()
    threading.Timer(0.2, gate.open).start()
    assert notebook.remote("x + 1").value == 21


_READERS = (
    "def f():\n    return x\nf()",
    "exec('y = x'); y",
    "globals()['x']",
    "%time x",
    "!echo {x}",
    "print(f'{x}')",
)


@pytest.mark.parametrize("reader", _READERS)
def test_every_way_of_reading_waits(notebook, reader):
    """Whatever leads to the name has its value."""
    job = notebook.ok(cell("%%lambda --bg", "x = 20")).value
    notebook.ok(reader)
    assert job.has_ended and notebook.names["x"] == 20


def test_an_import_that_fails_here_fails_as_it_does_without_a_pending_name(notebook, gate):
    """Names on their way change the error of neither a local cell nor a remote one."""
    notebook.ok(f"%%lambda --bg\n{gate.code}\nx = 1")
    gate.reached()
    assert isinstance(notebook.run("from no_such_module_here import *").error, ModuleNotFoundError)
    ran = notebook.run("%%lambda\ny = 1\nfrom no_such_module_here import *")
    assert isinstance(ran.error, ModuleNotFoundError)
    gate.open()
    assert notebook.ok("x").value == 1


def test_a_deleted_name_is_gone(notebook):
    """`del` waits for what it deletes, and nothing comes after it."""
    notebook.ok(cell("%%lambda --bg", "x = 20"))
    notebook.ok("del x")
    assert "x" not in notebook.names
    assert isinstance(notebook.run("x").error, NameError)


def test_waiting_and_cancelling_by_name(notebook, gate):
    """`%lambda cancel` takes the end of an id; a cell that reads what a cancelled job was to bind is reported so."""
    job = notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1")).value
    gate.reached()
    assert job.job_id in repr(job) and "will bind x" in repr(job) and job.job_id in job._repr_html_()
    assert job.job_id in notebook.ok("%lambda jobs").text
    notebook.ok(f"%lambda cancel {job.job_id[-8:]}")
    assert isinstance(notebook.run("x").error, JobCancelledError)
    assert job.state == "cancelled"
    assert "no background job 'nonsense'" in notebook.run("%lambda wait nonsense").stderr
    assert notebook.ok("x = 2\nx").value == 2


def test_the_value_and_the_error_are_the_jobs(notebook):
    """`.result()` gives what the cell shows, or raises; `%lambda wait` raises too."""
    started = notebook.ok(cell("%%lambda --bg", "print('said')\n6 * 7"))
    job, waited = started.value, notebook.ok("%lambda wait")
    assert started.stdout + waited.stdout == "said\n"
    assert job.result() == 42 and job.state == "done"
    notebook.ok(cell("%%lambda --bg", "raise ValueError('no')"))
    assert isinstance(notebook.run("%lambda wait").error, ValueError)


def test_a_map_in_the_background(notebook):
    """The job's result is the list; the first task that raises ends it, unless exceptions are wanted."""
    notebook.ok("def half(n):\n    return 6 // n")
    notebook.ok("job = %lambda_map --bg half [1, 2, 3]")
    assert notebook.ok("job.result()").value == [6, 3, 2]
    job = notebook.ok(cell("%%lambda_map --bg n in (1, 0)", "6 // n")).value
    with pytest.raises(ZeroDivisionError):
        job.result()
    assert job.state == "failed"
    notebook.ok("job = %lambda_map --bg --on-error return half (1, 0)")
    assert repr(notebook.ok("job.result()").value) == "[6, ZeroDivisionError('integer division or modulo by zero')]"


def test_unloading_stops_what_is_under_way_and_says_so(notebook, gate):
    """Nothing hangs, no thread stays, and what is lost is reported; loaded again everything works."""
    notebook.ok(cell("%%lambda --bg", f"{gate.code}\nx = 1"))
    gate.reached()
    ran = notebook.ok("%reload_ext lambdamagic")
    assert "1 background job stopped; results lost" in ran.stderr
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("lambdamagic-collector")]
    for thread in threads:
        thread.join(60)
    assert not [thread for thread in threads if thread.is_alive()]
    assert isinstance(notebook.run("x").error, NameError)
    assert notebook.remote("1").value == 1


_DIVIDE = "def divide(n):\n    return 60 / (n - 3)\n"
_ITS_DETAILS = "m._card.details"


def test_a_map_sends_its_results_and_tracebacks_while_no_cell_runs(kernel):
    """No cell has to be run for it: the result that stays has the traceback, tasks have values, and so has the CSV."""
    kernel.run(_DIVIDE + "m = %lambda_map --bg --on-error return --chunksize 1 divide range(6)\nm")
    bundle = kernel.wait_for_update("return 60 / (n - 3)")
    assert "Traceback of item 4" in bundle["text/html"]
    assert not any("-20.0" in str(shown) for shown in kernel.run("m.has_ended").bundles("update_display_data"))
    assert kernel.run(f"{_ITS_DETAILS}.describe(2).result").value == "'-60.0'"
    assert "ZeroDivisionError" in kernel.run(f"{_ITS_DETAILS}.describe(3).traceback").value
    reported = kernel.run(f"print({_ITS_DETAILS}.results_csv())").stream("stdout")
    assert "not run" not in reported and "ZeroDivisionError" in reported


def test_a_cancelled_map_keeps_the_results_so_far(notebook, gate):
    """Its results are there for `%lambda last`, as a blocking map's are."""
    notebook.ok(f"def held(n):\n    if n == 1:\n{textwrap.indent(gate.code, '        ')}\n    return n + 10")
    job = notebook.ok("m = %lambda_map --bg --chunksize 1 --max-concurrency 1 held range(3)\nm").value
    gate.reached()
    job.cancel()
    job.wait_for_end(30)
    notebook.ok("'a boundary'")
    assert notebook.ok("last = %lambda last\nlast.results").value[0] == 10


def test_a_job_is_named_by_its_title_or_as_the_last(notebook, gate):
    """As `%lambda logs last` does; an id is longer than anybody types."""
    for word in ("long", "last"):
        notebook.ok(f"%%lambda --bg --name long\n{gate.code}\nx = 1")
        gate.reached()
        notebook.ok(f"%lambda cancel {word}")
        assert isinstance(notebook.run("x").error, JobCancelledError)
        gate.open()


def test_a_failed_map_says_what_raises_its_error(notebook):
    """It binds no names that a cell could read; and the record shows the reason, not that the rest was stopped."""
    notebook.ok("job = %lambda_map --bg --chunksize 1 (lambda n: 1 / n) [0] * 50")
    notes = notebook.ok("import time\nwhile not job.has_ended:\n    time.sleep(0.01)").stderr
    notes += notebook.ok("shown = repr(get_ipython().run_line_magic('lambda', 'last'))").stderr
    assert "`%lambda wait` raises the error" in notes
    assert "ZeroDivisionError" in notebook.names["shown"] and "JobCancelledError" not in notebook.names["shown"]
    assert isinstance(notebook.run("%lambda wait last").error, ZeroDivisionError)
