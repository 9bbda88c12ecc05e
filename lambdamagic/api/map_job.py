"""A map as a job that one holds: look at it while it runs, cancel it, run again what failed or is missing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from typing import Any, Literal, Protocol

from lambdamagic.api import process
from lambdamagic.api.appearance import html_line
from lambdamagic.api.calls import exception_of
from lambdamagic.api.launcher import CallStyle, Launcher, name_of
from lambdamagic.errors import JobCancelledError
from lambdamagic.events import BatchHandedOver, Event, InvocationFinished
from lambdamagic.jobs.job import Arrival, Job
from lambdamagic.jobs.outcomes import Failure, outcomes
from lambdamagic.runs.sources import ChunkedItems, Sizing, runs_of

State = Literal["running", "done", "failed", "cancelled"]


class _NotRun:
    """Stands for the result of a task that has none yet."""

    def __repr__(self) -> str:
        return "<not run>"

    def __reduce__(self) -> str:
        return "NOT_RUN"

    def __bool__(self) -> bool:
        return False


#: What `results()` holds for tasks that have no outcome.
NOT_RUN = _NotRun()


class Work(Protocol):
    """What a map job is made of."""

    label: str

    def launch(self, tasks: Sequence[int], listener: Callable[[Event], None]) -> Job:
        """Begin to run some of its tasks.

        Raises:
            LambdaMagicError: They cannot be sent.
        """
        ...

    def check(self, error: Exception) -> Exception:
        """Return a better error if the target itself has failed."""
        ...


class MapJob:
    """The tasks of one callable over some items. Thread-safe.

    Attributes:
        label: What runs, for a person.
        task_count: How many tasks there are.
        cost_usd: What its invocations cost so far at list price, in US dollars; nobody pays on the embedded Lambda.
    """

    def __init__(
        self,
        work: Work,
        task_count: int,
        *,
        known: dict[int, Any] | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> None:
        self._work, self._listener = work, listener
        self.label, self.task_count = work.label, task_count
        self.cost_usd = 0.0
        self._changed = threading.Condition()
        self._outcomes: dict[int, Any] = dict(known or {})
        self._job: Job | None = None
        self._job_id = ""
        self._wants_cancel = False
        self._state: State = "done"
        self._error: BaseException | None = None

    @property
    def job_id(self) -> str:
        """Its id; a new one when it was run again, but for a job that was attached."""
        return self._job_id

    @property
    def state(self) -> State:
        """`running`, `done` (each task has returned), `failed` (one has not), or `cancelled`."""
        return self._state

    @property
    def failures(self) -> dict[int, BaseException]:
        """What tasks raised, by their numbers."""
        with self._changed:
            failed = {number: each for number, each in self._outcomes.items() if isinstance(each, Failure)}
        return {number: exception_of(each, self._work.check) for number, each in sorted(failed.items())}

    @property
    def missing(self) -> list[int]:
        """Tasks without an outcome."""
        with self._changed:
            return [number for number in range(self.task_count) if number not in self._outcomes]

    def results(self) -> list[Any]:
        """Return what there is, in the items' order: values, exceptions of tasks that failed, NOT_RUN for the rest."""
        failures = self.failures
        with self._changed:
            found = [self._outcomes.get(number, NOT_RUN) for number in range(self.task_count)]
        return [failures.get(number, each) if isinstance(each, Failure) else each for number, each in enumerate(found)]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it no longer runs, or for `timeout` seconds, and return whether it has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state != "running", timeout)

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
            raise TimeoutError(f"job {self._job_id} still runs after {timeout} s")
        for error in self.failures.values():
            raise error
        if self._error is not None:
            raise self._error
        return self.results()

    def cancel(self) -> None:
        """Send no more, and tell running tasks to stop; what has its outcome is kept. Idempotent."""
        with self._changed:
            self._wants_cancel = self._state == "running"
            job = self._job
        if job is not None:
            job.cancel()

    def resume(self) -> MapJob:
        """Run the tasks that have no outcome (cancelled, or lost with the job), and return this job.

        Raises:
            RuntimeError: It still runs.
            LambdaMagicError: They cannot be sent.
        """
        return self._again(self.missing)

    def retry_failed(self) -> MapJob:
        """Run again the tasks that failed, and those that have no outcome; return this job.

        Raises:
            RuntimeError: It still runs.
            LambdaMagicError: They cannot be sent.
        """
        with self._changed:
            failed = [number for number, each in self._outcomes.items() if isinstance(each, Failure)]
        return self._again([*failed, *self.missing])

    def _again(self, tasks: Sequence[int]) -> MapJob:
        with self._changed:
            if self._state == "running":
                raise RuntimeError(f"job {self._job_id} still runs; wait for it, or cancel it first")
            if not tasks:
                return self
            before = self._state
            self._state, self._error, self._wants_cancel = "running", None, False
        try:
            job = self._work.launch(sorted(tasks), self._listen)
        except BaseException:
            with self._changed:
                self._state = before
            raise
        with self._changed:
            self._job, self._job_id = job, job.job_id
            for number in tasks:
                self._outcomes.pop(number, None)
            wants_cancel = self._wants_cancel
        if wants_cancel:
            job.cancel()  # `cancel` came while it was being sent, and met the job before
        thread = threading.Thread(target=self._collect, args=(job,), name="lambdamagic-collector", daemon=True)
        thread.start()
        process.finish_before_exit(self)
        return self

    def _listen(self, event: Event) -> None:
        if isinstance(event, InvocationFinished | BatchHandedOver):
            self.cost_usd += event.cost_usd
        if self._listener is not None:
            self._listener(event)

    def _collect(self, job: Job) -> None:
        error: BaseException | None = None
        try:
            for arrival in job.arrivals():
                job.reports.clear()
                self._take(arrival)
                del arrival
        except JobCancelledError:
            error = CancelledError(f"job {job.job_id} was cancelled")
        except Exception as failure:  # noqa: BLE001  # whatever ended the job: whoever waits must hear of it
            error = self._work.check(failure)
        with self._changed:
            self._error = error
            if isinstance(error, CancelledError):
                self._state = "cancelled"
            else:
                failed = any(isinstance(each, Failure) for each in self._outcomes.values())
                self._state = "failed" if error is not None or failed else "done"
            self._changed.notify_all()

    def _take(self, arrival: Arrival) -> None:
        try:
            found = dict(outcomes(arrival, process.home()))
        except Exception as error:  # noqa: BLE001  # results that cannot be read are these tasks' failure
            found = {number: Failure([], error) for number in arrival.unit.tasks}
        with self._changed:
            self._outcomes.update(found)
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait for the end: the interpreter does so before it ends."""
        self.wait()

    def _told(self) -> str:
        with self._changed:
            done = len(self._outcomes)
            failed = sum(isinstance(each, Failure) for each in self._outcomes.values())
        return f"{done:,}/{self.task_count:,} tasks" + (f", {failed:,} failed" if failed else "")

    def __repr__(self) -> str:
        return f"<MapJob {self._job_id}: {self.label}, {self._state}, {self._told()}>"

    def _repr_html_(self) -> str:
        return html_line(self.label, self._state, f"{self._told()} · job {self._job_id}")


class ItemsAtHand:
    """Work over items of this process.

    Args:
        launcher: Starts jobs.
        fn: The callable.
        items: The arguments of each task.
        style: How an item becomes arguments.
        chunksize: Tasks in one invocation; None to fit the work.

    Raises:
        CaptureError: The callable cannot be sent.
    """

    def __init__(
        self, launcher: Launcher, fn: Callable[..., Any], items: Sequence[Any], style: CallStyle, chunksize: int | None
    ) -> None:
        self.label = name_of(fn)
        self._launcher, self._items, self._style = launcher, items, style
        self._chunksize = chunksize
        self._target = launcher.target()
        self._program = launcher.encode(fn, items)

    def launch(self, tasks: Sequence[int], listener: Callable[[Event], None]) -> Job:
        """Begin to run some tasks."""
        sizing = Sizing.of(self._launcher.settings, self._chunksize)
        source = ChunkedItems(self._launcher.encode_items, sizing, self._items, runs=runs_of(tasks))
        return self._launcher.start(
            source,
            label=self.label,
            style=self._style,
            program=self._program,
            task_count=len(tasks),
            # Another process could not know of the outcomes that the others have here.
            keep=source.keep if len(tasks) == len(self._items) else None,
            listener=listener,
        )

    def check(self, error: Exception) -> Exception:
        """Return a better error if the target itself has failed."""
        return self._target.check(error)


def start_map(
    launcher: Launcher, fn: Callable[..., Any], iterables: Iterable[Iterable[Any]], chunksize: int | None
) -> MapJob:
    """Start a map over iterables side by side and return its job."""
    items = list(zip(*iterables, strict=False))
    return MapJob(ItemsAtHand(launcher, fn, items, "star", chunksize), len(items)).resume()
