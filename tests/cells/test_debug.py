"""`%debug` after a remote exception: the frames are there, and it does not crash."""

from __future__ import annotations

import io
import sys


def test_debug_walks_the_remote_frames(notebook, monkeypatch):
    """where, up, down, list and quit all work."""
    notebook.ok("def inner(x):\n    return 1 / x\n")
    notebook.fails("y = 2\ninner(0)")
    commands = io.StringIO("where\nup\nlist\ndown\np 1 + 1\nargs\nquit\n")
    monkeypatch.setattr(sys, "stdin", commands)
    out = notebook.run("%debug")
    assert out.error is None, out.traceback
    assert "return 1 / x" in out.stdout
    assert notebook.remote("5").value == 5


def test_last_traceback_is_set(notebook):
    """Post-mortem tools find the error where Python leaves it."""
    notebook.fails("{}['missing']")
    assert sys.last_type is KeyError
    assert sys.last_traceback is not None


def test_tb_and_xmode(notebook):
    """`%tb` shows the traceback again, also in another mode."""
    notebook.fails("x = 0\n1 / x")
    assert "----> 3 1 / x" in notebook.run("%tb").traceback
    notebook.ok("%xmode Plain")
    try:
        assert "ZeroDivisionError" in notebook.run("%tb").traceback
        text = notebook.fails("1 / 0").traceback
        assert "1 / 0" in text
        assert "ZeroDivisionError: division by zero" in text
    finally:
        notebook.ok("%xmode Context")
