"""The `Run` of a cell, a map, calls, or a resumed job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Protocol

from lambdamagic.errors import BeforeFailedError, JobCancelledError, LambdaMagicError
from lambdamagic.events import EVERY_JOB, JobFinished, JobQueued, JobState, Listeners, TaskFinished
from lambdamagic.jobs.engine import find_job
from lambdamagic.jobs.job import Arrival, Job, JobSpec, new_job_id
from lambdamagic.runs.opened import Place
from lambdamagic.runs.spec import RunRequest, fitting_function, job_spec
from lambdamagic.storage.requests import RequestMeter, paid_by

_EVERY_S = 0.5
_STOP_S = 2.0
#: A smaller program is in the bucket before a view could be drawn.
_SHOWN_BYTES = 1_000_000
_SENDING_EVERY_S = 0.1
_ENDS = {"failed": "failed", "cancelled": "was cancelled"}


class Follower(Protocol):
    """Follows a run in the thread that waits for it; its methods must not raise.

    `transfers` counts what goes to the bucket and comes from there.
    """

    @property
    def transfers(self) -> RequestMeter:
        """The run's meter."""

    def prepared(self, spec: JobSpec) -> None:
        """Handle the beginning of the job."""

    def tick(self) -> None:
        """Do periodic work; called often."""

    def took(self, arrival: Arrival) -> None:
        """Handle an arrival, before its consumer does."""

    def sending(self) -> None:
        """Handle progress of a large program's upload; called repeatedly."""

    def ended(self) -> None:
        """Handle the end, before any waiter does."""


class Run:
    """One job on its way: queued -> starting -> running -> ended. Thread-safe.

    Either `carry` brings it to its end in the caller's thread, or `start` does so in a thread that it starts. Whoever
    must know at once whether it can be sent calls `begin` before.

    Args:
        place: Where it goes.
        request: The work to run.
        listeners: The listeners of its events.
        follower: Follows it.

    Attributes:
        before: The runs that it is queued behind.
        job: The engine's; None before it has begun.
        error: What ended it as a whole, when it continued in a thread that it started.
    """

    def __init__(
        self,
        place: Place,
        request: RunRequest,
        *,
        listeners: Listeners | None = None,
        follower: Follower | None = None,
    ) -> None:
        self.place = place
        self.before: tuple[Run, ...] = ()
        self.request = request if request.job_id else replace(request, job_id=new_job_id())
        self.listeners, self._follower = listeners or Listeners(), follower
        self.job: Job | None = None
        self.error: BaseException | None = None
        self._state: JobState = "starting"
        self._stopped: JobState | None = None
        self._has_failed = self._is_announced = False
        self._lock = threading.Lock()
        self._ended, self._woken = threading.Event(), threading.Event()
        self._on_ended: list[Callable[[], None]] = []

    @property
    def job_id(self) -> str:
        """Its id."""
        return self.request.job_id

    @property
    def label(self) -> str:
        """A short name of the job, for display."""
        return self.request.label

    @property
    def state(self) -> JobState:
        """How far it is; `failed` also where it was run to its end, and code of the user's raised."""
        return self._state

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self._ended.is_set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the user has cancelled it."""
        return self._stopped == "cancelled"

    def queue(self, before: Sequence[Run]) -> None:
        """Begin only when other runs have ended well: it needs their results."""
        self.before, self._state = tuple(before), "queued"

    def announce(self, note: str) -> None:
        """Announce it to the listeners before it can begin.

        Args:
            note: What it waits for, for display.
        """
        self._is_announced = True
        event = JobQueued(self.job_id, self.label, self.request.task_count, bool(self.before), note, time.time())
        self.listeners.emit(event)
        EVERY_JOB.emit(event)

    def begin(self) -> Job:
        """Build the job and start it; a large program is uploaded here.

        Raises:
            JobCancelledError: It was cancelled; nothing was sent.
            LambdaMagicError: It cannot be sent.
        """
        self._check_cancelled()
        try:
            spec = self._spec()
        except LambdaMagicError as error:
            raise self.place.check(error) from error.__cause__
        if self.request.amend is not None:
            spec = self.request.amend(spec)
        if self._follower is not None:
            self._follower.prepared(spec)
        with self._lock:
            self._check_cancelled()
            self.job = self.place.start(spec, self.listeners)
            self._state = "running"
        return self.job

    def _spec(self) -> JobSpec:
        """Put the job together; a large program goes to the bucket in a thread, while the follower shows how far it is.

        The caller waits all the same: the program's buffers are the notebook's own.
        """
        resolved, target, program = self.place.resolved, self.place.target, self.request.program
        if self._follower is None or program is None or program.frames.size_bytes < _SHOWN_BYTES:
            with paid_by(RequestMeter() if self._follower is None else self._follower.transfers):
                return job_spec(resolved, target, self.request)
        # Looked for in this thread, which can ask the user.
        request = replace(self.request, function=self.request.function or fitting_function(resolved, target, program))
        made: Future[JobSpec] = Future()
        transfers = self._follower.transfers

        def make() -> None:
            try:
                with paid_by(transfers):
                    made.set_result(job_spec(resolved, target, request))
            except BaseException as error:  # noqa: BLE001  # raised where the run is begun
                made.set_exception(error)

        threading.Thread(target=make, name="lambdamagic-sending", daemon=True).start()
        try:
            while not wait([made], _SENDING_EVERY_S).done:
                self._follower.sending()
                self._check_cancelled()
        except BaseException:
            # The buffers may change as soon as this returns: the thread must not continue to read them.
            transfers.stop(JobCancelledError(f"job {self.job_id} was stopped while it was sent"))
            wait([made])  # a piece of a megabyte is under way at most, and the connection's own bound is its end
            raise
        return made.result()

    def _check_cancelled(self) -> None:
        if self.is_cancelled:
            raise JobCancelledError(f"job {self.job_id} was cancelled before it started")

    def start(
        self, take: Callable[[Arrival], None], ended: Callable[[BaseException | None], None] = lambda error: None
    ) -> None:
        """Run it to its end in a new thread; see `carry`.

        Args:
            take: Takes arrivals; what it raises ends the run.
            ended: Called at the end before any waiter, with the error that ended the run as a whole.
        """

        def keep(error: BaseException | None) -> None:
            self.error = error
            ended(error)

        def go_on() -> None:
            try:
                self._carry(take, None, keep)
            except BaseException as error:
                if error is not self.error:  # else it is raised where the result is read
                    raise

        threading.Thread(target=go_on, name="lambdamagic-collector", daemon=True).start()

    def carry(self, take: Callable[[Arrival], None], between: Callable[[], None] | None = None) -> None:
        """Run it to its end in this thread, and pass arrivals on.

        Args:
            take: Takes arrivals; what it raises ends the run.
            between: Called now and then.

        Raises:
            KeyboardInterrupt: The user stopped it; the job is cancelled, and what arrived before was handed over.
            LambdaMagicError: It could not begin or continue.
        """
        self._carry(take, between, lambda error: None)

    def _carry(
        self,
        take: Callable[[Arrival], None],
        between: Callable[[], None] | None,
        keep: Callable[[BaseException | None], None],
    ) -> None:
        error: BaseException | None = None
        try:
            if self.job is None:
                self._wait_for_before()
                self.begin()
            self._follow(take, between)
        except BaseException as raised:
            error = raised
            self._leave(raised)
            raise
        finally:
            try:
                keep(error)
            finally:
                self._end(error)
                del error  # it holds this frame

    def _follow(self, take: Callable[[Arrival], None], between: Callable[[], None] | None) -> None:
        job, follower = self.job, self._follower
        assert job is not None, "it has begun"

        def tick() -> None:
            if follower is not None:
                follower.tick()
            if between is not None:
                between()

        has_ticks = follower is not None or between is not None
        try:
            if between is not None:
                between()
            for arrival in job.arrivals(tick if has_ticks else None):
                if isinstance(arrival.error, Exception):
                    arrival = replace(arrival, error=self.place.check(arrival.error))
                self._has_failed = self._has_failed or arrival.has_failed
                if follower is not None:
                    follower.took(arrival)
                take(arrival)
                del arrival  # nothing is kept while the next is waited for
                tick()
        except JobCancelledError:
            raise
        except LambdaMagicError as error:
            raise self.place.check(error) from error.__cause__

    def _leave(self, error: BaseException) -> None:
        """End a job that is not followed to its end; it may have begun just before `begin` could record it."""
        begun = find_job(self.job_id) if self.job is None else self.job
        if begun is None or begun.state != "running":
            return
        self.job = begun
        if isinstance(error, KeyboardInterrupt):
            self.cancel()
        else:
            begun.give_up()  # what was received could not be used, or was an exception to raise
        begun.wait(_STOP_S)

    def _wait_for_before(self) -> None:
        for run in self.before:
            run.when_ended(self._woken.set)
        for run in self.before:
            while not run.has_ended and not self.is_cancelled:
                self._woken.wait(_EVERY_S)
                self._woken.clear()
                if self._follower is not None:
                    self._follower.tick()  # a page that has just loaded its code learns of the job
            self._check_cancelled()
            if run.state != "done":
                ended = _ENDS[run.state]
                raise BeforeFailedError(f"job {run.job_id} ({run.label}), whose result this one reads, {ended}")

    def _end(self, error: BaseException | None) -> None:
        self._state = self._judged(error)
        is_announced = self._is_announced and self.job is None
        text = f"{type(error).__name__}: {error}" if self._state == "failed" and error is not None else ""
        event = JobFinished(self.job_id, self._state, text, time.time())
        if self.job is None:
            self.listeners.emit(event)
        if self._follower is not None:
            self._follower.ended()
        if is_announced:
            EVERY_JOB.emit(event)
        with self._lock:
            self.request = replace(self.request, program=None, amend=None)  # what was sent may be large
            self._ended.set()
            acts, self._on_ended = self._on_ended, []
        for act in acts:
            act()

    def _judged(self, error: BaseException | None) -> JobState:
        is_stopped = isinstance(error, KeyboardInterrupt | JobCancelledError) and self._stopped is None
        if self.is_cancelled or is_stopped:
            return "cancelled"
        return "failed" if error is not None or self._has_failed else "done"

    def when_ended(self, act: Callable[[], None]) -> None:
        """Call a function in the run's thread when it ends; now if it has ended."""
        with self._lock:
            if not self._ended.is_set():
                self._on_ended.append(act)
                return
        act()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, and return whether it has come."""
        return self._ended.wait(timeout_s)

    def cancel(self) -> None:
        """Send no more, and ask running tasks to stop; returns at once. Idempotent."""
        with self._lock:
            job = self.job
            # What has been done is not cancelled, though its end may not have been taken in yet.
            if not self._ended.is_set() and (job is None or job.state == "running"):
                self._stopped = "cancelled"
            if job is not None:
                job.cancel()
        self._woken.set()

    def give_up(self) -> None:
        """Stop like `cancel`, because of a failure: it ends as failed."""
        self._stopped = self._stopped or "failed"
        if self.job is not None:
            self.job.give_up()

    def found(self, tasks: Sequence[int]) -> None:
        """Report tasks that came while it runs and whose outcomes are known."""
        if self.job is not None:
            for task in tasks:
                self.listeners.emit(TaskFinished(self.job_id, task, False, "", 0.0, time.time(), True))
