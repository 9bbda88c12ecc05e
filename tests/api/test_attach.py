"""Jobs that outlive their client: killed with -9, resumed by another process, nothing run twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lambdamagic
from lambdamagic.api import process
from lambdamagic.api.options import Access
from lambdamagic.config import load_settings
from lambdamagic.errors import IntegrityError, JobMissingError
from lambdamagic.jobs.history import History
from lambdamagic.protocol import keys
from lambdamagic.targets.local_target import LocalTarget

_CLIENT = """
import sys, time
from pathlib import Path
import lambdamagic

folder = Path({folder!r})

class Answer:
    def __init__(self, number):
        self.number = number

def work(number):
    with (folder / f"ran-{{number}}").open("a") as file:
        file.write("x")
    if number >= {gated}:
        (folder / f"waits-{{number}}").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)
    if number == 3:
        raise ValueError("three")
    return Answer(number * 10)

executor = lambdamagic.LambdaExecutor({workers}, mode={mode!r})
job = executor.start_map(work, range(12), chunksize=2)
print(job.job_id, flush=True)
job.wait()
"""


@pytest.fixture
def deployed(local_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A deployed function and a bucket, as an account has them: the embedded Lambda of another process plays it."""
    target = process.target(load_settings().settings, Access())
    assert isinstance(target, LocalTarget)
    from lambdamagic.targets.target import FunctionWish

    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    function = target.function_for(FunctionWish(256, 30, python))
    target.trigger_secret(function.name)
    connection = local_server.connection
    for name, value in {
        "AWS_ACCESS_KEY_ID": connection.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.secret_access_key,
        "LAMBDAMAGIC_TARGET": "aws",
        "LAMBDAMAGIC_REGION": connection.region,
        "LAMBDAMAGIC_ENDPOINT_URL": connection.endpoint_url,
        "LAMBDAMAGIC_FUNCTION": function.name,
        "LAMBDAMAGIC_BUCKET": target.stager.required().bucket,
    }.items():
        monkeypatch.setenv(name, value)
    yield target


def _start(folder: Path, *, mode: str, gated: int, workers: int = 4) -> tuple[subprocess.Popen[str], str]:
    program = folder / "client.py"
    program.write_text(_CLIENT.format(folder=str(folder), gated=gated, workers=workers, mode=mode))
    client = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    return client, client.stdout.readline().strip()


def _ran(folder: Path) -> Counter[int]:
    return Counter({int(path.name[4:]): path.stat().st_size for path in folder.glob("ran-*")})


def _until(there: Any) -> None:
    import time

    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process's progress can only be looked at


@pytest.mark.parametrize("mode", ["event", "trigger"])
def test_a_killed_clients_job_is_resumed(deployed: Any, tmp_path: Path, mode: str) -> None:
    """After kill -9: what is done is not run again, running tasks are waited for, and the others are sent."""
    client, job_id = _start(tmp_path, mode=mode, gated=4, workers=3)
    store = deployed.stager.required()
    # Two chunks are done; three are under way, of six; one was never sent.
    _until(lambda: len(list(tmp_path.glob("waits-*"))) == 3)
    _until(lambda: sum(info.key.endswith("/answer") for info in store.list(keys.results_prefix(job_id))) == 2)
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    (known,) = [info for info in lambdamagic.list_jobs() if info.job_id == job_id]
    assert (known.state, known.is_attachable, known.task_count, known.mode) == ("abandoned", True, 12, mode)
    assert sum(_ran(tmp_path).values()) == 7
    job = lambdamagic.attach(job_id)
    (tmp_path / "go").touch()
    assert job.wait(90)
    results = job.results()
    assert [each.number for number, each in enumerate(results) if number != 3] == [
        number * 10 for number in range(12) if number != 3
    ]
    assert type(results[3]) is ValueError
    assert job.state == "failed"
    assert _ran(tmp_path) == dict.fromkeys(range(12), 1)


def test_a_finished_job_is_read_again(deployed: Any, tmp_path: Path) -> None:
    """Its results stay in the bucket; a failed task can be run again, and only that one runs."""
    (tmp_path / "go").touch()
    client, job_id = _start(tmp_path, mode="event", gated=100)
    client.communicate(timeout=200)
    job = lambdamagic.attach(job_id)
    assert job.wait(60)
    assert job.missing == []
    assert list(job.failures) == [3]
    assert sum(_ran(tmp_path).values()) == 12
    job.retry_failed().wait(60)
    assert list(job.failures) == [3]
    assert _ran(tmp_path) == {**dict.fromkeys(range(12), 1), 3: 2}


def test_a_writer_to_the_bucket_cannot_plant_a_result(deployed: Any, tmp_path: Path) -> None:
    """A manifest or an answer of another's is refused before anything is unpickled."""
    (tmp_path / "go").touch()
    client, job_id = _start(tmp_path, mode="event", gated=100)
    client.communicate(timeout=200)
    store = deployed.stager.required()
    manifest = bytes(store.get(keys.manifest_key(job_id)))
    store.put(keys.manifest_key(job_id), [manifest.replace(b'\\"label\\": \\"work\\"', b'\\"label\\": \\"evil\\"')])
    with pytest.raises(IntegrityError):
        lambdamagic.attach(job_id)


def test_an_answer_that_was_changed_is_reported_and_its_tasks_run_again(deployed: Any) -> None:
    """Planted keys are passed over, a changed answer is not silently as if it had never been there."""
    with lambdamagic.LambdaExecutor(4, mode="event", timeout_s=15, memory_mb=256) as executor:
        job = executor.start_map(abs, range(-4, 0), chunksize=1)
        assert job.result(60) == [4, 3, 2, 1]
    store = deployed.stager.required()
    (answer, *_) = [info.key for info in store.list(keys.results_prefix(job.job_id)) if info.key.endswith("/answer")]
    store.put(answer, [b'{"answer": "{}", "signature": "\xc3\xa9"}'])
    store.put(keys.answer_key(job.job_id, "no-attempt"), [b"x"])
    store.put(keys.answer_key(job.job_id, "000009-7-9"), [b"x"])
    store.put(keys.blocks_prefix(job.job_id) + "nothing", [b"x"])
    with pytest.warns(RuntimeWarning, match="does not carry this job's signature"):
        again = lambdamagic.attach(job.job_id)
    assert again.result(60) == [4, 3, 2, 1]


def test_two_processes_do_not_resume_a_job_at_once(deployed: Any, tmp_path: Path) -> None:
    """Each would delete the signs that the other waits for: the second says who has it, also within one process."""
    client, job_id = _start(tmp_path, mode="event", gated=4, workers=3)
    _until(lambda: len(list(tmp_path.glob("waits-*"))) == 3)
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    lock = History().lock(job_id)
    with pytest.raises(JobMissingError, match=f"being resumed right now by the process {os.getpid()}"):
        lambdamagic.attach(job_id)
    lock.release()
    job = lambdamagic.attach(job_id)
    with pytest.raises(JobMissingError, match=f"owned by the running process {os.getpid()}"):
        lambdamagic.attach(job_id)
    (tmp_path / "go").touch()
    assert job.wait(90)
    assert _ran(tmp_path) == dict.fromkeys(range(12), 1)
    assert lambdamagic.attach(job_id).wait(60)


def test_unknown_jobs_cannot_be_attached(deployed: Any, tmp_path: Path) -> None:
    """The error says why, and where it could be."""
    with pytest.raises(JobMissingError, match="has no job 'nothing'"):
        lambdamagic.attach("nothing")
    (tmp_path / "go").touch()
    client, job_id = _start(tmp_path, mode="event", gated=100)
    client.communicate(timeout=200)
    (History().folder / f"{job_id}.jsonl").unlink()
    listed = [info for info in lambdamagic.list_jobs(bucket=True) if info.job_id == job_id]
    assert [(info.state, info.is_attachable) for info in listed] == [("partly", False)], "its line is there"
    with pytest.raises(JobMissingError, match="has no key on this machine"):
        lambdamagic.attach(job_id)
    shutil.rmtree(History().diary.folder)
    stored = [info for info in lambdamagic.list_jobs(bucket=True) if info.job_id == job_id]
    assert [(info.state, info.is_attachable) for info in stored] == [("stored", False)]
    with pytest.raises(JobMissingError, match="which alone has its key"):
        lambdamagic.attach(job_id)


def test_an_account_without_a_region_is_not_asked_for_an_embedded_lambda(local_server: Any) -> None:
    """Another target of the process cannot make an attach fail; only an embedded Lambda's job is looked for here."""
    process.target(
        load_settings(overrides={"target": "aws", "function": "f", "bucket": "example-bucket"}).settings, Access()
    )
    process.target(load_settings(overrides={"target": "local"}).settings, Access())
    try:
        assert process.is_open(local_server.connection.endpoint_url)
        assert not process.is_open("http://127.0.0.1:9")
    finally:
        process.close()


def test_synchronous_jobs_say_how_to_outlive_a_kernel(deployed: Any) -> None:
    """Their results went to their own client."""
    with lambdamagic.LambdaExecutor() as executor:
        job = executor.start_map(abs, [-1])
        job.result(60)
    assert [info.state for info in lambdamagic.list_jobs() if info.job_id == job.job_id] == ["done"]
    with pytest.raises(JobMissingError, match="--mode event"):
        lambdamagic.attach(job.job_id)


_CELL = """
from pathlib import Path
get_ipython().run_line_magic("load_ext", "lambdamagic")
folder = Path({folder!r})
counts = [1]
get_ipython().run_cell_magic("lambda", "--mode event -q", '''
import time
with (folder / "ran-0").open("a") as file:
    file.write("x")
(folder / "waits-0").touch()
while not (folder / "go").exists():
    time.sleep(0.02)
counts.append(2)
total = sum(counts)
print("said remotely")
total * 2
''')
"""


def test_a_cell_is_resumed_in_another_notebook(deployed: Any, tmp_path: Path) -> None:
    """Its names are bound there, what it had captured comes with its changes, and it has run once."""
    (tmp_path / "cell.ipy").write_text(_CELL.format(folder=str(tmp_path)))
    client = subprocess.Popen([sys.executable, "-m", "IPython", str(tmp_path / "cell.ipy")], stdout=subprocess.PIPE)
    _until(lambda: list(tmp_path.glob("waits-*")))
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    job_id = next(info.job_id for info in lambdamagic.list_jobs() if info.state == "abandoned" and info.is_attachable)
    (tmp_path / "go").touch()
    (tmp_path / "again.ipy").write_text(
        "get_ipython().run_line_magic('load_ext', 'lambdamagic')\n"
        f"shown = get_ipython().run_line_magic('lambda', 'attach {job_id}')\n"
        "print(shown, total, counts)\n"
        "print(get_ipython().run_line_magic('lambda', 'jobs --all'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", str(tmp_path / "again.ipy")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said remotely" in done.stdout
    assert "6 3 [1, 2]" in done.stdout
    assert job_id in done.stdout
    assert _ran(tmp_path) == {0: 1}
    with pytest.raises(JobMissingError, match=r"%lambda attach"):
        lambdamagic.attach(job_id)
