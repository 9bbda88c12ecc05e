"""`--on-missing rerun`: a name that no analysis found is sent, and the cell runs again, if it did nothing elsewhere."""

from __future__ import annotations

import pytest


def test_a_cell_runs_again_with_each_name_that_was_missing(notebook):
    """Its effects and its output are those of the last run."""
    notebook.ok("big, other, seen = 5, 7, []")
    before = notebook.invocations()
    ran = notebook.remote(
        "print('once')\nseen.append(1)\nopen('x.txt', 'w').close()\n"
        "try: open('/opt/x.txt', 'w')\nexcept OSError: pass\n"
        "eval('bi{}'.format('g')) + eval('oth{}'.format('er'))",
        "--on-missing rerun",
    )
    assert (ran.value, ran.stdout, notebook.names["seen"]) == (12, "once\n", [1])
    assert notebook.invocations() - before == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("__import__('subprocess').run(['true'])", "started a process"),
        ("__import__('os').system('true')", "started a process"),
        ("import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass", "opened a connection"),
    ],
)
def test_a_cell_that_reached_out_does_not(notebook, line, reason):
    """It says why, and what was bound before the error is there as without the option."""
    notebook.ok("big = 5")
    before = notebook.invocations()
    ran = notebook.fails(f"made = 1\n{line}\neval('bi%s' % 'g'.lower())", "--on-missing rerun")
    assert isinstance(ran.error, NameError) and "add -i big to send it" in ran.traceback
    assert f"the cell was not run again with big: it {reason}" in ran.stderr
    assert (notebook.names["made"], notebook.invocations() - before) == (1, 1)


def test_other_errors_and_other_names_are_raised(notebook):
    """Also a name that the notebook lacks; in the background the option is refused."""
    before = notebook.invocations()
    assert isinstance(notebook.fails("1 / 0", "--on-missing rerun").error, ZeroDivisionError)
    assert isinstance(notebook.fails("eval('no{}'.format('where'))", "--on-missing rerun").error, NameError)
    assert notebook.invocations() - before == 2
    assert "--on-missing rerun cannot be used with --bg" in str(
        notebook.run("%%lambda --bg --on-missing rerun\n1").error
    )
