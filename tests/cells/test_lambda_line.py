"""`%lambda config|jobs|logs|last|help`."""

from __future__ import annotations

import pytest


def test_help(notebook):
    """Alone, and by name."""
    for line in ("%lambda", "%lambda help", "%lambda -h"):
        assert "%%lambda [options]" in notebook.ok(line).stdout


def test_config_shows_values_and_origins(notebook, monkeypatch):
    """Every setting, and where it came from."""
    monkeypatch.setenv("LAMBDAMAGIC_TIMEOUT_S", "77")
    notebook.ok("%config LambdaMagics.memory_mb = 1024")
    try:
        rows = {row[0]: row[1:3] for row in notebook.ok("%lambda config").value.rows}
    finally:
        notebook.ok("%config LambdaMagics.memory_mb = None")
    assert rows["timeout_s"] == ("77", "the environment variable LAMBDAMAGIC_TIMEOUT_S")
    assert rows["memory_mb"] == ("1024", "%config LambdaMagics.memory_mb")
    assert rows["retries"] == ("0", "default")


def test_config_shows_where_jobs_run(notebook):
    """In text and as HTML, with what is not set marked as such."""
    table = notebook.ok("%lambda config").value
    for shown in (repr(table), table._repr_html_()):
        assert "Jobs run on the embedded Lambda of this machine." in shown
        assert "%config LambdaMagics.memory_mb" in shown
    (shown,) = [row for row in table.rows if row[0] == "function"]
    assert shown[:3] == ("function", "–", "default") and shown[3].startswith("The deployed function")


def test_the_magics_describe_themselves(notebook):
    """`?` lists the options as people write them; `%config` says of each setting what it takes."""
    for magic in ("%%lambda?", "%lambda?", "%lambda_map?"):
        shown = notebook.ok(magic).stdout
        assert "--serializer <auto|dill|cloudpickle>" in shown
        assert "do not send these names" in shown
        assert "None" not in shown
    settings = notebook.ok("%config LambdaMagics").stdout
    assert "LambdaMagics.memory_mb=<Int>" in settings
    assert "Takes 128 to 10,240 MB; default: 2048." in " ".join(settings.split())
    assert "Any" not in settings and "_Settings" not in settings


def test_code_after_the_line_magic_gets_a_hint(notebook):
    """`%lambda` runs none."""
    assert "write code below a %%lambda line" in str(notebook.run("%lambda 1 + 1").error)


@pytest.mark.parametrize("line", ["config memory_mb=2048", "last job", "doctor --fix", "help jobs", "logs one two"])
def test_words_that_a_subcommand_does_not_take_are_refused(notebook, line):
    """An argument that has no effect would be taken for one that has."""
    error = str(notebook.run(f"%lambda {line}").error)
    assert error.startswith(f"%lambda {line.split()[0]} takes ")
    assert line.partition(" ")[2] in error


def test_jobs_lists_this_sessions_jobs(notebook):
    """With state, tasks and cost."""
    notebook.remote("marker_name = 1")
    notebook.fails("1 / 0")
    rows = notebook.ok("%lambda jobs").value.rows
    assert rows[-2][1:4] == ("marker_name = 1", "✓ done", "1/1")
    assert rows[-1][1:4] == ("1 / 0", "✗ failed", "1/1")


def test_logs(notebook):
    """By id, by a part of it, and of the last job; START, the print and REPORT are there."""
    notebook.remote("print('for the log')")
    job_id = notebook.session.history[-1].progress.job_id
    for wanted in ("", "last", job_id, job_id[-8:]):
        text = notebook.ok(f"%lambda logs {wanted}").stdout
        assert "START RequestId: " in text
        assert "for the log" in text
        assert "REPORT RequestId: " in text
    assert "no job 'nope'. See `%lambda jobs --all`" in str(notebook.run("%lambda logs nope").error)


def test_logs_of_a_cell_that_died(notebook):
    """They are what there is to look at."""
    notebook.fails("print('last words', flush=True)\nimport os\nos._exit(4)")
    text = notebook.ok("%lambda logs last").stdout
    assert "last words" in text
    assert "exit status 4" in text


def test_last(notebook):
    """What it did, in a few lines."""
    notebook.remote("z = 5")
    text = repr(notebook.ok("%lambda last").value)
    assert "on local (lambdamagic-py3" in text
    assert "✓ done" in text
    assert notebook.ok("%lambda last").value.results is None


def test_last_keeps_the_results_of_a_map(notebook):
    """Until the next map."""
    notebook.ok("%lambda_map abs [-1, -2];")
    assert notebook.ok("%lambda last").value.results == [1, 2]
