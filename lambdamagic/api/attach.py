"""Jobs of other processes: listed, and resumed after their client has gone."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.map_job import MapJob
from lambdamagic.api.options import read_options
from lambdamagic.appearance import printable, state_at_end
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.history import History, JobNote
from lambdamagic.runs.stored import StoredWork, find_note

if TYPE_CHECKING:
    from lambdamagic.api.graph_job import GraphJob
    from lambdamagic.codec.home import Home


@dataclass(frozen=True)
class JobInfo:
    """One job of the list.

    Attributes:
        job_id: Its id.
        label: A short name of the job; empty where only the bucket knows it.
        mode: `sync`, `event`, `trigger`, or `walks` for a graph that runs in Lambda; empty where that is not known.
        state: `done`, `failed`, `partly` (it ended, and some tasks failed), `cancelled`, `running` (its
            client lives), `abandoned` (its client died; `attach` resumes it) or `stored` (only the bucket knows it).
        started_at: Seconds since the epoch; 0 where that is not known.
        task_count: How many tasks there were, if that is known.
        done: Tasks that have returned, as its client noted at its end.
        failed: Tasks that have failed, likewise.
        cost_usd: What it cost at list price, likewise.
        where: Target, function, bucket, region, endpoint and profile, where they were set.
        is_attachable: Whether `attach` can resume it here.
    """

    job_id: str
    label: str
    mode: str
    state: str
    started_at: float
    task_count: int | None
    done: int
    failed: int
    cost_usd: float
    where: dict[str, Any]
    is_attachable: bool


def list_jobs(*, bucket: bool = False, count: int = 500, **options: Any) -> list[JobInfo]:
    """Return the latest jobs of this user's history, the latest first.

    Jobs of the modes `event` and `trigger` are listed from their start, others from their end, for 90 days.

    Example:
        >>> import lambdamagic
        >>> lambdamagic.LambdaExecutor().start_map(abs, [-1]).result(timeout=60)
        [1]
        >>> lambdamagic.list_jobs(count=1)[0].task_count
        1

    Args:
        count: How many at most.
        bucket: Also list jobs of other users and machines in the configured bucket (one LIST for 1,000 jobs).
        **options: As for `LambdaExecutor`; they select the bucket.

    Raises:
        TargetError: The bucket cannot be listed.
        ValueError, TypeError: `count` is not a number of 0 or more.
    """
    count = min(operator.index(count), sys.maxsize)
    if count < 0:
        raise ValueError(f"count must be 0 or more, not {count}")
    notes = History().all(latest=None if bucket else count)
    found = [_info(note) for note in notes]
    if bucket:
        known = {note.job_id for note in notes}
        target = Launcher(read_options(options)).target()
        found += [_stored(job_id) for job_id in target.stager.stored_jobs() if job_id not in known]
        found.sort(key=lambda info: info.job_id, reverse=True)
    return found[:count]


def _info(note: JobNote) -> JobInfo:
    ended = note.ended
    done, failed = int(ended.get("done", 0)), int(ended.get("failed", 0))
    return JobInfo(
        job_id=note.job_id,
        label=printable(note.label),
        mode=note.mode,
        state=state_at_end(note.state, done=done, failed=failed),
        started_at=note.started_at,
        task_count=note.task_count,
        done=done,
        failed=failed,
        cost_usd=float(ended.get("cost_usd", 0.0)),
        where=note.where,
        is_attachable=bool(note.key),
    )


def _stored(job_id: str) -> JobInfo:
    return JobInfo(job_id, "", "", "stored", 0.0, None, 0, 0, 0.0, {}, False)


def attach(job_id: str, **options: Any) -> MapJob | GraphJob:
    """Reattach to a map of the mode `event` or `trigger`, or a graph of walks, whose client has gone; return the job.

    Finished tasks are read and not run again; running ones are waited for; the others are sent now. Results can be
    read any number of times until the bucket's objects expire. Works only for the user and on the machine that
    started the job, where its key is kept.

    Example:
        >>> import lambdamagic
        >>> with lambdamagic.LambdaExecutor(mode="event") as executor:
        ...     job = executor.start_map(abs, [-1, -2])
        ...     assert job.wait(timeout=60)
        ...     lambdamagic.attach(job.job_id).result(timeout=60)  # here; usually in another process
        [1, 2]

    Args:
        job_id: The job's id, as listed by `%lambda jobs` or `list_jobs`.
        **options: As for `LambdaExecutor`, if the target's settings have changed since.

    Raises:
        JobMissingError: The job is not known here, or the bucket no longer holds it.
        IntegrityError: Objects in the bucket do not have the job's signature.
        TargetError: The target is not usable.
    """
    if find_note(job_id).is_graph:
        return _attach_graph(job_id, options)
    launcher, work = attachable(job_id, process.home(), options)
    if not work.is_map:
        work.let_go()
        raise JobMissingError(
            f"job {job_id} is a cell: its names belong in a notebook", hint=f"Run %lambda attach {job_id} in a notebook"
        )
    try:
        job = MapJob(launcher, work)
        work.fill(job.table)
        return job.resume()
    finally:
        work.let_go()


def _attach_graph(job_id: str, options: Mapping[str, Any]) -> GraphJob:
    from lambdamagic.api.graph_job import attach_graph

    lock = History().lock(job_id)
    try:
        note = _unowned(job_id)
        return attach_graph(Launcher(read_options({**_options_of(note), **options})), note)
    finally:
        lock.release()


def _unowned(job_id: str) -> JobNote:
    """Return the note of a job whose lock is held, read again: the previous holder may have continued the job.

    Raises:
        JobMissingError: Its client lives.
    """
    note = find_note(job_id)
    if note.state == "running":
        raise JobMissingError(
            f"job {job_id} is still owned by the running process {note.client_pid}",
            hint="Wait for it there, or end that process first",
        )
    return note


def attachable(job_id: str, home: Home, options: Mapping[str, Any] | None = None) -> tuple[Launcher, StoredWork]:
    """Return the starter of a job whose client has gone, and the job, read but not yet continued.

    Args:
        job_id: The job's id.
        home: The home that its values come to live in.
        options: As for `attach`.

    Raises:
        JobMissingError, IntegrityError, TargetError: As for `attach`.
    """
    if find_note(job_id).is_graph:
        raise JobMissingError(
            f"job {job_id} is a graph: it binds no names",
            hint=f"Get its result with `lambdamagic.attach({job_id!r}).result()`",
        )
    lock = History().lock(job_id)
    try:
        note = _unowned(job_id)
        launcher = Launcher(read_options({**_options_of(note), **(options or {})}))
        return launcher, StoredWork(launcher.place(), note, home, lock=lock)
    except BaseException:
        lock.release()
        raise


def _options_of(note: JobNote) -> dict[str, Any]:
    where = dict(note.where)
    if where.get("target") == "local" and not process.is_open(str(where.pop("endpoint_url", ""))):
        # Its server is gone with the client; what is left of it is only the note.
        raise JobMissingError(
            f"job {note.job_id} ran on an embedded Lambda that ended with its client, and its bucket with it",
            hint="Use target aws and mode event for jobs that must outlive their client",
        )
    return {**where, "mode": "event" if note.is_graph else note.mode}
