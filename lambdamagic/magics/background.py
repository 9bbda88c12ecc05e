"""Background jobs: when their results are applied to the notebook, and the cells that wait for them.

A separate thread follows each job and only gathers what arrives. Everything is read and put into the notebook by the
main thread, between two cells or where a cell waits: so nothing changes under a cell that runs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from lambdamagic.errors import JobCancelledError
from lambdamagic.magics.front import show_note
from lambdamagic.magics.settle import Claims, Pending
from lambdamagic.magics.waiting import wait_for
from lambdamagic.widgets.showing import front_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.capture import Touched

#: How long closing waits for all threads together, in seconds.
_CLOSE_S = 4.0
#: How many failures are kept for whoever asks.
_FAILURES = 100


class Background:
    """The background jobs of one session. Used by the main thread only.

    Args:
        shell: The session's shell.
        is_quiet: Says whether waiting is shown.

    Attributes:
        claims: The names whose values are on their way.
    """

    def __init__(self, shell: InteractiveShell, is_quiet: Callable[[], bool]) -> None:
        self._shell, self._is_quiet = shell, is_quiet
        self.claims = Claims(shell.user_ns)
        self._jobs: list[Pending] = []
        #: Settled jobs whose failure was reported, and not raised yet.
        self._failed: deque[Pending] = deque(maxlen=_FAILURES)
        self._cells: list[object] = []
        self._new: list[Pending] = []
        self._rebound: frozenset[str] = frozenset()
        self._due: deque[Callable[[], None]] = deque()

    @property
    def jobs(self) -> tuple[Pending, ...]:
        """The jobs that are not settled yet, in the order of their start."""
        return tuple(self._jobs)

    def add(self, job: Pending) -> None:
        """Add a job that was started."""
        self._jobs.append(job)
        self._new.append(job)
        self.claims.add(job)

    @property
    def is_headless(self) -> bool:
        """Whether the notebook is executed by a program such as nbclient or papermill."""
        return front_of(self._shell) == "headless"

    def read(self, names: Iterable[str], *, reader: str = "this cell") -> None:
        """Wait for pending names that are about to be read, and bind them.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the jobs continue.
            BaseException: What a job raised that was to bind one.
        """
        wanted = [name for name in names if name in self.claims.pending]
        jobs = self.claims.owners(wanted)
        self._wait(jobs, wanted, reader)
        for job in jobs:
            self.settle(job)
        for job in jobs:
            if job.failure is not None and self.claims.failed(job, wanted):
                self.raised(job)
                raise job.failure

    def _wait(self, jobs: list[Pending], names: list[str], reader: str) -> None:
        if not all(job.has_ended for job in jobs):
            wait_for(jobs, names, reader, front="none" if self._is_quiet() else front_of(self._shell))

    def raised(self, job: Pending) -> None:
        """Note that a job's failure is raised now."""
        if job in self._failed:
            self._failed.remove(job)

    def wait(self, jobs: Iterable[Pending]) -> None:
        """Wait for jobs and settle them; raises none of their errors.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the jobs continue.
        """
        jobs = list(jobs)
        self._wait(jobs, [name for job in jobs for name in job.claim.names], "%lambda wait")
        for job in jobs:
            self.settle(job)

    def settle(self, job: Pending) -> None:
        """Apply the results of an ended job to the notebook, once."""
        if job not in self._jobs:
            return
        self._show_end(job)
        if job.needs_before:
            for before in job.before:
                self.settle(before)
        self._jobs.remove(job)
        job.settle(lambda bound: self._grant(job, bound))
        if job.failure is not None:
            self._failed.append(job)
        self.claims.settled(job)
        for each in (job, *job.before):
            if each not in self._jobs and not any(each in other.before for other in self._jobs):
                each.forget()

    def _grant(self, job: Pending, bound: dict[str, object]) -> dict[str, object]:
        granted = self.claims.grant(job, bound)
        if newer := list(job.claim.left_out):
            show_note(
                f"{', '.join(newer)} {'was' if len(newer) == 1 else 'were'} assigned while job {job.job_id} ran: the "
                f"newer value is kept; the job's value is in its .left_out"
            )
        return granted

    def cell_begins(self, info: object) -> None:
        """Hook of the shell: a cell is about to run."""
        if not self._cells:
            self._at_boundary()
        self._cells.append(info)

    def cell_ended(self, result: Any) -> None:
        """Hook of the shell: a cell has ended."""
        if result.info in self._cells:
            del self._cells[self._cells.index(result.info) :]
        if self._cells:
            return
        new, self._new = self._new, []
        for job in new:
            job.cell_ends()
        if result.success:
            self.claims.supersede(self._rebound)
        self._rebound = frozenset()
        self._at_boundary()

    def cell_touches(self, touched: Touched) -> None:
        """Wait for what the next cell reads; see `read`."""
        self._rebound = touched.rebound if len(self._cells) <= 1 else self._rebound
        if touched.read:
            self.read(sorted(touched.read))

    def soon(self, act: Callable[[], None]) -> None:
        """Run a function in the main thread while no cell runs. For any thread.

        Without a kernel, which has a loop between the cells, it is done at the next cell's boundary.
        """
        self._due.append(act)
        loop = getattr(getattr(self._shell, "kernel", None), "io_loop", None)
        if loop is not None:
            loop.add_callback(self._when_idle)

    def _when_idle(self) -> None:
        if not self._cells:  # a cell that awaits leaves the loop to others
            self._do_due()

    def _do_due(self) -> None:
        while self._due:
            act = self._due.popleft()
            try:
                act()
            except Exception as error:  # noqa: BLE001  # no caller could handle it: it is shown to the user
                show_note(f"{type(error).__name__}: {error}")

    def _at_boundary(self) -> None:
        self._settle_ended()
        self._do_due()

    def _settle_ended(self) -> None:
        self.claims.drop_rebound()
        for job in list(self._jobs):
            if not job.has_ended:
                continue
            self._show_end(job)
            if job.is_large:
                continue
            if not job.needs_before or all(before not in self._jobs for before in job.before):
                self.settle(job)
                if job.failure is not None:
                    show_note(f"Background job {job.job_id} {_ended(job.failure, binds=bool(job.claim.names))}")

    def _show_end(self, job: Pending) -> None:
        # What comes between two cells is dropped by nbclient: it takes what belongs to the cell that it runs.
        if self.is_headless and job.has_ended:
            job.show_end()

    def find(self, words: list[str]) -> list[Pending]:
        """Return the jobs that a user means: an id, the beginning or end of one, its title, `last`, or `all`.

        Those that have failed meanwhile are among them until their failure was raised.

        Raises:
            UsageError: There is no such job.
        """
        if words == ["all"]:
            return [*self._failed, *self._jobs]
        wanted = " ".join(words)
        jobs = (*self._failed, *self._jobs)
        found = [job for job in jobs if wanted == job.label or job.job_id.startswith(wanted)]
        found = found or [job for job in jobs if job.job_id.endswith(wanted)]
        if wanted == "last":
            found = sorted(jobs, key=lambda job: job.job_id)[-1:]
        if len(found) != 1:
            known = ", ".join(job.job_id for job in self._jobs) or "none"
            raise UsageError(f"no background job {wanted!r}; running: {known}")
        return found

    def close(self) -> None:
        """Stop running jobs, and report the lost results. Idempotent."""
        lost = [job for job in self._jobs if not job.has_ended]
        if lost:
            show_note(
                f"{len(lost)} background job{'s' if len(lost) != 1 else ''} stopped; "
                f"results lost: {', '.join(f'{job.job_id} ({job.label})' for job in lost)}"
            )
        for job in lost:
            job.cancel()
        until = time.monotonic() + _CLOSE_S
        for job in lost:
            job.wait_for_end(max(0.0, until - time.monotonic()))
        self._jobs.clear()
        self.claims.clear()
        self._due.clear()


def _ended(failure: BaseException, *, binds: bool) -> str:
    if isinstance(failure, JobCancelledError):
        return "was cancelled"
    text = str(failure).splitlines()
    what = "A cell that reads its names" if binds else "`%lambda wait`"
    return f"failed: {type(failure).__name__}: {text[0] if text else ''}. {what} raises the error"
