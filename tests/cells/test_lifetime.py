"""How long what a cell captures stays in memory."""

from __future__ import annotations

import time
import weakref

import pytest

_GIVEN = """\
import numpy as np
big = np.ones(1000)
def f(i):
    if i == %r:
        raise ValueError(i)
    return big + i
"""


@pytest.mark.parametrize(
    "job",
    [
        "%%lambda\ny = big.sum()",
        "%%lambda --bg\ny = big.sum()",
        "got = %lambda_map f range(3)",
        "job = %lambda_map --bg f range(3)",
    ],
)
def test_a_captured_value_is_released_with_its_variable(job, notebook):
    """When all is done, also of the latest maps, which are kept, and of jobs that a variable holds."""
    notebook.ok(_GIVEN % None)
    seen = weakref.ref(notebook.shell.user_ns["big"])
    notebook.ok(job)
    notebook.ok("%lambda wait")
    notebook.ok("del big, f")
    until = time.monotonic() + 60
    while seen() is not None and time.monotonic() < until:
        time.sleep(0.01)  # a thread that has just reported its end may hold it for a moment yet
    assert seen() is None


def test_failed_tasks_can_still_be_run_again(notebook):
    """So long what was captured stays."""
    notebook.ok(_GIVEN % 1)
    seen = weakref.ref(notebook.shell.user_ns["big"])
    notebook.ok("got = %lambda_map --on-error return f range(3)")
    notebook.ok("del big, f")
    assert seen() is not None
    assert [str(each) for each in notebook.session.history[-1].map.again(failed=True)[1:2]] == ["1"]
