"""What an executor does once the interpreter has begun to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("ending.py")


@pytest.fixture(scope="module")
def expected():
    """What the standard library's executor does."""
    return _run("control", None)


def _run(kind, environment):
    done = subprocess.run(
        [sys.executable, _PROGRAM, kind], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    # Which of two sentences it is depends on whether a worker had been started.
    return {name: what.replace("interpreter ", "") for name, what in json.loads(done.stdout).items()}


def test_no_work_is_accepted_at_interpreter_shutdown(expected, programs_environment):
    """`submit` and `map` raise RuntimeError, in threads that outlive the main one too; what was taken is done."""
    assert "cannot schedule new futures after" in expected["submit at exit"]
    assert _run("ours", programs_environment) == expected
