"""What is remembered of jobs: a line each, and a file for those that can be resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lambdamagic.api.spending import spending
from lambdamagic.events import InvocationFinished, JobFinished, TaskFinished
from lambdamagic.jobs.diary import Diary
from lambdamagic.jobs.history import History, JobNote

_DAY_S = 86_400.0
_NOW = 1_790_000_000.0


def end_job(
    history: History, job_id: str, *, at: float = _NOW, key: bytes = b"", cost_usd: float = 0.25, target: str = "aws"
) -> None:
    """Run a job of one task and 100 ms, as the engine says of it."""
    note = JobNote(job_id, "x" * 5_000, "event" if key else "sync", {"target": target}, 1, at - 0.1, key)
    file = history.begin(note)
    file(TaskFinished(job_id, 0, failed=False, error="", seconds=0.1, at=at))
    file(InvocationFinished(job_id, "a", (0,), None, "e", False, 0, cost_usd, 10.0, at))
    file(JobFinished(job_id, "done", "", at))


def test_a_short_job_is_recorded_without_its_own_file(tmp_path: Path) -> None:
    """Its line says all that the list needs, and is small whatever ran."""
    history = History(tmp_path / "jobs")
    end_job(history, "one")
    note = history.read("one")
    assert note is not None and note == history.all()[0]
    assert (note.state, note.ended["done"], note.ended["cost_usd"], note.key) == ("done", 1, 0.25, b"")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path.stat().st_size < 600
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_thousands_of_short_jobs_push_out_nothing(tmp_path: Path) -> None:
    """The key of a job that can be resumed stays; all count, and the latest are listed first."""
    history = History(tmp_path)
    end_job(history, "durable", key=b"secret")
    for number in range(2_000):
        end_job(history, f"job-{number}", at=_NOW + number)
    durable = history.read("durable")
    assert durable is not None and durable.key == b"secret"
    found = spending("1d", history=history, now=_NOW + 2_000)
    assert (found.jobs, found.cost_usd) == (2_001, 2_001 * 0.25)
    assert [note.job_id for note in history.all(latest=2)] == ["job-1999", "job-1998"]
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2
    assert b"secret" not in b"".join(path.read_bytes() for path in history.diary.folder.iterdir())


def test_a_job_whose_file_was_deleted_still_counts(tmp_path: Path) -> None:
    """Only the latest have a file; the money was spent all the same, and is counted once where both are there."""
    history = History(tmp_path)
    end_job(history, "early", key=b"k")
    end_job(history, "late", key=b"k", at=_NOW + 1)
    (tmp_path / "early.jsonl").unlink()
    assert spending("1d", history=history, now=_NOW + 2).cost_usd == 0.5
    assert [(note.job_id, note.key) for note in history.all()] == [("late", b"k"), ("early", b"")]


def test_days_go_after_a_time_and_beyond_a_size(tmp_path: Path) -> None:
    """When a day begins, those of more than 90 days ago go, and the oldest that are too much."""
    diary = Diary(tmp_path, room_bytes=1_000)
    for days_ago in (100, 91, 89, 2, 1, 0):
        diary.add(
            {"job": days_ago, "filled": "x" * (600 if days_ago == 89 else 200)},
            _NOW - days_ago * _DAY_S,
            is_billed=True,
        )
    assert [line["job"] for line in diary.read()] == [0, 1, 2]
    assert [line["job"] for line in diary.read(_NOW - _DAY_S)] == [0, 1]
    roomy = Diary(tmp_path / "roomy")
    for days_ago in (91, 89, 0):
        roomy.add({"job": days_ago}, _NOW - days_ago * _DAY_S, is_billed=True)
    assert [line["job"] for line in roomy.read()] == [0, 89]


def test_a_full_day_takes_only_what_costs_money(tmp_path: Path) -> None:
    """Cells on the embedded Lambda in a loop cannot fill a disk, and no bill is lost."""
    history = History(tmp_path)
    history.diary = Diary(tmp_path / "days", day_bytes=1_000)
    for number in range(50):
        end_job(history, f"local-{number}", target="local")
    end_job(history, "billed")
    assert len(history.all()) < 6
    assert spending("1d", history=history, now=_NOW + 1).jobs == 1


def test_an_unusable_history_does_not_harm_a_job(tmp_path: Path) -> None:
    """A folder that cannot be made loses the note; a line that was cut off, or is not lambdamagic's, is left out."""
    (tmp_path / "taken").write_text("")
    end_job(History(tmp_path / "taken"), "lost")
    assert History(tmp_path / "taken").all() == []
    history = History(tmp_path)
    end_job(history, "whole")
    (path,) = history.diary.folder.iterdir()
    path.write_bytes(b'[1]\n"text"\n{"job": "no more"}\n' + path.read_bytes() + b'{"job": "cut o')
    assert [note.job_id for note in history.all()] == ["whole"]


def test_only_this_user_can_read_a_jobs_key(tmp_path: Path) -> None:
    """The file and the folder that it is in."""
    end_job(History(tmp_path / "jobs"), "one", key=b"secret")
    path = tmp_path / "jobs" / "one.jsonl"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_job_that_cannot_be_noted_runs_and_says_so(tmp_path: Path) -> None:
    """A read-only or full home costs the way back to the job, and one warning; not the job."""
    (tmp_path / "taken").write_text("")
    with pytest.warns(
        RuntimeWarning, match="job (one|two) cannot be resumed by another process: .* cannot be written"
    ) as shown:
        end_job(History(tmp_path / "taken"), "one", key=b"k")
        note = JobNote("two", "x", "event", {}, 1, _NOW, b"k")
        file = History(tmp_path / "taken").begin(note)
        for number in range(3):
            file.sent(f"00000{number}-0-1")
    assert len(shown) == 2, "one for each job"


_WRITER = """
import sys
from pathlib import Path
from lambdamagic.jobs.diary import Diary

for number in range(500):
    Diary(Path(sys.argv[1])).add({"job": f"{sys.argv[2]}-{number}", "filled": "x" * 400}, 1e9, is_billed=True)
"""


def test_processes_write_at_once(tmp_path: Path) -> None:
    """No line is lost or mixed with another."""
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = [line["job"] for line in Diary(tmp_path).read()]
    assert sorted(found) == sorted(f"{name}-{number}" for name in "abc" for number in range(500))


_FULL = """
import contextlib, json, resource, sys
from pathlib import Path
from lambdamagic.jobs.history import History, JobNote

def limit(size_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

history = History(Path(sys.argv[1]))
limit(700)  # a disk that is full takes a part of a line
for number in range(3):
    with contextlib.suppress(OSError):
        history.diary.add({"job": str(number), "filled": "x" * 400}, 1e9, is_billed=True)
file = history.begin(JobNote("j", "x" * 120, "event", {}, 99, 1e9, b"k"))
for number in range(40):
    file.sent(f"{number:06}-0-1")
limit(resource.RLIM_INFINITY)
history.diary.add({"job": "after"}, 1e9, is_billed=True)
history.begin(JobNote("j", "x", "event", {}, 99, 1e9, b"k")).sent("000099-0-1")
print(json.dumps([[line["job"] for line in history.diary.read()], history.read("j").sent]))
"""


def test_half_a_line_costs_no_other_line(tmp_path: Path) -> None:
    """What is recorded when the disk has room again is read, and so is what a process records that resumes the job."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FULL, str(tmp_path)], check=True, capture_output=True, text=True
    )
    days, sent = json.loads(done.stdout)
    assert days == ["after", "0"]
    assert sent[0] == "000000-0-1"
    assert sent[-1] == "000099-0-1"
    assert len(sent) < 40


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """A job of mode `sync` had a separate file; it is listed and counted."""
    (tmp_path / "20260101-000000-aa.jsonl").write_text(
        '{"job": "20260101-000000-aa", "label": "work", "mode": "sync", "where": {"target": "aws"}, "task_count": 4, '
        '"started_at": 1790000000.0, "key": "", "pid": 7}\n'
        '{"ended": {"state": "done", "done": 4, "failed": 0, "cost_usd": 0.5, "at": 1790000009.0}}\n'
    )
    history = History(tmp_path)
    assert [note.state for note in history.all()] == ["done"]
    assert spending("1d", history=history, now=_NOW + 60).cost_usd == 0.5
