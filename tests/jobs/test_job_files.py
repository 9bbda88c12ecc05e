"""The file of a job that can be resumed, the right to do that, and what is read of both."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambdamagic import events
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs import history as module
from lambdamagic.jobs.history import GRAPH_MODE, History, JobNote

_NOW = 1_790_000_000.0
_HEAD = {
    "job": "j",
    "label": "work",
    "mode": "event",
    "where": {"target": "aws"},
    "task_count": 4,
    "started_at": _NOW,
    "key": base64.b64encode(b"secret").decode(),
    "pid": 7,
}
_END = {"state": "done", "done": 3, "failed": 1, "cost_usd": 0.5, "at": _NOW + 9}


def lines(folder: Path, *documents: Any, job_id: str = "j") -> JobNote | None:
    """Write a job's file and return what is read of it."""
    text = "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in documents)
    (folder / f"{job_id}.jsonl").write_text(text)
    return History(folder).read(job_id)


def test_a_file_has_all_that_resuming_needs(tmp_path: Path) -> None:
    """What its head says, each attempt in order, and the end."""
    sent = ["000001-0-2", "000002-2-2"]
    note = lines(tmp_path, _HEAD, *({"sent": each} for each in sent), {"ended": _END})
    assert note == JobNote("j", "work", "event", {"target": "aws"}, 4, _NOW, b"secret", sent, _END, 7)
    assert note.state == "done" and "secret" not in repr(note)
    assert not note.is_graph and JobNote("j", "", GRAPH_MODE, {}, None, 0.0).is_graph
    assert JobNote("j", "", "sync", {}, None, 0.0).client_pid == 0


def test_a_job_that_was_resumed_has_several_heads(tmp_path: Path) -> None:
    """The latest counts; what was sent before stays, and the end of before does not."""
    sent = {"sent": "000001-0-2"}
    note = lines(tmp_path, _HEAD, sent, {"ended": _END}, {**_HEAD, "pid": 8}, {"sent": "000002-0-2"})
    assert note is not None
    assert (note.client_pid, note.sent, note.ended) == (8, ["000001-0-2", "000002-0-2"], {})


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"sent": "000003-0',
        "[]",
        '{"sent": "no attempt"}',
        '{"sent": 1}',
        '{"ended": []}',
        '{"ended": {"done": 1}}',
        '{"ended": {"state": "done", "failed": -1}}',
        '{"ended": {"state": "done", "at": "x"}}',
        '{"ended": {"state": "done", "cost_usd": -1}}',
        '{"job": "j"}',
        '{"other": 1}',
    ],
)
def test_a_line_that_is_cut_off_or_of_another_form_is_left_out(tmp_path: Path, line: str) -> None:
    """The others count."""
    note = lines(tmp_path, _HEAD, line, {"sent": "000001-0-2"})
    assert note is not None and (note.job_id, note.sent, note.ended) == ("j", ["000001-0-2"], {})


@pytest.mark.parametrize("name", ["label", "mode", "where", "task_count", "started_at"])
def test_a_head_without_one_of_its_parts_is_none(tmp_path: Path, name: str) -> None:
    """Nor is one in which it has another form; lines before a head belong to none."""
    less = {key: value for key, value in _HEAD.items() if key != name}
    assert lines(tmp_path, less) is None
    assert lines(tmp_path, {**_HEAD, name: [1]}) is None
    assert lines(tmp_path, {**_HEAD, "key": "no Base64!"}) is None
    assert lines(tmp_path, {"sent": "000001-0-2"}, {"ended": _END}) is None
    assert History(tmp_path).all() == []


def test_a_head_of_an_earlier_version_lacks_parts(tmp_path: Path) -> None:
    """A key, a process; the number of tasks may be unknown."""
    few = {key: value for key, value in _HEAD.items() if key not in ("key", "pid")}
    note = lines(tmp_path, {**few, "task_count": None}, {"ended": {"state": "failed"}})
    assert note == JobNote("j", "work", "event", {"target": "aws"}, None, _NOW, ended={"state": "failed"})


@pytest.mark.parametrize("job_id", ["../j", "", "a/b", "x" * 101, "j\n", "ü"])
def test_a_name_that_is_no_jobs_reads_no_file(tmp_path: Path, job_id: str) -> None:
    """It would be one of another folder."""
    (tmp_path / "inner").mkdir()
    lines(tmp_path, _HEAD)
    assert History(tmp_path / "inner").read(job_id) is None


def test_a_job_is_found_by_its_file_or_by_its_line(tmp_path: Path) -> None:
    """The file says more."""
    history = History(tmp_path)
    for name in ("x" * 100, "b.c-d_e"):
        lines(tmp_path, {**_HEAD, "job": name}, job_id=name)
        assert history.read(name) is not None
    history.diary.add({**_HEAD, "job": "by line", "ended": _END}, _NOW, is_billed=True)
    found = history.read("by line")
    assert found is not None and found.ended == _END
    assert history.read("other") is None


def test_whether_a_job_runs_is_asked_of_its_process(tmp_path: Path) -> None:
    """One that ended before the job did has abandoned it, as has one whose number another process has by now."""
    created = psutil.Process().create_time()

    def state(pid: int, started_at: float) -> str:
        return JobNote("j", "", "event", {}, None, started_at, client_pid=pid).state

    assert state(os.getpid(), created) == "running"
    assert state(os.getpid(), created - 0.9) == "running"
    assert state(os.getpid(), created - 1.1) == "abandoned"
    assert state(0, time.time()) == "abandoned"
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert state(ended.pid, time.time()) == "abandoned"


def test_a_file_is_written_as_the_job_runs(tmp_path: Path) -> None:
    """The head at once; every line by itself, so that a kill leaves all before it."""
    history = History(tmp_path)
    file = history.begin(JobNote("j", "x" * 300, "event", {"target": "aws"}, 4, _NOW, b"secret"))
    note = history.read("j")
    assert note == JobNote("j", "x" * 300, "event", {"target": "aws"}, 4, _NOW, b"secret", client_pid=os.getpid())
    file.sent("000001-0-2")
    for failed in (False, True, False):
        file(events.TaskFinished("j", 0, failed, "", 0.0, _NOW))
    for event in (
        events.InvocationFinished("j", "a", (0,), None, "", False, 0, 0.25, 0.0, _NOW),
        events.Charged("j", "s3", 0.5, _NOW),
        events.BytesMoved("j", 1, 1),
        events.JobFinished("j", "cancelled", "", _NOW + 9),
    ):
        file(event)
    note = history.read("j")
    assert note is not None and note.sent == ["000001-0-2"]
    assert note.ended == {"state": "cancelled", "done": 2, "failed": 1, "cost_usd": 0.75, "at": _NOW + 9}
    (line,) = history.diary.read()
    assert line == {
        **{key: value for key, value in _HEAD.items() if key not in ("key", "pid")},
        "label": "x" * 200,
        "ended": note.ended,
    }


def test_a_job_without_a_key_is_only_a_line(tmp_path: Path) -> None:
    """Until an attempt is noted, there is no file."""
    history = History(tmp_path)
    file = history.begin(JobNote("j", "x", "sync", {}, 4, _NOW))
    assert [*tmp_path.iterdir()] == []
    file(events.JobFinished("j", "done", "", _NOW))
    assert [path.name for path in tmp_path.iterdir()] == ["days"]


@pytest.mark.parametrize(("target", "is_kept"), [("aws", True), ("local", False)])
def test_costs_outside_of_jobs_are_noted(tmp_path: Path, target: str, is_kept: bool) -> None:
    """A full day takes those that AWS bills; they are no jobs, and have the time in their names."""
    history = History(tmp_path)
    history.diary = module.Diary(tmp_path / "days", day_bytes=0)
    history.charge("a check", {"target": target}, cost_usd=0.5, at=_NOW)
    assert history.all() == []
    found = history.all(charges=True)
    assert len(found) == is_kept
    for note in found:
        assert note.job_id.startswith("20260921-141320-") and len(note.job_id) == 24
        assert (note.label, note.mode, note.where, note.task_count) == ("a check", "none", {"target": target}, 0)
        assert note.ended == {"state": "done", "done": 0, "failed": 0, "cost_usd": 0.5, "at": _NOW}
        assert note.started_at == _NOW


def test_all_days_are_this_users_alone(tmp_path: Path) -> None:
    """Also those that come later, and the folders on the way."""
    diary = module.Diary(tmp_path / "a" / "b" / "days")
    for day in range(2):
        diary.add({}, _NOW + day * 86_400, is_billed=True)
    files = [*diary.folder.iterdir()]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 2
    assert [path.stat().st_mode & 0o777 for path in (diary.folder, diary.folder.parent)] == [0o700] * 2


def test_the_latest_days_stay_where_there_is_too_much(tmp_path: Path) -> None:
    """All of them, and as many as there is room for."""
    diary = module.Diary(tmp_path, room_bytes=1_000)
    for day in range(5):
        diary.add({"day": day, "filled": "x" * 300}, _NOW + day * 86_400, is_billed=True)
    assert [line["day"] for line in diary.read()] == [4, 3, 2]


def test_jobs_are_listed_by_their_start_the_latest_first(tmp_path: Path) -> None:
    """As many as are asked for; a file stands for the line of its job, and one that is half written for none."""
    history = History(tmp_path)
    for number in range(3):
        at = _NOW + number
        history.diary.add({**_HEAD, "job": f"d{number}", "started_at": at, "ended": _END}, at, is_billed=True)
    history.diary.add(
        {**_HEAD, "job": "d1", "started_at": _NOW + 1, "ended": {**_END, "done": 9}}, _NOW, is_billed=True
    )
    lines(tmp_path, {**_HEAD, "job": "f", "started_at": _NOW + 9}, job_id="f")
    lines(tmp_path, {**_HEAD, "job": "d0", "label": "file"}, job_id="d0")
    lines(tmp_path, '{"job": "cut', job_id="cut")
    lines(tmp_path, {**_HEAD, "job": "a", "started_at": _NOW + 9}, job_id="a")
    found = history.all()
    assert [note.job_id for note in found] == ["f", "a", "d2", "d1", "d0"]
    assert (found[-1].label, found[3].ended["done"]) == ("file", 9)
    assert [note.job_id for note in history.all(latest=1)] == ["f"]
    assert [note.job_id for note in history.all(since=_NOW + 86_400)] == ["f", "a", "d0"]


def test_the_oldest_files_make_room_for_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their locks; as many stay as are kept."""
    monkeypatch.setattr(module, "KEPT", 3)
    history = History(tmp_path / "a" / "b")
    for number in range(5):
        history.begin(JobNote(f"j{number}", "x", "event", {}, 1, _NOW, b"k"))
        history.lock(f"j{number}").release()
    names = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert names == [f"j{number}.{kind}" for number in (2, 3, 4) for kind in ("jsonl", "lock")]


def test_no_file_goes_before_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that was never locked goes like the others."""
    monkeypatch.setattr(module, "KEPT", 6)
    history = History(tmp_path)
    for number in range(6):
        history.begin(JobNote(f"j{number}", "x", "event", {}, 1, _NOW, b"k"))
        assert len([*tmp_path.iterdir()]) == number + 1
    history.begin(JobNote("j6", "x", "event", {}, 1, _NOW, b"k"))
    assert sorted(path.stem for path in tmp_path.iterdir()) == [f"j{number}" for number in range(1, 7)]


def test_one_process_at_a_time_resumes_a_job(tmp_path: Path) -> None:
    """Another is shown which one; the right can be given back, and goes with its owner."""
    history = History(tmp_path)
    lock = history.lock("j")
    with pytest.raises(JobMissingError, match=rf"^job j is being resumed right now by the process {os.getpid()}\n"):
        history.lock("j")
    lock.release()
    lock.release()
    (tmp_path / "j.lock").write_text("9" * 12)
    again = history.lock("j")
    assert (tmp_path / "j.lock").read_text() == str(os.getpid())
    assert (tmp_path / "j.lock").stat().st_mode & 0o777 == 0o600
    del again
    history.lock("j").release()


def test_a_job_that_cannot_be_noted_says_where(tmp_path: Path) -> None:
    """The warning points to who began the job, and has the system's reason."""
    (tmp_path / "jobs").write_text("")
    with pytest.warns(RuntimeWarning, match=r"jobs/j\.jsonl cannot be written \((File exists|Not a directory)\)$"):
        History(tmp_path / "jobs").begin(JobNote("j", "x", "event", {}, 1, _NOW, b"k"))


def test_the_folder_is_this_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for by what names it at that moment."""
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        assert History().folder == tmp_path / name / "lambdamagic" / "jobs"
    assert History(tmp_path).diary is History(tmp_path).diary
