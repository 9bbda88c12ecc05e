"""Jobs whose cell has ended: their names, their results, and the cells that wait for them.

A thread of its own follows each job and only gathers what arrives. Everything is read and put into the notebook by the
main thread, between two cells or where a cell waits: so nothing changes under a cell that runs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError

from lambdamagic.errors import JobCancelledError
from lambdamagic.magics.handle import BackgroundJob
from lambdamagic.magics.running import tell
from lambdamagic.magics.waiting import wait_for

if TYPE_CHECKING:
    from lambdamagic.capture import Touched
    from lambdamagic.magics.session import Session

#: How long closing waits for all threads together, in seconds.
_CLOSE_S = 4.0
#: How many failures are kept for whoever asks.
_FAILURES = 100
MISSING = object()


class Work(Protocol):
    """What is to be done with a job's arrivals, in the main thread.

    Attributes:
        is_shown: Whether its value, or its failure, is shown below its card; a map's card tells of both itself.
    """

    is_shown: bool

    def take(self, arrival: Any) -> None:
        """Read an arrival, maybe while the job still runs; nothing is put into the notebook.

        Raises:
            Exception: It cannot be read.
        """
        ...

    def conclude(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        """Put what arrived into the notebook; return the job's value.

        Args:
            claim: Takes the names that were bound, and returns those that may be put into the namespace.

        Raises:
            BaseException: What the code raised, with its own type.
        """
        ...


class Background:
    """The background jobs of one session. Used by the main thread only.

    Args:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._jobs: list[BackgroundJob] = []
        #: Settled jobs whose failure was told, and not raised yet.
        self._failed: deque[BackgroundJob] = deque(maxlen=_FAILURES)
        self._pending: dict[str, BackgroundJob] = {}
        self._cells: list[object] = []
        self._rebound: frozenset[str] = frozenset()
        self._due: deque[Callable[[], None]] = deque()

    @property
    def pending(self) -> Mapping[str, BackgroundJob]:
        """The names whose values are on their way, or failed to come, with the last job that binds each."""
        return self._pending

    @property
    def jobs(self) -> tuple[BackgroundJob, ...]:
        """The jobs that are not settled yet, in the order of their start."""
        return tuple(self._jobs)

    def add(self, job: BackgroundJob) -> None:
        """Take a job that was started."""
        namespace = self._session.shell.user_ns
        job.held = {name: namespace.get(name, MISSING) for name in job.names}
        self._jobs.append(job)
        self._pending.update(dict.fromkeys(job.names, job))

    @property
    def is_headless(self) -> bool:
        """Whether the notebook is run by a program, as nbclient and papermill do."""
        return self._session.front == "headless"

    def owners(self, names: Iterable[str]) -> list[BackgroundJob]:
        """Return the jobs that bind some names, each once, in the order of their start."""
        found = {id(job): job for name in names if (job := self._pending.get(name)) is not None}
        return sorted(found.values(), key=lambda job: job.number)

    def read(self, names: Iterable[str], *, reader: str = "this cell") -> None:
        """Wait for names that are about to be read, and put them in place.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the jobs go on.
            BaseException: What a job raised that was to bind one.
        """
        wanted = [name for name in names if name in self._pending]
        jobs = self.owners(wanted)
        wait_for(self._session, jobs, wanted, reader)
        for job in jobs:
            self.settle(job)
        for job in jobs:
            self._raise_for(job, wanted)

    def _raise_for(self, job: BackgroundJob, names: list[str]) -> None:
        failure = job.failure
        missing = [name for name in names if self._pending.get(name) is job]
        if failure is None or not missing:
            return
        for name in missing:
            # Told once; an older value, if there is one, is what the cell that failed would have left here too.
            if name in self._session.shell.user_ns:
                del self._pending[name]
        self.raised(job)
        raise failure

    def raised(self, job: BackgroundJob) -> None:
        """Note that a job's failure is raised now."""
        if job in self._failed:
            self._failed.remove(job)

    def wait(self, jobs: Iterable[BackgroundJob]) -> None:
        """Wait for jobs and settle them; raises nothing of theirs.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the jobs go on.
        """
        jobs = list(jobs)
        wait_for(self._session, jobs, [name for job in jobs for name in job.names], "%lambda wait")
        for job in jobs:
            self.settle(job)

    def settle(self, job: BackgroundJob) -> None:
        """Put what a job that has ended brought into the notebook; once."""
        if job not in self._jobs:
            return
        self._show_end(job)
        if job.needs_before:
            for before in job.before:
                self.settle(before)
        self._jobs.remove(job)
        job.settle(lambda bound: self._claim(job, bound))
        if job.failure is not None:
            self._failed.append(job)
        for before in job.before:
            before.overtaken.update(job.bound)
        for name in job.names:
            if self._pending.get(name) is job and (job.failure is None or name in job.bound):
                del self._pending[name]
        for each in (job, *job.before):
            if each not in self._jobs and not any(each in other.before for other in self._jobs):
                each.forget()

    def _claim(self, job: BackgroundJob, bound: dict[str, Any]) -> dict[str, Any]:
        """Return those of the names that nothing newer stands in the way of."""
        self._drop_rebound()
        bound = {name: value for name, value in bound.items() if name not in job.overtaken}
        namespace = self._session.shell.user_ns
        later: dict[str, BackgroundJob] = {
            name: other for name in bound if (other := self._pending.get(name)) is not None and other is not job
        }
        for name, other in later.items():
            other.fallback[name] = bound[name]  # if that one does not bind it after all
        newer = [
            name
            for name in bound
            if name not in later
            and (name in job.superseded or namespace.get(name, MISSING) is not job.held.get(name, namespace.get(name)))
        ]
        job.left_out = {name: bound[name] for name in newer}
        if newer:
            names = ", ".join(newer)
            tell(
                f"{names} {'was' if len(newer) == 1 else 'were'} assigned while job {job.job_id} ran: the newer value "
                f"stays, the job's is in its .left_out"
            )
        claimed = {name: value for name, value in bound.items() if name not in later and name not in newer}
        unbound = {name: value for name, value in job.fallback.items() if name not in bound and name not in newer}
        return {**unbound, **claimed}

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
        if result.success:
            self._supersede(self._rebound)
        self._rebound = frozenset()
        self._at_boundary()

    def cell_touches(self, touched: Touched) -> None:
        """Wait for what the next cell reads; see `read`."""
        self._rebound = touched.rebound if len(self._cells) <= 1 else self._rebound
        if touched.read:
            self.read(sorted(touched.read))

    def soon(self, act: Callable[[], None]) -> None:
        """Have something done in the main thread while no cell runs. For any thread.

        Without a kernel, which has a loop between the cells, it is done at the next cell's boundary.
        """
        self._due.append(act)
        loop = getattr(getattr(self._session.shell, "kernel", None), "io_loop", None)
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
            except Exception as error:  # noqa: BLE001  # nobody calls who could take it: the user is told
                tell(f"{type(error).__name__}: {error}")

    def _at_boundary(self) -> None:
        self._settle_ended()
        self._do_due()

    def _settle_ended(self) -> None:
        self._drop_rebound()
        for job in list(self._jobs):
            if not job.has_ended:
                continue
            self._show_end(job)
            if job.is_large:
                continue
            if not job.needs_before or all(before not in self._jobs for before in job.before):
                self.settle(job)
                if job.failure is not None:
                    tell(f"background job {job.job_id} {job.state}: {_one_line(job.failure)}")

    def _show_end(self, job: BackgroundJob) -> None:
        # What comes between two cells is dropped by nbclient: it takes what belongs to the cell that it runs.
        if self.is_headless and job.has_ended:
            job.show_end()

    def _drop_rebound(self) -> None:
        namespace = self._session.shell.user_ns
        self._supersede(
            name
            for name, job in list(self._pending.items())
            if namespace.get(name, MISSING) is not job.held.get(name, MISSING)
        )

    def _supersede(self, names: Iterable[str]) -> None:
        for name in names:
            job = self._pending.pop(name, None)
            if job is not None:
                job.superseded.add(name)

    def find(self, words: list[str]) -> list[BackgroundJob]:
        """Return the jobs that a user means: an id, the beginning or end of one, or `all`.

        Those that have failed meanwhile are among them until their failure was raised.

        Raises:
            UsageError: There is no such job.
        """
        if words == ["all"]:
            return [*self._failed, *self._jobs]
        wanted = " ".join(words)
        found = [
            job for job in (*self._failed, *self._jobs) if job.job_id.startswith(wanted) or job.job_id.endswith(wanted)
        ]
        if len(found) != 1:
            known = ", ".join(job.job_id for job in self._jobs) or "there are none"
            raise UsageError(f"no background job is called {wanted!r}; under way: {known}")
        return found

    def close(self) -> None:
        """Stop what is under way, and say what is lost. Idempotent."""
        lost = [job for job in self._jobs if not job.has_ended]
        if lost:
            tell(
                f"{len(lost)} background job{'s' if len(lost) != 1 else ''} stopped, what they would have brought is "
                f"lost: {', '.join(f'{job.job_id} ({job.label})' for job in lost)}"
            )
        for job in lost:
            job.cancel()
        until = time.monotonic() + _CLOSE_S
        for job in lost:
            job.wait_for_end(max(0.0, until - time.monotonic()))
        self._jobs.clear()
        self._pending.clear()
        self._due.clear()


def _one_line(failure: BaseException) -> str:
    if isinstance(failure, JobCancelledError):
        return "it was cancelled"
    text = str(failure).splitlines()
    return f"{type(failure).__name__}: {text[0] if text else ''}; a cell that reads what it was to bind raises it"
