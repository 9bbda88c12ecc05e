"""`lambdamagic jobs`, `attach`, `cancel` and `cost`: of clients that are their own processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lambdamagic.api.spending import spending
from lambdamagic.cli.exits import DECLINED
from lambdamagic.events import InvocationFinished, JobFinished, TaskFinished
from lambdamagic.jobs.history import History, JobNote
from tests.cli.calling import call, run
from tests.deploy.accounts import Account

_CLIENT = """
import sys, time
from pathlib import Path
import lambdamagic

folder = Path({folder!r})

def work(number):
    (folder / f"began-{{number}}").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return number * 10

job = lambdamagic.LambdaExecutor(4, mode={mode!r}).start_map(work, range(4), chunksize=2)
print(job.job_id, flush=True)
job.result()
"""


def start_client(folder: Path, mode: str) -> tuple[subprocess.Popen[str], str]:
    """Start a program whose four tasks wait for a file `go`; return it when they run, with the job's id."""
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _CLIENT.format(folder=str(folder), mode=mode)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    assert process.stdout is not None
    job = process.stdout.readline().strip()
    deadline = time.monotonic() + 60
    while len(list(folder.glob("began-*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process's files: nothing to wait on
    return process, job


@pytest.fixture
def deployed(account: Account) -> Account:
    if "lambdamagic" not in account.inventory()["functions"]:
        done = call("deploy", "--json")
        assert done.status == 0, done.err
    return account


def test_a_killed_clients_map_is_attached(deployed: Account, home: Path, tmp_path: Path) -> None:
    """Listed as abandoned, resumed by another process, with all results."""
    folder = tmp_path / "tasks"
    process, job = start_client(folder, "event")
    process.kill()
    process.communicate()
    listed = {each["job_id"]: each for each in call("jobs", "--json").document["jobs"]}
    assert listed[job]["state"] == "abandoned"
    assert "lambdamagic attach JOB" in call("jobs").err
    (folder / "go").touch()
    found = call("attach", job, "--json")
    assert found.status == 0, found.err
    assert [each["value"] for each in found.document["results"]] == ["0", "10", "20", "30"]
    kept = tmp_path / "results.pkl"
    again = run(home, "attach", job, "-o", str(kept), environment=deployed.connection.environment())
    assert (again.status, again.out) == (0, f"done: 4 tasks, 0 failed; in {kept}\n"), again.err
    import cloudpickle

    assert cloudpickle.loads(kept.read_bytes()) == [0, 10, 20, 30]
    assert call("attach", "nosuchjob").status == 3
    misspelt = call("cancel", f"{job}x")
    assert misspelt.status == 0 and "is not in this machine's history" in misspelt.out
    assert misspelt.err == f"Did you mean {job}?\n"


def test_a_running_job_is_cancelled_from_outside(deployed: Account, home: Path, tmp_path: Path) -> None:
    """Its tasks stop, and its client ends with an error."""
    process, job = start_client(tmp_path / "tasks", "sync")
    try:
        done = run(home, "cancel", job, environment=deployed.connection.environment())
        assert done.status == 0, done.err
        assert "A stop request was written to the bucket lambdamagic-" in done.out
        _, errors = process.communicate(timeout=200)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    assert "ancel" in errors


def test_cost_adds_up_by_day(tmp_path: Path) -> None:
    """Jobs on AWS of the time that was asked for; those of the embedded Lambda cost nothing."""
    history, now = History(tmp_path), time.time()
    for number, (target, age_s) in enumerate([("aws", 60), ("aws", 120), ("local", 60), ("aws", 90 * 86_400)]):
        note = JobNote(f"job-{number}", "x", "sync", {"target": target}, 2, now - age_s)
        file = history.begin(note)
        file(TaskFinished(note.job_id, 0, failed=False, error="", seconds=1.0, at=now))
        file(InvocationFinished(note.job_id, "a", (0,), None, "e", False, 0, 0.25, 10.0, now))
        file(JobFinished(note.job_id, "done", "", now))
    found = spending("30d", history=history, now=now)
    assert (found.jobs, found.cost_usd) == (2, 0.5)
    assert sum(day.tasks for day in found.days) == 2
    assert spending("52w", history=history, now=now).jobs == 3


def test_short_jobs_are_listed_and_counted(deployed: Account, home: Path, tmp_path: Path) -> None:
    """Commands that took less than a second, each a separate process."""
    environment = {**deployed.connection.environment(), "XDG_STATE_HOME": str(tmp_path)}
    for _ in range(3):
        done = run(home, "invoke", "--code", "6*7", environment=environment)
        assert done.status == 0 and "42" in done.out, done.err
    listed = run(home, "jobs", "--json", environment=environment).document["jobs"]
    assert [(each["state"], each["done"], each["mode"]) for each in listed] == [("done", 1, "sync")] * 3
    assert len(run(home, "jobs", "--json", "-n", "2", environment=environment).document["jobs"]) == 2
    found = run(home, "cost", "--json", environment=environment).document
    assert found["jobs"] == 3 and found["cost_usd"] > 0
    assert abs(found["cost_usd"] - sum(each["cost_usd"] for each in listed)) < 1e-12


def test_cost_command() -> None:
    """A document, and an invalid age reported."""
    assert set(call("cost", "--json").document) == {"days", "jobs", "cost_usd"}
    assert call("cost", "--since", "yesterday").status == 4


def test_objects_of_old_jobs_are_deleted(deployed: Account) -> None:
    """Only what is lambdamagic's, only what jobs left, only what is old, and only after asking."""
    bucket = next(each for each in deployed.inventory()["buckets"] if each.startswith("lambdamagic-"))
    kept = ["lambdamagic/packages/p", "mine"]
    left = [f"lambdamagic/{part}/x" for part in ("jobs", "blobs", "cache", "graphs")]
    for key in (*kept, *left):
        deployed.ask("s3", "put_object", Bucket=bucket, Key=key, Body=b"x")

    def there() -> set[str]:
        found = deployed.ask("s3", "list_objects_v2", Bucket=bucket)["Contents"]
        return {each["Key"] for each in found} & {*kept, *left}

    words = ("clean", "--target", "aws")
    assert "no object of a job is older than 1d" in call(*words, "--older-than", "1d").out
    declined = call(*words, "--older-than", "0s", answer="n\n")
    assert declined.status == DECLINED and f"in {bucket}?" in declined.err
    assert there() == {*kept, *left}
    assert call(*words, "--older-than", "0s", "--yes", "--json").document["deleted"] >= len(left)
    assert there() == set(kept)
