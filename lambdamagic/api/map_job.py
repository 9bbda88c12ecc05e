"""The `MapJob` object: a map that can be inspected while it runs, cancelled, resumed and retried."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher, name_of
from lambdamagic.api.reference import held
from lambdamagic.appearance import html_line
from lambdamagic.errors import JobCancelledError
from lambdamagic.events import Billed, Event, JobState
from lambdamagic.runs.handle import Run
from lambdamagic.runs.map_work import MapWork, Repeatable
from lambdamagic.runs.sources import Sizing
from lambdamagic.runs.tasks import TaskTable, exception_of
from lambdamagic.worker.stays import Staying


class MapJob:
    """The tasks of one callable over some items. Thread-safe.

    Example:
        >>> from lambdamagic import LambdaExecutor
        >>> with LambdaExecutor(max_workers=2) as executor:
        ...     job = executor.start_map(abs, [-1, -2])
        ...     job.result(timeout=60), job.state, job.missing
        ([1, 2], 'done', [])

    Attributes:
        label: A short name of the job, for display.
        table: The outcomes of its tasks.
        cost_usd: What its invocations cost so far at list price, in US dollars; not billed on the embedded Lambda.
    """

    def __init__(self, launcher: Launcher, work: Repeatable) -> None:
        self._launcher, self._work = launcher, work
        self._place = launcher.place()
        self.label = work.label
        self._keeps_remote = isinstance(work, MapWork) and work.keeps_remote
        self.table = TaskTable(
            process.home(),
            lambda task, failure, arrival: exception_of(failure, self._place.check),
            held_as=held if self._keeps_remote else None,
        )
        self.cost_usd = 0.0
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._is_sending = self._wants_cancel = False

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return self.table.count

    @property
    def job_id(self) -> str:
        """Its id; a new one when it was run again, but for a job that was attached."""
        return "" if self._run is None else self._run.job_id

    @property
    def state(self) -> JobState:
        """`running`, `done` (each task has returned), `failed` (one has not), or `cancelled`."""
        run = self._run
        if self._is_sending or (run is not None and not run.has_ended):
            return "running"
        if run is not None and run.state == "cancelled":
            return "cancelled"
        return "failed" if self.table.failures or (run is not None and run.error is not None) else "done"

    @property
    def failures(self) -> dict[int, BaseException]:
        """Exceptions of failed tasks, by task number."""
        return dict(sorted(self.table.failures.items()))

    @property
    def missing(self) -> list[int]:
        """Tasks without an outcome."""
        return self.table.missing

    def results(self) -> list[Any]:
        """Return the outcomes so far, in the items' order: values, exceptions, NOT_RUN for tasks without one."""
        return list(self.table.results)

    def references(self) -> list[Any]:
        """Return like `results`, for a job started with `keep="remote"`: references in place of values.

        Raises:
            ValueError: Its values have come here.
        """
        if not self._keeps_remote:
            raise ValueError(
                'the values of this job are already here; to keep them in the bucket, start it with keep="remote"'
            )
        return self.results()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it no longer runs, or for `timeout` seconds, and return whether it has ended."""
        return self._run is None or self._run.wait(timeout)

    def result(self, timeout: float | None = None) -> list[Any]:
        """Wait for the end and return all results in the items' order.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: It still runs.
            CancelledError: It was cancelled; `results()` gives what there is, `resume()` runs the rest.
            BaseException: What the first task that failed raised, or what ended the job as a whole.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"job {self.job_id} is still running after {timeout} s")
        for error in self.failures.values():
            raise error
        if self._run is not None and self._run.error is not None:
            if isinstance(self._run.error, JobCancelledError):
                raise CancelledError(f"job {self.job_id} was cancelled")
            raise self._run.error
        return self.results()

    def cancel(self) -> None:
        """Send no more, and stop running tasks; existing outcomes are kept. Idempotent."""
        with self._lock:
            self._wants_cancel = self._is_sending
            run = self._run
        if run is not None:
            run.cancel()

    def resume(self) -> MapJob:
        """Run the tasks that have no outcome (cancelled, or lost with the job), and return this job.

        Raises:
            RuntimeError: It still runs.
            LambdaMagicError: They cannot be sent.
        """
        return self._again(failed=False)

    def retry_failed(self) -> MapJob:
        """Run again the tasks that failed, and those that have no outcome; return this job.

        Raises:
            RuntimeError: It still runs.
            LambdaMagicError: They cannot be sent.
        """
        return self._again(failed=True)

    def _again(self, *, failed: bool) -> MapJob:
        with self._lock:
            if self.state == "running":
                raise RuntimeError(f"job {self.job_id} is still running; wait for it, or cancel it first")
            tasks = self.table.unfinished(failed=failed)
            if not tasks:
                return self
            self._is_sending, self._wants_cancel = True, False
        before, self._place = self._run, self._launcher.place()
        try:
            run = self._launcher.run(self._place, self._work.request(tasks, self.task_count), self._listen)
            with self._lock:
                self._run = run
                if self._wants_cancel:
                    run.cancel()
            with contextlib.suppress(JobCancelledError):  # its end says so
                run.begin()
            self.table.forget(tasks)
            run.start(self.table.take)
        except BaseException:
            self._run = before
            raise
        finally:
            self._is_sending = False
        process.finish_before_exit(self)
        return self

    def _listen(self, event: Event) -> None:
        if isinstance(event, Billed):
            self.cost_usd += event.cost_usd

    def finish(self) -> None:
        """Wait for the end: the interpreter does so before it ends."""
        self.wait()

    def _counts(self) -> str:
        failed, missing = len(self.table.failures), len(self.missing)
        counts = f"{self.task_count - missing:,}/{self.task_count:,} tasks"
        return counts + (f", {failed:,} failed" if failed else "")

    def __repr__(self) -> str:
        return f"<MapJob {self.job_id}: {self.label}, {self.state}, {self._counts()}>"

    def _repr_html_(self) -> str:
        return html_line(self.label, self.state, f"{self._counts()} · job {self.job_id}")


def start_map(
    launcher: Launcher, fn: Callable[..., Any], iterables: Iterable[Iterable[Any]], chunksize: int | None
) -> MapJob:
    """Start a map over iterables side by side and return its job.

    Raises:
        CaptureError: The callable cannot be sent.
        TargetError: The target is not usable; nothing was sent.
        ValueError, TypeError: `chunksize` is not a number of 1 or more.
    """
    sizing = Sizing.of(launcher.settings, chunksize)
    label, keeps_remote = name_of(fn), isinstance(fn, Staying)
    fn, style, arrange = launcher.arranged(fn, "star")
    items: Sequence[Any] = [item if arrange is None else arrange(item) for item in zip(*iterables, strict=False)]
    fitted = launcher.fitted(fn, items)
    work = MapWork(
        label,
        *fitted,
        items,
        functools.partial(launcher.encode_items, program=fitted.program),
        sizing,
        launcher.run_options(style),
        keeps_remote,
    )
    job = MapJob(launcher, work)
    job.table.reach(len(items))
    return job.resume()
