"""Jobs of other processes: listed, and taken up again after their client died."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lambdamagic.api import process
from lambdamagic.api.map_job import MapJob
from lambdamagic.api.options import read_options
from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.placeholder import stand_in
from lambdamagic.errors import JobMissingError, LambdaMagicError, ProtocolError
from lambdamagic.events import Event, Listeners
from lambdamagic.jobs.history import KEPT, History, JobNote
from lambdamagic.jobs.invoke import take_stored
from lambdamagic.jobs.job import Arrival, Job, JobSpec
from lambdamagic.jobs.outcomes import Failure, outcomes
from lambdamagic.protocol import keys
from lambdamagic.runs.sources import ChunkedTasks, Sizing
from lambdamagic.runs.spec import RunRequest, job_spec
from lambdamagic.runs.stored import StoredItems, StoredJob, read_frames, read_stored_job

if TYPE_CHECKING:
    from lambdamagic.api.options import Options
    from lambdamagic.codec.home import Home
    from lambdamagic.targets.target import Target


@dataclass(frozen=True)
class JobInfo:
    """One job of the list.

    Attributes:
        job_id: Its id.
        label: What ran; empty where only the bucket knows of it.
        mode: `sync`, `event` or `trigger`; empty where that is not known.
        state: `done`, `failed`, `cancelled`, `running` (its client lives), `abandoned` (its client died; `attach` takes
            it up) or `stored` (only the bucket knows of it).
        started_at: Seconds since the epoch; 0 where that is not known.
        task_count: How many tasks there were, if that is known.
        done: Tasks that have returned, as its client noted at its end.
        failed: Tasks that have failed, likewise.
        cost_usd: What it cost at list price, likewise.
        where: Target, function, bucket, region, endpoint and profile, where they were set.
        is_attachable: Whether `attach` can take it up here.
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
    """Return the latest jobs that this user's history knows, the latest first.

    Jobs of `event` and `trigger` are there from their start, others from their end, for 90 days.

    Args:
        count: How many at most.
        bucket: Also list what the configured bucket holds of other users and machines (one LIST for 1,000 jobs).
        **options: As for `LambdaExecutor`; they say which bucket.

    Raises:
        TargetError: The bucket cannot be listed.
    """
    notes = History().all(latest=None if bucket else count)
    found = [_info(note) for note in notes]
    if bucket:
        known = {note.job_id for note in notes}
        target = _target(read_options(options))
        found += [_stored(job_id) for job_id in target.stager.stored_jobs() if job_id not in known]
        found.sort(key=lambda info: info.job_id, reverse=True)
    return found[:count]


def _target(options: Options) -> Target:
    return process.target(options.resolved.settings, options.access)


def _info(note: JobNote) -> JobInfo:
    ended = note.ended
    return JobInfo(
        job_id=note.job_id,
        label=note.label,
        mode=note.mode,
        state=note.state,
        started_at=note.started_at,
        task_count=note.task_count,
        done=int(ended.get("done", 0)),
        failed=int(ended.get("failed", 0)),
        cost_usd=float(ended.get("cost_usd", 0.0)),
        where=note.where,
        is_attachable=bool(note.key),
    )


def _stored(job_id: str) -> JobInfo:
    return JobInfo(job_id, "", "", "stored", 0.0, None, 0, 0, 0.0, {}, False)


def find_note(job_id: str) -> JobNote:
    """Return what this user's history has of a job that can be taken up again.

    Raises:
        JobMissingError: It has nothing, or not what is needed.
    """
    note = History().read(job_id)
    if note is None:
        raise JobMissingError(
            f"the history of this user on this machine does not know job {job_id!r}",
            hint="a job is attached where it was started, since only there its key is kept; list them with "
            "`lambdamagic jobs`, `%lambda jobs --all` or lambdamagic.list_jobs()",
        )
    if not note.key and note.mode != "sync":
        raise JobMissingError(
            f"job {job_id} has no key on this machine, or no longer",
            hint=f"its key is kept while it is among the latest {KEPT} jobs of the modes event and trigger; a call of "
            "executor.submit has none: use start_map",
        )
    if not note.key:
        raise JobMissingError(
            f"job {job_id} ran in the mode {note.mode}: its results went to its own client only",
            hint="start jobs that must outlive their kernel with --mode event, or mode='event'",
        )
    return note


def attach(job_id: str, **options: Any) -> MapJob:
    """Take up a map of the mode `event` or `trigger` whose client is gone, and return it as a job.

    What is done is read and not run again; what was sent is waited for; what was never sent is sent now. Results may be
    taken as often as one likes until the bucket's objects expire. Only where the job was started, since its key is kept
    in the history of that user.

    Args:
        job_id: The job's id, as `%lambda jobs` or `list_jobs` tell it.
        **options: As for `LambdaExecutor`, where the target is reached otherwise than it was.

    Raises:
        JobMissingError: The job is not known here, or the bucket no longer holds it.
        IntegrityError: What the bucket holds does not carry the job's signature.
        TargetError: The target is not usable.
    """
    work = attachable(job_id, process.home(), options)
    if work.stored.manifest.kind != "map":
        raise JobMissingError(
            f"job {job_id} is a cell: its names belong into a notebook", hint=f"there, run %lambda attach {job_id}"
        )
    return MapJob(work, work.stored.task_count, known=work.known).resume()


def attachable(job_id: str, home: Home, options: Mapping[str, Any] | None = None) -> StoredWork:
    """Return a job whose client is gone, read and not yet gone on with.

    Args:
        job_id: The job's id.
        home: The home that its values come to live in.
        options: As for `attach`.

    Raises:
        JobMissingError, IntegrityError, TargetError: As for `attach`.
    """
    note = find_note(job_id)
    if note.state == "running":
        raise JobMissingError(
            f"job {job_id} still belongs to the process {note.client_pid}, which runs",
            hint="wait for it there, or end that process first",
        )
    return StoredWork(note, read_options({**_options_of(note), **(options or {})}), home)


def take_up(work: StoredWork) -> Arrival:
    """Wait for a cell's answer, and return it; the cell runs again only if its environment died.

    Raises:
        LambdaMagicError: It could not be had.
    """
    found = work.answer_of_cell()
    if found is not None:
        return found
    job = work.launch([0], lambda event: None)
    arrival = next(iter(job.arrivals()))
    job.wait()
    return arrival


def _options_of(note: JobNote) -> dict[str, Any]:
    where = dict(note.where)
    if where.get("target") == "local" and not process.is_open(str(where.pop("endpoint_url", ""))):
        # Its server is gone with the client; what is left of it is only the note.
        raise JobMissingError(
            f"job {note.job_id} ran on an embedded Lambda that ended with its client, and its bucket with it",
            hint="`lambdamagic local start` starts one that outlives kernels",
        )
    return {**where, "mode": note.mode}


class StoredWork:
    """A job whose client is gone, as work for a `MapJob`.

    Args:
        note: What the history has.
        options: How the target is reached.
        home: The home that its values come to live in.

    Attributes:
        stored: What the bucket has.
        known: Outcomes that are there, by task.
        captured: The names that the program had captured, with their values read here.
    """

    def __init__(self, note: JobNote, options: Options, home: Home) -> None:
        self.label = note.label
        self._note, self._home = note, home
        self._target = _target(options)
        stager = self._target.stager
        self.stored: StoredJob = read_stored_job(stager, note)
        self._resolved = options.resolved
        self._is_taken_up = False
        self.captured: dict[str, Any] = {}
        self._items = StoredItems(stager, self.stored)
        self.decoder = self._read_program()
        self.known = self._outcomes() if self.stored.manifest.kind == "map" else {}

    def _read_program(self) -> Decoder | None:
        """Read the captured code here: its classes are those of the results."""
        payload = self.stored.manifest.program
        if payload.shared:
            return None
        decoder = Decoder(read_frames(self._target.stager, payload), self._home, missing=stand_in)
        # What cannot be read here (a module is missing) leaves placeholders in the results, and says so there.
        with contextlib.suppress(Exception):
            decoder.load()
            for kind, part in decoder.parts():
                if kind == "names":
                    self.captured.update(part)
        return decoder

    def objects_by_number(self, numbers: Iterable[int]) -> list[Any]:
        """Return what an answer means by the numbers of its program's objects; see `Encoder.objects_by_number`."""
        wanted = list(numbers)
        if not wanted:
            return []
        if self.decoder is None:
            raise ProtocolError("a cell that uses shared objects cannot be read by another process")
        memo = self.decoder.memo()
        return [memo[number] for number in wanted]

    def answer_of_cell(self) -> Arrival | None:
        """Return the answer of a cell, if it is there."""
        spec = self._nothing_to_do()
        for attempt in reversed(self.stored.answered):
            with contextlib.suppress(LambdaMagicError):  # it refused: another attempt is made
                return take_stored(spec, self._items.make(range(1)), attempt)
        return None

    def _nothing_to_do(self) -> JobSpec:
        return self._spec(ChunkedTasks(self._items.make, Sizing(1, 1)))

    def _outcomes(self) -> dict[int, Any]:
        spec, found = self._nothing_to_do(), dict[int, Any]()
        for attempt in self.stored.answered:
            tasks = keys.read_attempt_name(attempt)[1]
            if all(task in found and not isinstance(found[task], Failure) for task in tasks):
                continue
            try:
                arrival = take_stored(spec, self._items.make(tasks), attempt)
            except LambdaMagicError:
                continue  # it refused or timed out: its tasks are among those that are missing
            for task, outcome in outcomes(arrival, self._home):
                if isinstance(found.get(task), Failure) or task not in found:
                    found[task] = outcome
        return found

    def launch(self, tasks: Sequence[int], listener: Callable[[Event], None]) -> Job:
        """Go on with some tasks."""
        if self._is_taken_up:
            self.stored = read_stored_job(self._target.stager, find_note(self._note.job_id))
        under_way = [] if self._is_taken_up else self.stored.under_way(tasks)
        self._is_taken_up = True
        sent = {task for attempt in under_way for task in keys.read_attempt_name(attempt)[1]}
        source = ChunkedTasks(
            self._items.make,
            Sizing.of(self._resolved.settings),
            self._items.runs(task for task in tasks if task not in sent),
            units=[self._items.make(keys.read_attempt_name(each)[1], sent_as=each) for each in under_way],
        )
        # Its client may have been told to stop; those who run for us must not find that.
        self._target.stager.required().delete([keys.cancel_key(self._note.job_id)])
        spec = self._spec(source)
        listeners = Listeners()
        listeners.add(listener)
        return process.engine().start(replace(spec, journal=History().begin(self._note)), listeners)

    def _spec(self, source: ChunkedTasks) -> JobSpec:
        manifest = self.stored.manifest
        spec = job_spec(
            self._resolved,
            self._target,
            RunRequest("map" if manifest.kind == "map" else "cell", manifest.label, source, self.stored.task_count),
        )
        return replace(
            spec,
            program=self._target.stager.renewed(manifest.program),
            versions=manifest.versions,
            options=manifest.options,
            job_id=self._note.job_id,
            key=self._note.key,
            policy=replace(spec.policy, deaths=1),
            attempts_before=self.stored.attempts_before,
            journal=None,
        )

    def check(self, error: Exception) -> Exception:
        """Return a better error if the target itself has failed."""
        return self._target.check(error)
