"""`start_map`: a job that its owner looks at, cancels and runs again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest

from lambdamagic import NOT_RUN, LambdaExecutor
from lambdamagic.errors import ConfigError

_ACT = """
import os, time

def act(n, folder):
    with open(os.path.join(folder, f"ran-{n}"), "a") as ran:
        ran.write(".")
    while n == 3 and os.path.exists(os.path.join(folder, "broken")):
        raise ValueError("three")
    while not os.path.exists(os.path.join(folder, "open")):
        time.sleep(0.005)
    return n * n
"""


def _runs(folder):
    return [(folder / f"ran-{n}").read_text().count(".") if (folder / f"ran-{n}").exists() else 0 for n in range(6)]


def test_a_job_that_failed_in_part(lambda_executor, define, tmp_path):
    """It has results, failures and nothing missing; only what failed runs again."""
    act = define(_ACT)
    (tmp_path / "open").touch()
    (tmp_path / "broken").touch()
    job = lambda_executor.start_map(act, range(6), [str(tmp_path)] * 6, chunksize=1)
    assert job.wait(60)
    results = job.results()
    assert (job.state, job.missing, list(job.failures)) == ("failed", [], [3])
    assert [each for each in results if not isinstance(each, ValueError)] == [0, 1, 4, 16, 25]
    assert str(results[3]) == str(job.failures[3]) == "three"
    with pytest.raises(ValueError, match="three"):
        job.result(60)
    (tmp_path / "broken").unlink()
    assert job.resume().state == "failed"  # what has an outcome, though a failure, is left alone
    assert job.retry_failed().result(60) == [n * n for n in range(6)]
    assert job.state == "done"
    assert _runs(tmp_path) == [1, 1, 1, 2, 1, 1]


def test_a_job_that_was_cancelled(lambda_executor, define, tmp_path):
    """What is in is kept, the rest is NOT_RUN; `resume` runs it, and what was under way may run twice."""
    act = define(_ACT)
    job = lambda_executor.start_map(act, range(6), [str(tmp_path)] * 6, chunksize=1)
    until = time.monotonic() + 60
    while sum(_runs(tmp_path)) < 2:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    with pytest.raises(TimeoutError, match="is still running"):
        job.result(0.01)
    job.cancel()
    assert job.wait(60)
    assert (job.state, job.results()) == ("cancelled", [NOT_RUN] * 6)
    with pytest.raises(CancelledError):
        job.result(60)
    (tmp_path / "open").touch()
    assert job.resume().result(60) == [n * n for n in range(6)]
    assert all(1 <= runs <= 2 for runs in _runs(tmp_path))


def test_the_requests_of_an_event_are_counted(faults):
    """Three PUTs (claim, answer, last sign) and two GETs; a quick task gives no other sign."""
    with LambdaExecutor(1, mode="event") as executor:
        assert executor.submit(abs, -1).result(60) == 1  # what is made at first use is no part of it
        faults.stats(reset=True)
        assert executor.submit(abs, -1).result(60) == 1
        counted = faults.stats()["requests"]["s3"]
    assert (counted["PutObject"], counted["GetObject"]) == (3, 2), counted


def test_events_need_a_bucket(programs_environment, monkeypatch):
    """It is said before anything is sent."""
    for name in [each for each in programs_environment if each.startswith(("AWS_", "LAMBDAMAGIC_"))]:
        monkeypatch.setenv(name, programs_environment[name])
    monkeypatch.delenv("LAMBDAMAGIC_BUCKET")
    with LambdaExecutor(1, mode="event", target="aws") as executor, pytest.raises(ConfigError, match="needs a bucket"):
        executor.start_map(abs, [-1])
