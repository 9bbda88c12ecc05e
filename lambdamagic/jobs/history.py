"""The history of this user's jobs on this machine: each leaves a line at its end (`jobs/diary.py`).

A job that may be resumed also has a separate file, written as it runs. Its key is there, and nowhere else:
`kill -9` of the client leaves both. Only this user may read the files.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import itertools
import json
import os
import re
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdamagic import events
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.diary import Diary
from lambdamagic.protocol.keys import read_attempt_name
from lambdamagic.protocol.reading import count, number, read_json, table, text

#: Files of jobs that are kept; the oldest go first. Their lines stay.
KEPT = 500

_LABEL_MAX = 200  # characters, in a line


#: The mode of what was billed outside of jobs.
NO_JOB = "none"
#: The mode by which the history knows a graph that runs in walks.
GRAPH_MODE = "walks"


@dataclass
class JobNote:
    """The history's record of one job.

    Attributes:
        job_id: Its id.
        label: A short name of the job, for display.
        mode: `sync`, `event`, `trigger`, or GRAPH_MODE.
        where: The settings that find it again (target, function, its size, bucket, region, ...). No secret.
        task_count: How many tasks there were; None when that was not known.
        started_at: Seconds since the epoch.
        key: The job's key, where it may be resumed; empty otherwise.
        sent: Attempts that were sent as events, in order.
        ended: What was noted of its end: `state`, `done`, `failed`, `cost_usd`, `at`; empty while it runs, or when its
            client died.
        client_pid: The process that started it.
    """

    job_id: str
    label: str
    mode: str
    where: dict[str, Any]
    task_count: int | None
    started_at: float
    key: bytes = field(default=b"", repr=False)
    sent: list[str] = field(default_factory=list)
    ended: dict[str, Any] = field(default_factory=dict)
    client_pid: int = 0

    @property
    def is_graph(self) -> bool:
        """Whether it is a graph that runs in Lambda without its client."""
        return self.mode == GRAPH_MODE

    @property
    def state(self) -> str:
        """`done`, `failed`, `cancelled`, `running`, or `abandoned` when its client ended before it."""
        if self.ended:
            return str(self.ended["state"])
        return "running" if _is_running(self.client_pid, self.started_at) else "abandoned"


def _is_running(pid: int, started_at: float) -> bool:
    """Return whether the process lives that started a job then; another may have its number by now."""
    import psutil

    try:
        return bool(pid) and psutil.Process(pid).create_time() <= started_at + 1
    except psutil.Error:
        return False


class JobFile:
    """The file of a running job; the engine's `Journal`, and a listener. Thread-safe.

    Args:
        path: Where the job's own file is.
        note: What is known at the start.
        prepare: Called before the file is made.
        diary: What has a line for each job that has ended.

    A job that cannot be resumed has no separate file.
    """

    def __init__(self, path: Path, note: JobNote, *, prepare: Callable[[], None], diary: Diary) -> None:
        self.path, self._prepare, self._diary = path, prepare, diary
        self._lock = threading.Lock()
        self._is_begun = self._is_lost = False
        self._counts = {"done": 0, "failed": 0}
        self._cost_usd = 0.0
        self._pid = os.getpid()
        self._head: dict[str, Any] = {
            "job": note.job_id,
            "label": note.label,
            "mode": note.mode,
            "where": note.where,
            "task_count": note.task_count,
            "started_at": note.started_at,
            "key": base64.b64encode(note.key).decode(),
            "pid": self._pid,
        }
        if note.key:
            self._note()

    def sent(self, attempt_id: str) -> None:
        """Record an attempt before it is sent."""
        self._note({"sent": attempt_id})

    def __call__(self, event: events.Event) -> None:
        """Handle an event; only the end is written."""
        match event:
            case events.TaskFinished():
                self._counts["failed" if event.failed else "done"] += 1
            case events.InvocationFinished() | events.BatchHandedOver() | events.Charged():
                self._cost_usd += event.cost_usd
            case events.JobFinished():
                ended = {"state": event.state, **self._counts, "cost_usd": self._cost_usd, "at": event.at}
                with contextlib.suppress(OSError):  # a full disk loses the note of a job that is over, no more
                    if self._is_begun:
                        self._write({"ended": ended})
                with contextlib.suppress(OSError):  # likewise
                    line = {name: value for name, value in self._head.items() if name not in ("key", "pid")}
                    line |= {"label": self._head["label"][:_LABEL_MAX], "ended": ended}
                    is_billed = self._head["where"].get("target") != "local"
                    self._diary.add(line, event.at, is_billed=is_billed)
            case _:
                pass

    def _note(self, *documents: dict[str, Any]) -> None:
        """Write what is needed to resume the job; without room for it the job runs, and that is said once."""
        if self._is_lost:
            return
        try:
            self._write(*documents)
        except OSError as error:
            self._is_lost = True
            warnings.warn(
                f"job {self._head['job']} cannot be resumed by another process: {self.path} cannot be written "
                f"({error.strerror or error})",
                RuntimeWarning,
                stacklevel=3,
            )

    def _write(self, *documents: dict[str, Any]) -> None:
        with self._lock:
            if not self._is_begun:
                self._prepare()
                documents = self._head, *documents
                self._is_begun = True
            # One write to the end of the file: what the system took survives the death of this process.
            # Each begins with a line break, since half a line of an earlier write may be there (a full disk).
            data = b"".join(b"\n" + json.dumps(document).encode() + b"\n" for document in documents)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)


class JobLock:
    """The right to resume a job, which one process has at a time; it ends with the process.

    Args:
        path: The file that is locked. It stays: who waited for it would lock a file that is gone.

    Raises:
        JobMissingError: Another has it; the message says who.
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace")
            self.release()
            raise JobMissingError(
                f"job {path.stem} is being resumed right now by the process {holder}",
                hint="Wait for it there, or end that process first",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Give the right back. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


@functools.lru_cache(maxsize=4)  # each job asks; what it depends on is in the key
def _own_folder(*_variables: str | None) -> Path:
    import platformdirs

    return Path(platformdirs.user_state_path("lambdamagic")) / "jobs"


@functools.lru_cache(maxsize=4)
def _diary_in(folder: Path) -> Diary:
    return Diary(folder / "days")


class History:
    """The files of all jobs.

    Args:
        folder: Where they are; by default the user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _own_folder(os.environ.get("XDG_STATE_HOME"), os.environ.get("HOME"))
        self.diary = _diary_in(self.folder)

    def charge(self, label: str, where: Mapping[str, str], *, cost_usd: float, at: float) -> None:
        """Record a cost outside of jobs: it counts in `spending`.

        Args:
            label: What it was for.
            where: As `JobNote.where`.
            cost_usd: At list price.
            at: When, in seconds since the epoch.
        """
        ended = {"state": "done", "done": 0, "failed": 0, "cost_usd": cost_usd, "at": at}
        name = f"{time.strftime('%Y%m%d-%H%M%S-', time.gmtime(at))}{secrets.token_hex(4)}"
        document = {"job": name, "label": label, "mode": NO_JOB, "where": dict(where), "task_count": 0}
        with contextlib.suppress(OSError):  # a full disk loses the note, no more
            is_billed = where.get("target") != "local"
            self.diary.add({**document, "started_at": at, "ended": ended}, at, is_billed=is_billed)

    def begin(self, note: JobNote) -> JobFile:
        """Start the record of a job, or continue it."""
        return JobFile(self._path(note.job_id), note, prepare=self._make_room, diary=self.diary)

    def lock(self, job_id: str) -> JobLock:
        """Acquire the right to resume a job; see `JobLock`."""
        return JobLock(self.folder / f"{job_id}.lock")

    def read(self, job_id: str) -> JobNote | None:
        """Return the record of a job, or None."""
        if _is_name(job_id):
            with contextlib.suppress(OSError, ValueError):  # there is no file, or none of ours
                return _read(self._path(job_id))
        return next((note for note in self._ended() if note.job_id == job_id), None)

    def all(self, *, since: float = 0.0, latest: int | None = None, charges: bool = False) -> list[JobNote]:
        """Return the recorded jobs, the latest first.

        Args:
            since: Jobs that ended on an earlier day than this time may be left out, in seconds since the epoch.
            latest: So many, of those that ended last and those that have a separate file.
            charges: Whether what was billed outside of jobs is among them; see `charge`.
        """
        found: dict[str, JobNote] = {}
        ended = (note for note in self._ended(since) if charges or note.mode != NO_JOB)
        for note in itertools.islice(ended, latest):
            found.setdefault(note.job_id, note)  # the last end of a job that was resumed
        for path in self._paths():
            with contextlib.suppress(OSError, ValueError):  # half written by a process that died
                note = _read(path)
                found[note.job_id] = note
        return sorted(found.values(), key=lambda note: (note.started_at, note.job_id), reverse=True)[:latest]

    def _ended(self, since: float = 0.0) -> Iterator[JobNote]:
        for document in self.diary.read(since):
            with contextlib.suppress(ValueError):  # no line of ours
                yield _note_of(document)

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.jsonl"

    def _paths(self) -> list[Path]:
        return list(self.folder.glob("*.jsonl"))

    def _make_room(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = self._paths()
        for path in sorted(paths)[: max(0, len(paths) - KEPT + 1)]:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def _is_name(job_id: str) -> bool:
    """Return whether this is a valid job id, and so safe as a file name."""
    return re.fullmatch(r"[\w.-]{1,100}", job_id, re.ASCII) is not None


def _note_of(document: dict[str, Any]) -> JobNote:
    """Parse a line.

    Raises:
        ValueError: It is not lambdamagic's.
    """
    try:
        tasks = document["task_count"]
        return JobNote(
            job_id=text(document["job"]),
            label=text(document["label"]),
            mode=text(document["mode"]),
            where=table(document["where"]),
            task_count=None if tasks is None else count(tasks),
            started_at=number(document["started_at"]),
            key=base64.b64decode(text(document.get("key", "")), validate=True),
            ended=_end_of(document.get("ended", {})),
            client_pid=count(document.get("pid", 0)),
        )
    except KeyError as error:
        raise ValueError(f"a line of a job lacks {error}") from error


def _end_of(document: Any) -> dict[str, Any]:
    ended = table(document)
    if ended:
        text(ended.get("state"))
        for name in ("done", "failed"):
            count(ended.get(name, 0))
        for name in ("cost_usd", "at"):
            number(ended.get(name, 0.0))
    return ended


def _read(path: Path) -> JobNote:
    """Read a file; a job that was resumed has several heads.

    A line that was cut off or is not lambdamagic's is left out.

    Raises:
        OSError, ValueError: It cannot be read, or has no head.
    """
    note: JobNote | None = None
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            document = table(read_json(line))
            if "job" in document:
                sent = note.sent if note is not None else []
                note = _note_of(document)
                note.sent = sent
            elif note is not None and "sent" in document:
                read_attempt_name(text(document["sent"]))
                note.sent.append(document["sent"])
            elif note is not None and "ended" in document:
                note.ended = _end_of(document["ended"])
    if note is None:
        raise ValueError(f"{path} is not a job's file")
    return note
