"""Background cells behind one another: values go from one to the next in the bucket, and not through the kernel.

A cell that reads what another is still to bind is sent with the other's program and a link to its answer. The function
repeats the other's effects from these bytes, without running anything again, and begins from there. The objects that
both programs share are written once, in the first, so that they are the same objects there as in the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambdamagic.codec.answer import Effects
from lambdamagic.codec.tracking import Tracker
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival, JobSpec
from lambdamagic.protocol.envelope import Before
from lambdamagic.runs.spec import SHARED_PROGRAM_LIMIT_BYTES

if TYPE_CHECKING:
    from lambdamagic.magics.cell import CellRun
    from lambdamagic.magics.handle import BackgroundJob

#: Above this a result that only binds names stays in the bucket until a cell of the kernel reads it.
LAZY_MIN_BYTES = 256 * 1024


class CellWork:
    """What is kept of a background cell until nobody needs it.

    Args:
        run: The cell.
        program: What was sent.
        out: The names that were asked for.
        line: The jobs that it is queued behind.
    """

    is_shown = True

    def __init__(self, run: CellRun, program: Program, out: list[str], line: Line | None) -> None:
        self._run, self._out, self.line = run, out, line
        self._program: Program | None = program
        self._answer: Arrival | None = None
        self._pictures: Tracker | None = Tracker(
            list(program.values.values()),
            memo=dict(enumerate(program.encoder.objects_in_order())),
            home=run.session.home,
            pristine={},
            is_deep=False,
        )

    @property
    def program(self) -> Program:
        """What was sent; not after `forget`."""
        assert self._program is not None, "nobody needs it any more"
        return self._program

    @property
    def effects(self) -> Effects | None:
        """What the cell did, once that was read."""
        return self._run.effects

    def take(self, arrival: Arrival) -> None:
        """Keep the answer: what it does cannot be told before it is put into the notebook."""
        self._answer = arrival

    def conclude(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        """Read the answer and put it into the notebook; see `CellRun.conclude`."""
        answer, self._answer = self._answer, None
        assert answer is not None, "a job that ends without error has had an arrival"
        return self._run.conclude(answer, self.program, self._out, claim, self.line)

    def is_as_sent(self) -> bool:
        """Whether the objects that were sent are still as they were."""
        return self._pictures is not None and self._pictures.changes() == ([], [])

    def forget(self) -> None:
        """Let everything go that only jobs behind this one needed, what was sent among it: it may be large."""
        self._run.effects = self._program = self._pictures = None


class Line:
    """The jobs that a cell is queued behind, in their order: each but the first was itself queued behind the former."""

    def __init__(self, jobs: Sequence[BackgroundJob]) -> None:
        self.jobs = tuple(jobs)

    @classmethod
    def behind(cls, owners: Sequence[BackgroundJob]) -> Line | None:
        """Return the line for a cell that reads what some jobs bind; None if the cell has to wait for them instead.

        That is so if they do not stand in one line, if there is no bucket, or if objects that they were sent have been
        changed in the notebook since.
        """
        if not owners:
            return None
        last = owners[-1]
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
        return frozenset(name for job in self.jobs for name in job.names)

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
