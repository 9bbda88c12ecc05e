"""Chains of background cells: values are passed from one to the next through the bucket, not the kernel.

A cell that reads what another is still to bind is sent with the other's program and a link to its answer. The function
repeats the other's effects from these bytes, without running anything again, and begins from there. The objects that
both programs share are written once, in the first, so that they are the same objects there as in the notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lambdamagic.jobs.job import JobSpec
from lambdamagic.magics.answers import CellWork
from lambdamagic.magics.background_job import BackgroundJob
from lambdamagic.magics.settle import Pending
from lambdamagic.protocol.envelope import Before
from lambdamagic.runs.spec import SHARED_PROGRAM_LIMIT_BYTES


class Line:
    """The jobs that a cell is queued behind, in their order: each but the first was itself queued behind the former."""

    def __init__(self, jobs: Sequence[BackgroundJob]) -> None:
        self.jobs = tuple(jobs)

    @classmethod
    def behind(cls, owners: Sequence[Pending]) -> Line | None:
        """Return the line for a cell that reads what some jobs bind; None if the cell has to wait for them instead.

        This applies if they do not form a chain, if there is no bucket, or if objects that they were sent have been
        changed in the notebook since.
        """
        if not owners:
            return None
        last = owners[-1]
        assert isinstance(last, BackgroundJob), "there are no others"
        jobs = (*last.before, last)
        if not all(job in jobs for job in owners) or last.failure is not None:
            return None
        for job in jobs:
            work = job.work
            if not isinstance(work, CellWork) or not job.is_staged or not work.is_as_sent():
                return None
        return cls(jobs)

    @property
    def names(self) -> frozenset[str]:
        """The names that come with them."""
        return frozenset(name for job in self.jobs for name in job.claim.names)

    @property
    def primed(self) -> list[Any]:
        """The objects that the function has from them before it reads the cell's own program."""
        work = self.jobs[-1].work
        assert isinstance(work, CellWork), "see `behind`"
        return work.program.encoder.objects_in_order()

    def memos(self) -> list[dict[int, Any]]:
        """Return the objects of their answers, as they are in the notebook."""
        works = [job.work for job in self.jobs]
        return [work.effects.memo() if isinstance(work, CellWork) and work.effects else {} for work in works]

    def before(self) -> tuple[Before, ...]:
        """Return what the function needs to repeat them, once they have ended well."""
        return tuple(_before(job) for job in self.jobs)


def _before(job: BackgroundJob) -> Before:
    spec, arrival, work = job.spec, job.answer, job.work
    assert spec is not None and arrival is not None and arrival.response is not None and isinstance(work, CellWork)
    response = arrival.response
    assert response.payload is not None, "it ended well"
    parts = spec.stager.answer_parts(response, job_id=spec.job_id, attempt_id=arrival.attempt_id, key=spec.key)
    program = spec.stager.place(work.program.frames, limit_bytes=SHARED_PROGRAM_LIMIT_BYTES)
    return Before(program, tuple(frame.size_bytes for frame in response.payload.frames), parts, response.numbers)


def staged(spec: JobSpec, line: Line | None) -> JobSpec:
    """Return the spec of a background cell: its answer goes to the bucket, where the next can read it."""
    before = line.before() if line else ()
    if spec.stager.store is None or spec.mode != "sync":
        return replace(spec, before=before)
    return replace(spec, before=before, inline_limit_bytes=0, collects=False)
