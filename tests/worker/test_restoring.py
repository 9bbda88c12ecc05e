"""SnapStart: environments that are copies of one initialized process, as `os.fork` makes them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# What a copy shows of itself. Like a restored environment it has the snapshot's process id and random state: tempfile
# and random know a fork, and do then what nothing does at a restore.
_PROGRAM = """
import json, os
os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
os.environ.pop("AWS_LAMBDA_LOG_STREAM_NAME", None)

import multiprocessing.process, random, ssl, tempfile, uuid
import numpy.random
import lambdamagic.storage.presigned as transfers
from lambdamagic.worker import handler
from lambdamagic.worker.tally import Tally
from awslambdaric import lambda_runtime_hooks_runner as hooks

next(tempfile._get_candidate_names())  # all of them were used in INIT already
random.random(), numpy.random.random(), uuid.getnode()
own, state = os.getpid(), random.getstate()
os.getpid = lambda: own
hooks.run_before_snapshot()

def show(is_restored):
    if is_restored:
        hooks.run_after_restore()
    tally = Tally(0.0, init_ms=0.0, is_cold=True)
    return {
        "random": random.random(),
        "numpy": numpy.random.random(),
        "temporary file": next(tempfile._get_candidate_names()),
        "multiprocessing": multiprocessing.process.current_process().authkey.hex(),
        "environment": tally.usage().environment_id,
    }

def copy(is_restored):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        random.setstate(state)
        os.write(theirs, json.dumps(show(is_restored)).encode())
        os._exit(0)
    os.close(theirs)
    with open(ours) as answer:
        return json.load(answer)

print(json.dumps([[copy(False), copy(False)], [copy(True), copy(True)]]))
"""


@pytest.fixture(scope="module")
def copies() -> list[list[dict[str, Any]]]:
    """Two copies of one snapshot that nothing was done to, and two that were restored."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("what", ["random", "numpy", "temporary file", "multiprocessing", "environment"])
def test_two_environments_of_one_snapshot_share_nothing_random(what: str, copies: Any) -> None:
    """Without the hooks both draw the same numbers and names; with them each has its own."""
    (one, other), (restored, restored_too) = copies
    assert one[what] == other[what]
    assert len({one[what], restored[what], restored_too[what]}) == 3


def test_a_function_without_a_snapshot_imports_no_hooks() -> None:
    """It imports neither the hooks nor what they need."""
    program = "import sys, lambdamagic.worker.handler; print('snapshot_restore_py' in sys.modules, end='')"
    program += "; print('lambdamagic.worker.restoring' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "FalseFalse"
