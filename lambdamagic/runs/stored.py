"""A job without a client, read from the bucket and the history: done, sent and remaining tasks."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.placeholder import stand_in
from lambdamagic.errors import IntegrityError, JobMissingError, LambdaMagicError, ProtocolError
from lambdamagic.jobs.history import KEPT, History, JobLock, JobNote
from lambdamagic.jobs.invoke import take_stored
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import keys
from lambdamagic.protocol.manifest import BLOCK_TASKS, Manifest, unseal_block
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.seal import SEALED_MOST_BYTES
from lambdamagic.runs.opened import Place
from lambdamagic.runs.sources import ChunkedTasks, Sizing, Units, runs_of
from lambdamagic.runs.spec import RunRequest, job_spec
from lambdamagic.runs.tasks import TaskTable

_BLOCKS_KEPT = 8
#: More tasks than can be on their way between two that a stream has kept.
_GAP_TASKS = 1_000_000


@dataclass(frozen=True)
class StoredJob:
    """The state of a job without a client.

    Attributes:
        note: Of this user's history.
        manifest: What the client left in the bucket.
        blocks: The tasks whose arguments were kept, as they were kept together.
        answered: Attempts whose answers are there, in their order.
    """

    note: JobNote
    manifest: Manifest
    blocks: tuple[range, ...]
    answered: tuple[str, ...]

    @property
    def task_count(self) -> int:
        """How many tasks there are, as far as they were known when the client died."""
        if self.manifest.task_count is not None:
            return self.manifest.task_count
        return max((block.stop for block in self.blocks), default=0)

    @property
    def attempts_before(self) -> int:
        """The highest number of an attempt."""
        return max((keys.read_attempt_name(each)[0] for each in [*self.note.sent, *self.answered]), default=0)

    def under_way(self, missing: Iterable[int]) -> list[str]:
        """Return the attempts that were sent and have no answer yet, and whose tasks are all missing; the latest first.

        An attempt that died is among them: it is found to be silent, as its own client would have found it.
        """
        left, answered, found = set(missing), set(self.answered), []
        for attempt in reversed(self.note.sent):
            tasks = set(keys.read_attempt_name(attempt)[1])
            if attempt not in answered and tasks <= left:
                found.append(attempt)
                left -= tasks
        return found


def find_note(job_id: str) -> JobNote:
    """Return what this user's history has of a job that can be resumed.

    Raises:
        JobMissingError: It has nothing, or not what is needed.
    """
    note = History().read(job_id)
    if note is None:
        raise JobMissingError(
            f"the job history on this machine has no job {job_id!r}",
            hint="Attach a job on the machine that started it, which alone has its key. List jobs with "
            "`lambdamagic jobs`, `%lambda jobs --all` or lambdamagic.list_jobs()",
        )
    if not note.key and note.mode != "sync":
        raise JobMissingError(
            f"job {job_id} has no key on this machine (any longer)",
            hint=f"Its key is kept while it is among the latest {KEPT} jobs of the modes event and trigger; a call of "
            "executor.submit has none: use start_map",
        )
    if not note.key:
        raise JobMissingError(
            f"job {job_id} ran in the mode {note.mode}: its results went to its own client only",
            hint="Start jobs that must outlive their kernel with --mode event, or mode='event'",
        )
    return note


def read_stored_job(stager: Stager, note: JobNote) -> StoredJob:
    """Read what the bucket has of a job.

    Raises:
        JobMissingError: It has no manifest of it.
        IntegrityError, VersionMismatchError, ProtocolError: What it has cannot be used.
        TargetError: The bucket cannot be used.
    """
    store, job_id = stager.required(), note.job_id
    try:
        data = store.get(keys.manifest_key(job_id), most_bytes=SEALED_MOST_BYTES)
    except FileNotFoundError as error:
        raise JobMissingError(
            f"the bucket {store.bucket} no longer holds job {job_id}, or its client died before all was stored",
            hint="Objects of old jobs expire; run it again",
        ) from error
    manifest = Manifest.unsealed(data, key=note.key, job_id=job_id)
    found = StoredJob(note, manifest, _blocks(stager, job_id), ())
    return replace(found, answered=_answered(stager, job_id, task_count=max(1, found.task_count)))


def _blocks(stager: Stager, job_id: str) -> tuple[range, ...]:
    """Return the blocks of arguments; keys that others planted are passed over, also where they look like ours."""
    found: list[range] = []
    for info in stager.required().list(keys.blocks_prefix(job_id)):
        with contextlib.suppress(ValueError):
            tasks = keys.read_block_key(info.key, job_id)
            # In the keys' order, which is that of the tasks; a stream's last ones may have come before those between.
            known = max((block.stop for block in found), default=0)
            if len(tasks) <= BLOCK_TASKS and tasks.start <= known + _GAP_TASKS:
                found.append(tasks)
    return tuple(found)


def _answered(stager: Stager, job_id: str, *, task_count: int) -> tuple[str, ...]:
    prefix, found = keys.results_prefix(job_id), []
    for info in stager.required().list(prefix):
        attempt, _, rest = info.key.removeprefix(prefix).partition("/")
        with contextlib.suppress(ValueError):
            if rest == "answer" and keys.read_attempt_name(attempt)[1].stop <= task_count:
                found.append(attempt)
    return tuple(sorted(found))


class StoredWork:
    """A job whose client has gone, as work that can continue. Thread-safe.

    Args:
        place: Where it continues.
        note: What the history has.
        home: The home that its values come to live in.
        lock: The right to resume it; given back when it is continued, which its note then says.

    Attributes:
        label: A short name of the job, for display.
        stored: What the bucket has.
        captured: The names that the program had captured, with their values read here.

    Raises:
        JobMissingError, IntegrityError, TargetError: As `read_stored_job`.
    """

    def __init__(self, place: Place, note: JobNote, home: Home, *, lock: JobLock) -> None:
        self.label = note.label
        self._place, self._note, self._home = place, note, home
        self._stager = place.target.stager
        self.stored = read_stored_job(self._stager, note)
        self.captured: dict[str, Any] = {}
        self._decoder = self._read_program()
        self._is_taken_up = False
        self._is_mine: JobLock | None = lock
        self._lock = threading.Lock()
        self._blocks: OrderedDict[range, Payload] = OrderedDict()

    @property
    def is_map(self) -> bool:
        """Whether it has tasks; else it is a cell."""
        return self.stored.manifest.kind == "map"

    def _read_program(self) -> Decoder | None:
        """Read the captured code here: its classes are those of the results."""
        payload = self.stored.manifest.program
        if payload.shared:
            return None
        decoder = Decoder(read_frames(self._stager, payload), self._home, missing=stand_in)
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
        if self._decoder is None:
            raise ProtocolError("a cell that uses shared objects cannot be read by another process")
        memo = self._decoder.memo()
        return [memo[number] for number in wanted]

    def fill(self, table: TaskTable) -> None:
        """Put the existing outcomes into a table."""
        table.reach(self.stored.task_count)
        spec = self._to_read()
        for attempt in self.stored.answered:
            tasks = keys.read_attempt_name(attempt)[1]
            if not all(map(table.has_value, tasks)):
                arrival = self._taken(spec, tasks, attempt)
                if arrival is not None:
                    table.take(arrival)

    def answer_of_cell(self) -> Arrival | None:
        """Return the answer of a cell, if it exists."""
        spec = self._to_read()
        for attempt in reversed(self.stored.answered):
            arrival = self._taken(spec, range(1), attempt)
            if arrival is not None:
                return arrival
        return None

    def _taken(self, spec: JobSpec, tasks: range, attempt: str) -> Arrival | None:
        """Return an answer; None where it refused or timed out, or was changed, so that its tasks are missing."""
        try:
            return take_stored(spec, Unit(tuple(tasks)), attempt)
        except IntegrityError as error:
            warnings.warn(
                f"job {self._note.job_id}, attempt {attempt}: {error.message}; the bucket was written to by others, "
                "and its tasks run again",
                RuntimeWarning,
                stacklevel=2,
            )
        except LambdaMagicError:
            pass
        return None

    def _to_read(self) -> JobSpec:
        return self._amended(job_spec(self._place.resolved, self._place.target, self._request(Units())))

    def let_go(self) -> None:
        """Give back the right to resume the job, if no work was left."""
        if not self._is_taken_up and self._is_mine is not None:
            self._is_mine.release()
            self._is_mine = None

    def request(self, tasks: Sequence[int], count: int) -> RunRequest:
        """Return what waits for these tasks where they are under way, and sends the others."""
        if self._is_mine is None:
            self._is_mine = History().lock(self._note.job_id)
        if self._is_taken_up:
            self.stored = read_stored_job(self._stager, find_note(self._note.job_id))
        under_way = [] if self._is_taken_up else self.stored.under_way(tasks)
        self._is_taken_up = True
        sent = {task for attempt in under_way for task in keys.read_attempt_name(attempt)[1]}
        source = ChunkedTasks(
            self._unit,
            Sizing.of(self._place.settings),
            self._runs(task for task in tasks if task not in sent),
            units=[self._unit(keys.read_attempt_name(each)[1], sent_as=each) for each in under_way],
        )
        # Its client may have been asked to stop; our own tasks must not find that request.
        self._stager.required().delete([keys.cancel_key(self._note.job_id)])
        chosen = frozenset(tasks)
        request = self._request(source, cached=tuple(task for task in range(count) if task not in chosen))
        return replace(request, amend=self._begun)

    def _begun(self, spec: JobSpec) -> JobSpec:
        journal = History().begin(self._note)
        if self._is_mine is not None:
            self._is_mine.release()
            self._is_mine = None
        return replace(self._amended(spec), journal=journal)

    def _request(self, units: Units, cached: tuple[int, ...] = ()) -> RunRequest:
        kind: Literal["cell", "map"] = "map" if self.is_map else "cell"
        return RunRequest(kind, self.label, units, self.stored.task_count, cached=cached, job_id=self._note.job_id)

    def _amended(self, spec: JobSpec) -> JobSpec:
        manifest = self.stored.manifest
        return replace(
            spec,
            program=self._stager.renewed(manifest.program),
            versions=manifest.versions,
            options=manifest.options,
            key=self._note.key,
            policy=replace(spec.policy, deaths=1),
            attempts_before=self.stored.attempts_before,
            journal=None,
        )

    def _runs(self, tasks: Iterable[int]) -> list[range]:
        """Return tasks in runs that are in one block each; those whose arguments were not kept are left out."""
        if not self.is_map:
            return runs_of(tasks)
        wanted, found, seen = set(tasks), [], set[int]()
        for block in self.stored.blocks:
            mine = wanted.intersection(block) - seen
            seen |= mine
            found += runs_of(mine)
        return found

    def _unit(self, tasks: Sequence[int], *, sent_as: str = "") -> Unit:
        """Return the unit of some neighbors that are in one block."""
        if not self.is_map:
            return Unit((0,), sent_as=sent_as)
        block = next((each for each in self.stored.blocks if tasks[0] in each and tasks[-1] in each), None)
        if block is None:
            raise JobMissingError(
                f"the bucket no longer holds the arguments of tasks {tasks[0]} to {tasks[-1]} of job "
                f"{self._note.job_id}",
                hint="Objects of old jobs expire; run it again",
            )
        return Unit(
            tuple(tasks),
            part=self._unit if len(tasks) > 1 else None,
            placed=lambda: self._arguments(block),
            pick=(tasks[0] - block.start, len(tasks)),
            sent_as=sent_as,
        )

    def _arguments(self, block: range) -> Payload:
        with self._lock:
            found = self._blocks.get(block)
        if found is None:
            job_id, key = self._note.job_id, self._note.key
            data = self._stager.required().get(keys.block_key(job_id, block), most_bytes=SEALED_MOST_BYTES)
            found = unseal_block(data, block, key=key, job_id=job_id)
            with self._lock:
                self._blocks[block] = found
                if len(self._blocks) > _BLOCKS_KEPT:
                    self._blocks.popitem(last=False)
        return self._stager.renewed(found)


def read_frames(stager: Stager, payload: Payload) -> list[Any]:
    """Return a payload's frames, verified, as the function would read them."""
    store = stager.required()
    return [
        store.get(keys.blob_key(frame.sha256), sha256=frame.sha256) if segment is None else segment
        for frame, segment in zip(payload.frames, payload.inline_segments(), strict=True)
    ]
