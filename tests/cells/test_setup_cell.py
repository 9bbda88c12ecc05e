"""`%%lambda_setup`: a cell that runs here, and first in each execution environment."""

from __future__ import annotations

import logging
import os
import warnings

import pytest


@pytest.fixture(autouse=True)
def forgotten(open_notebook):
    """The set-up cell of one test is not the next test's, and what it set here is put back."""
    root, environ, filters = logging.getLogger(), dict(os.environ), list(warnings.filters)
    handlers, level = list(root.handlers), root.level
    yield
    open_notebook.session.setup = None
    root.handlers[:], root.level = handlers, level
    os.environ.clear()
    os.environ.update(environ)
    warnings.filters[:] = filters


_RUNS = "from pathlib import Path\nPath('~/setup-ran').expanduser().read_text()"


def test_it_is_in_force_here_and_in_each_later_job(notebook):
    """Before the first cell or map; what it sets is in force in each later one, and it prints nothing there."""
    ran = notebook.ok(
        "%%lambda_setup\nprint('set up')\nimport os, sys\nos.environ['LM_SETUP'] = 'yes'\nsys.path.insert(0, '/lm')"
    )
    assert ran.stdout == "set up\n" and os.environ["LM_SETUP"] == "yes"
    for _ in range(2):
        ran = notebook.remote("import os, sys\nos.environ['LM_SETUP'], sys.path.count('/lm')")
        assert (ran.value, ran.stdout) == (("yes", 1), "")
    notebook.ok("def read(n):\n    import os\n    return os.environ['LM_SETUP']")
    assert notebook.ok("r = %lambda_map read [1, 2]\nr").value == ["yes", "yes"]
    notebook.ok("%lambda_setup off")
    assert notebook.remote("import os\nos.environ.get('LM_SETUP')").value is None


def test_its_code_runs_once_in_each_environment(notebook):
    """Not again for each cell: it may download much."""
    count = "from pathlib import Path\nwith Path('~/setup-ran').expanduser().open('a') as file:\n    file.write('x')"
    notebook.ok(f"%%lambda_setup\n{count}")
    pids = [notebook.remote(f"import os\n{_RUNS}, os.getpid()").value for _ in range(3)]
    assert all(runs == "x" for runs, _ in pids), pids


def test_logging_comes_to_the_cell_that_logs(notebook):
    """A handler that the set-up made writes to each later cell, not to the first one."""
    notebook.ok("%%lambda_setup\nimport logging\nlogging.basicConfig(level='INFO', format='<%(message)s>', force=True)")
    logging.basicConfig(level="WARNING", handlers=[logging.NullHandler()], force=True)  # the function's is left
    logging.getLogger("of_a_library").setLevel("ERROR")  # a setting of the notebook's, which is sent with it
    for number in (1, 2):
        ran = notebook.remote(f"import logging\nlogging.getLogger('of_the_setup').info('cell {number}')")
        assert ran.stderr == f"<cell {number}>\n"


def test_it_has_what_it_reads_and_leaves_no_names(notebook, tmp_path, monkeypatch):
    """Names of the notebook and own modules are sent too; names that it binds are the notebook's from its run here."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "setup_own.py").write_text("LEVEL = 3\n")
    notebook.ok("limit = 7")
    notebook.ok(
        "%%lambda_setup\nimport os, setup_own\nfound = limit * setup_own.LEVEL\nos.environ['LM_FOUND'] = str(found)"
    )
    notebook.ok("found = 'mine'")
    assert notebook.remote("import os\nos.environ['LM_FOUND']").value == "21"
    assert notebook.names["found"] == "mine"


def test_a_set_up_cell_that_fails_on_lambda_is_the_cells_error(notebook):
    """With the line of the set-up cell; no task of a map runs."""
    notebook.ok("%%lambda_setup\nimport os\nif 'AWS_LAMBDA_FUNCTION_NAME' in os.environ:\n    raise OSError('no disk')")
    ran = notebook.fails("1")
    assert type(ran.error) is OSError and "raise OSError('no disk')" in ran.traceback
    ran = notebook.run("r = %lambda_map abs [1]")
    assert type(ran.error) is OSError
    assert "no disk" in str(ran.error)


def test_a_set_up_cell_that_fails_here_is_discarded(notebook):
    """The error is shown where the cell is run."""
    assert "failed here, and is not kept" in str(notebook.run("%%lambda_setup\n1 / 0").error)
    assert "%who cannot run on Lambda" in str(notebook.run("%%lambda_setup\n%who").error)
    assert notebook.ok("%lambda_setup").stdout == "No set-up cell.\n"


def test_the_plan_names_it(notebook):
    """What it needs is listed, and that it runs first."""
    notebook.ok("limit = 7")
    notebook.ok("%%lambda_setup\nprint(limit)")
    shown = repr(notebook.ok("%%lambda --plan\n1").value)
    assert "limit" in shown and "Runs first in each execution environment: the set-up cell" in shown
