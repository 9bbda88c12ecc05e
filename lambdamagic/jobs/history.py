"""What this user's jobs were, on this machine: one small file each, written as they run.

A job that may be taken up again keeps its key here, and nowhere else: `kill -9` of the client leaves both. Only this
user may read the files.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdamagic import events

#: Files that are kept; the oldest go first.
KEPT = 500


@dataclass
class JobNote:
    """What is remembered of one job.

    Attributes:
        job_id: Its id.
        label: What ran, for a person.
        mode: `sync`, `event` or `trigger`.
        where: The settings that find it again (target, function, its size, bucket, region, ...). No secret.
        task_count: How many tasks there were; None when that was not known.
        started_at: Seconds since the epoch.
        key: The job's key, where it may be taken up again; empty otherwise.
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
    def state(self) -> str:
        """`done`, `failed`, `cancelled`, `running`, or `abandoned` when its client ended before it."""
        if self.ended:
            return str(self.ended["state"])
        return "running" if _is_running(self.client_pid, self.started_at) else "abandoned"


def _is_running(pid: int, started_at: float) -> bool:
    """Tell whether the process lives that started a job then; another may have its number by now."""
    import psutil

    try:
        return bool(pid) and psutil.Process(pid).create_time() <= started_at + 1
    except psutil.Error:
        return False


class JobFile:
    """The file of a job under way; the engine's `Journal`, and a listener. Thread-safe.

    Args:
        path: Where it is.
        note: What is known at the start.
        prepare: Called before the file is made.

    The file of a job that nobody can take up again is written at its end, and only if it took a while.
    """

    #: Quicker jobs are not worth a file, in seconds.
    SHORTEST_S = 1.0

    def __init__(self, path: Path, note: JobNote, *, prepare: Callable[[], None]) -> None:
        self.path, self._prepare = path, prepare
        self._lock = threading.Lock()
        self._is_begun = False
        self._started_at = note.started_at
        self._counts = {"done": 0, "failed": 0}
        self._cost_usd = 0.0
        self._pid = os.getpid()
        self._head = {
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
            self._write()

    def sent(self, attempt_id: str) -> None:
        """Note an attempt before it is sent."""
        self._write({"sent": attempt_id})

    def __call__(self, event: events.Event) -> None:
        """Take in an event; only the end is written."""
        match event:
            case events.TaskFinished():
                self._counts["failed" if event.failed else "done"] += 1
            case events.InvocationFinished():
                self._cost_usd += event.cost_usd
            case events.JobFinished():
                ended = {"state": event.state, **self._counts, "cost_usd": self._cost_usd, "at": event.at}
                if self._is_begun or event.at - self._started_at >= self.SHORTEST_S:
                    with contextlib.suppress(OSError):  # a full disk loses the note of a job that is over, no more
                        self._write({"ended": ended})
            case _:
                pass

    def _write(self, *documents: dict[str, Any]) -> None:
        with self._lock:
            if not self._is_begun:
                self._prepare()
                documents = self._head, *documents
                self._is_begun = True
            # One write to the end of the file: what the system took survives the death of this process.
            data = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)


class History:
    """The files of all jobs.

    Args:
        folder: Where they are; by default the user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            import platformdirs

            folder = Path(platformdirs.user_state_path("lambdamagic")) / "jobs"
        self.folder = folder

    def begin(self, note: JobNote) -> JobFile:
        """Start a job's file, or go on with it."""
        return JobFile(self._path(note.job_id), note, prepare=self._make_room)

    def read(self, job_id: str) -> JobNote | None:
        """Return what is remembered of a job, or None."""
        try:
            return _read(self._path(job_id))
        except FileNotFoundError:
            return None

    def all(self) -> list[JobNote]:
        """Return all jobs that are remembered, the latest first."""
        found = []
        for path in sorted(self._paths(), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError):  # half written by a process that died
                found.append(_read(path))
        return found

    def forget(self, job_id: str) -> None:
        """Take a job's file away."""
        self._path(job_id).unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.jsonl"

    def _paths(self) -> list[Path]:
        return list(self.folder.glob("*.jsonl"))

    def _make_room(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = self._paths()
        for path in sorted(paths)[: max(0, len(paths) - KEPT + 1)]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> JobNote:
    """Read a file; a last line that was cut off is left out, and a job that was taken up again has several heads."""
    note: JobNote | None = None
    for line in path.read_text().splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if "job" in document:
            sent = note.sent if note is not None else []
            note = JobNote(
                job_id=document["job"],
                label=document["label"],
                mode=document["mode"],
                where=document["where"],
                task_count=document["task_count"],
                started_at=document["started_at"],
                key=base64.b64decode(document["key"]),
                sent=sent,
                client_pid=document["pid"],
            )
        elif note is not None and "sent" in document:
            note.sent.append(document["sent"])
        elif note is not None and "ended" in document:
            note.ended = document["ended"]
    if note is None:
        raise ValueError(f"{path} is no job's file")
    return note
