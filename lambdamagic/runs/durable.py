"""Jobs that outlive their client: their data is in the bucket before the first task is sent.

Arguments of a known number of tasks are kept at the start, in blocks; those of a stream as they are sent. The job's key
goes into the history of this user, never into the bucket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.history import History, JobNote
from lambdamagic.jobs.job import JobSpec
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import keys
from lambdamagic.protocol.manifest import Manifest, seal_block
from lambdamagic.protocol.payload import Payload

#: Takes the arguments of some tasks.
Keep = Callable[[range, Frames], None]


def make_durable(
    spec: JobSpec, keep: Callable[[Keep], None] | None, where: dict[str, Any], history: History
) -> JobSpec:
    """Store what is needed to take a job up again, and return the job with its journal.

    Args:
        spec: The job.
        keep: Hands its tasks' arguments over; None for a cell.
        where: What finds it again; see `JobNote.where`.
        history: Where the job's key is kept.

    Raises:
        TargetError: The bucket cannot be used.
        EncodeError: An argument cannot be sent.
        OSError: The history cannot be written.
    """
    store = spec.stager.required()
    if keep is not None:
        keep(lambda tasks, frames: _keep_block(spec, tasks, frames))
    now = time.time()
    manifest = Manifest(
        job_id=spec.job_id,
        kind=spec.kind,
        mode=spec.mode,
        label=spec.label,
        versions=spec.versions,
        program=without_permissions(spec.program),
        options=spec.options,
        task_count=spec.task_count,
        function=spec.function.name,
        memory_mb=spec.function.memory_mb,
        timeout_s=spec.function.timeout_s,
        started_at=now,
    )
    store.put(keys.manifest_key(spec.job_id), [manifest.sealed(spec.key)])
    note = JobNote(spec.job_id, spec.label, spec.mode, where, spec.task_count, now, spec.key)
    return replace(spec, journal=history.begin(note))


def _keep_block(spec: JobSpec, tasks: range, frames: Frames) -> None:
    stager: Stager = spec.stager
    payload = without_permissions(stager.place(frames, limit_bytes=spec.function.limits.event_inline_bytes))
    data = seal_block(payload, tasks, key=spec.key, job_id=spec.job_id)
    stager.required().put(keys.block_key(spec.job_id, tasks), [data])


def without_permissions(payload: Payload) -> Payload:
    """Return a payload without its URLs, which end long before the job is forgotten."""
    return payload._replace(frames=tuple(frame._replace(url="") for frame in payload.frames))
