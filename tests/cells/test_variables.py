"""Environment variables are sent by name; their values are neither shown nor stored."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def token(monkeypatch):
    """A secret in the notebook's environment."""
    monkeypatch.setenv("LM_TEST_TOKEN", "s3cr3t-value")
    return "s3cr3t-value"


def _stored(notebook) -> bytes:
    """All that the bucket holds."""
    stores = [each.stager.store for each in notebook.session.opened.targets.values() if each.name == "local"]
    return b"".join(bytes(store.get(info.key)) for store in stores if store for info in store.list(""))


def test_a_named_variable_is_set_while_the_cell_runs(notebook, token):
    """Also for the processes that it starts and for own modules that read it at import; the next cell has none."""
    body = "import os, subprocess\nos.environ['LM_TEST_TOKEN'], subprocess.getoutput('echo $LM_TEST_TOKEN')"
    assert notebook.remote(body, "--env LM_TEST_TOKEN").value == (token, token)
    Path("reads_token.py").write_text("import os\nTOKEN = os.environ['LM_TEST_TOKEN']\n")
    assert notebook.remote("import reads_token\nreads_token.TOKEN", "--env LM_TEST_TOKEN").value == token
    assert notebook.remote("import os\nos.environ.get('LM_TEST_TOKEN')").value is None


def test_each_task_of_a_map_has_it(notebook, token, monkeypatch):
    """By the option, and by the setting, which is for all jobs."""
    notebook.ok("def read(n):\n    import os\n    return os.environ.get('LM_TEST_TOKEN')")
    assert notebook.ok("r = %lambda_map --env LM_TEST_TOKEN read [1, 2]\nr").value == [token] * 2
    monkeypatch.setenv("LAMBDAMAGIC_SEND_ENV", "LM_TEST_TOKEN")
    assert notebook.ok("r = %lambda_map read [1]\nr").value == [token]
    assert notebook.remote("read(0)").value == token


@pytest.mark.parametrize("mode", ["sync", "event"])
def test_its_value_is_neither_shown_nor_stored(notebook, token, mode):
    """Not in the plan, the job's record or its log, and not in the bucket."""
    plan = notebook.ok("%%lambda --plan --env LM_TEST_TOKEN\n1").value
    assert "LM_TEST_TOKEN" in repr(plan) and token not in repr(plan)
    body = "import os\nlen(os.environ['LM_TEST_TOKEN'])"
    assert notebook.remote(body, f"--env LM_TEST_TOKEN --mode {mode} --bg").error is None
    assert notebook.ok("job = %lambda last\njob").error is None
    (job,) = [notebook.session.background.find(["all"])[-1]]
    assert token not in repr(job.spec)
    assert job.result() == len(token)
    assert token.encode() not in _stored(notebook)
    assert token not in notebook.ok("%lambda logs").stdout


def test_a_variable_that_cannot_be_sent_is_an_error_beforehand(notebook, token):
    """A variable that is not set, a value in the cell, which is not repeated, and a mode that stores requests."""
    before = notebook.invocations()
    assert (
        "LM_TEST_MISSING is to be sent, but is not set here" in notebook.fails("1", "--env LM_TEST_MISSING").traceback
    )
    shown = notebook.fails("1", "--env LM_TEST_TOKEN=abcdef").traceback
    assert "takes the names of environment variables, not values" in shown and "abcdef" not in shown
    shown = notebook.fails("1", "--env LM_TEST_TOKEN --mode trigger").traceback
    assert "stores each request in the bucket" in shown and token not in shown
    assert notebook.invocations() == before
