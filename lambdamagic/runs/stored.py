"""A job as the bucket and the history have it: what is done, what was sent, what is left."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.history import JobNote
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import keys
from lambdamagic.protocol.manifest import Manifest, unseal_block
from lambdamagic.protocol.payload import Payload
from lambdamagic.runs.sources import runs_of

_BLOCKS_KEPT = 8


@dataclass(frozen=True)
class StoredJob:
    """What is known of a job whose client is gone.

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


def read_stored_job(stager: Stager, note: JobNote) -> StoredJob:
    """Read what the bucket has of a job.

    Raises:
        JobMissingError: It has no manifest of it.
        IntegrityError, VersionMismatchError, ProtocolError: What it has cannot be used.
        TargetError: The bucket cannot be used.
    """
    store, job_id = stager.required(), note.job_id
    try:
        data = store.get(keys.manifest_key(job_id))
    except FileNotFoundError as error:
        raise JobMissingError(
            f"the bucket {store.bucket} no longer holds job {job_id}, or its client died before all was stored",
            hint="objects of old jobs expire; run it again",
        ) from error
    manifest = Manifest.unsealed(data, key=note.key, job_id=job_id)
    return StoredJob(note, manifest, _blocks(stager, job_id), _answered(stager, job_id))


def _blocks(stager: Stager, job_id: str) -> tuple[range, ...]:
    prefix = keys.blocks_prefix(job_id)
    found = []
    for info in stager.required().list(prefix):
        start, count = (int(part) for part in info.key.removeprefix(prefix).split("-"))
        found.append(range(start, start + count))
    return tuple(found)


def _answered(stager: Stager, job_id: str) -> tuple[str, ...]:
    prefix = keys.results_prefix(job_id)
    parts = (info.key.removeprefix(prefix).split("/") for info in stager.required().list(prefix))
    return tuple(sorted(each[0] for each in parts if each[1:] == ["answer"]))


class StoredItems:
    """Makes units of tasks whose arguments lie in the bucket. Thread-safe.

    Args:
        stager: The bucket.
        stored: The job.
    """

    def __init__(self, stager: Stager, stored: StoredJob) -> None:
        self._stager, self._stored = stager, stored
        self._lock = threading.Lock()
        self._read: OrderedDict[range, Payload] = OrderedDict()

    def runs(self, tasks: Iterable[int]) -> list[range]:
        """Return tasks in runs that lie in one block each; those whose arguments were not kept are left out."""
        wanted, found, seen = set(tasks), [], set[int]()
        for block in self._stored.blocks:
            mine = wanted.intersection(block) - seen
            seen |= mine
            found += runs_of(mine)
        return found

    def make(self, tasks: Sequence[int], *, sent_as: str = "") -> Unit:
        """Return the unit of some neighbours that lie in one block."""
        if self._stored.manifest.kind == "cell":
            return Unit((0,), sent_as=sent_as)
        block = next(each for each in self._stored.blocks if tasks[0] in each and tasks[-1] in each)

        def part(some: tuple[int, ...]) -> Unit:
            return self.make(range(some[0], some[-1] + 1))

        return Unit(
            tuple(tasks),
            part=part if len(tasks) > 1 else None,
            placed=self._placed(block),
            pick=(tasks[0] - block.start, len(tasks)),
            sent_as=sent_as,
        )

    def _placed(self, block: range) -> Callable[[], Payload]:
        def placed() -> Payload:
            with self._lock:
                found = self._read.get(block)
            if found is None:
                job_id, key = self._stored.note.job_id, self._stored.note.key
                data = self._stager.required().get(keys.block_key(job_id, block))
                found = unseal_block(data, block, key=key, job_id=job_id)
                with self._lock:
                    self._read[block] = found
                    if len(self._read) > _BLOCKS_KEPT:
                        self._read.popitem(last=False)
            return self._stager.renewed(found)

        return placed


def read_frames(stager: Stager, payload: Payload) -> list[Any]:
    """Return a payload's frames, verified, as the function would read them."""
    store = stager.required()
    return [
        store.get(keys.blob_key(frame.sha256), sha256=frame.sha256) if segment is None else segment
        for frame, segment in zip(payload.frames, payload.inline_segments(), strict=True)
    ]
