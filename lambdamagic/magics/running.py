"""From a plan to a finished job, with a view, an interrupt and an end in every case."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from lambdamagic.config import ResolvedSettings
from lambdamagic.errors import CredentialsError, FunctionMissingError, JobCancelledError, LambdaMagicError
from lambdamagic.events import EVERY_JOB, JobFinished, JobQueued, JobState, Listeners
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival, Job, JobSpec, new_job_id
from lambdamagic.magics.details import JobDetails
from lambdamagic.magics.live_output import LiveOutput
from lambdamagic.magics.remote_errors import interrupted
from lambdamagic.magics.session import JobRecord, RanMap, Session
from lambdamagic.runs.spec import RunRequest, job_spec
from lambdamagic.runs.tasks import TaskTable
from lambdamagic.targets.target import Target
from lambdamagic.widgets.actions import Actions
from lambdamagic.widgets.notebook import DisplayPlace, WidgetView
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.showing import DELAY_S, Front, Gate, Showing, choose_view

#: What a job waits for that is the first of its kernel.
STARTING = "starting the embedded Lambda …"
_TICK_S = 0.1


class JobRunner:
    """Runs one job for the cell that waits for it.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        label: What runs, for a person.
        task_count: How many tasks it has; None when that is not known yet.
        table: What its tasks give.
        is_background: Whether the cell ends at once; its view is opened by whoever shows the job, if at all.
        ran_map: The map that it runs for.
        place: Where an earlier job for that map was shown.

    Attributes:
        job_id: The job's id.
        cancel: Stops it: for the buttons of its views.
    """

    def __init__(
        self,
        session: Session,
        resolved: ResolvedSettings,
        label: str,
        *,
        task_count: int | None,
        table: TaskTable,
        is_background: bool = False,
        ran_map: RanMap | None = None,
        place: DisplayPlace | None = None,
    ) -> None:
        self._map, self.place = ran_map, place or DisplayPlace(session.cell)
        self.session, self.resolved, self.label = session, resolved, label
        self.job_id, self._task_count = new_job_id(), task_count
        self.job: Job | None = None
        self.record: JobRecord | None = None
        self.cancel: Callable[[], None] = self._cancel
        self._is_cancelled = False
        settings = resolved.settings
        listener = ProgressListener()
        self._listeners = Listeners()
        self._listeners.add(listener)
        self.details = details = JobDetails(listener, table)
        actions = Actions(
            cancel=lambda: self.cancel(),
            retry_failed=ran_map.retry if ran_map is not None and ran_map.can_run_again else None,
            describe=details.describe,
            results_csv=details.results_csv,
            is_blocking=not is_background,
        )
        front: Front = "nobody" if settings.quiet else session.front
        wanted = settings.view
        self.gate: Gate | None = None
        if is_background:
            # Only what is updated in place reaches the job's own cell from its thread.
            has_page = front in ("notebook", "headless") and wanted != "text"
            wanted = "html" if front == "headless" else wanted
            front = "notebook" if has_page else "nobody"
        view = choose_view(
            front, listener, wanted=wanted, actions=actions, log=details.log, shelf=session.shelf, place=self.place
        )
        self._live: LiveOutput | None = None
        if isinstance(view, WidgetView):
            self._live = LiveOutput(
                self.job_id,
                details.log,
                lambda clock: self.target.logs(details.function, clock),
                is_single=task_count == 1,
            )
        if is_background and front == "notebook":
            view = self.gate = Gate(view)
        self.showing = Showing(view, listener, delay_s=0.0 if is_background else DELAY_S)
        self.opens_slowly = session.opens_slowly(resolved)
        self._target = None if self.opens_slowly else session.target(resolved)
        self._listeners.emit(self._queued(STARTING if self.opens_slowly else ""))

    def _queued(self, note: str, *, is_behind: bool = False) -> JobQueued:
        return JobQueued(self.job_id, self.label, self._task_count, is_behind, note, time.time())

    @property
    def target(self) -> Target:
        """Where it runs. Blocks for some seconds where an embedded Lambda has to be started first."""
        if self._target is None:
            self._target = self.session.target(self.resolved)
        return self._target

    @property
    def has_store(self) -> bool:
        """Whether there is a bucket; the embedded Lambda has one."""
        return self._target is None or self._target.stager.store is not None

    def queue(self, note: str, *, is_behind: bool) -> None:
        """Tell everybody of the job before it can begin: it waits for something."""
        event = self._queued(note, is_behind=is_behind)
        self._listeners.emit(event)
        self._remember("")
        EVERY_JOB.emit(event)

    def end_unbegun(self, state: JobState, error: str) -> None:
        """Tell everybody that a job that was queued will not begin."""
        event = JobFinished(self.job_id, state, error, time.time())
        self._listeners.emit(event)
        self._remember("").end(self.showing.listener.snapshot())
        self.showing.close()
        EVERY_JOB.emit(event)

    def _remember(self, function: str) -> JobRecord:
        if self.record is None:
            self.record = JobRecord(
                self.showing.listener.snapshot(),
                self.resolved.settings.resolved_target(),
                function,
                self.place.cell,
                map=self._map,
                listener=self.showing.listener,
                cancel=lambda: self.cancel(),
            )
            self.session.remember(self.record)
        self.record.function = function
        return self.record

    def _cancel(self) -> None:
        self._is_cancelled = True
        if self.job is not None:
            self.job.cancel()

    def run(
        self,
        request: RunRequest,
        receive: Callable[[Arrival], None],
        between: Callable[[], None] = lambda: None,
    ) -> JobRecord:
        """Run the job and hand over what arrives; `between` is called by the waiting thread now and then.

        Raises:
            KeyboardInterrupt: The user stopped it; the job is cancelled, and what arrived before was handed over.
            LambdaMagicError: The job could not run or go on.
        """
        try:
            if self.opens_slowly:
                self._open_shown()
            record = self.start(self.prepare(request))
        except BaseException as error:
            if self.record is not None and self.job is None:
                is_stopped = isinstance(error, KeyboardInterrupt | JobCancelledError)
                self.end_unbegun("cancelled" if is_stopped else "failed", "" if is_stopped else str(error))
            raise
        self.follow(receive, between)
        return record

    def prepare(self, request: RunRequest) -> JobSpec:
        """Put the job together; a large program is staged here.

        Raises:
            LambdaMagicError: The job could not run.
        """
        try:
            return job_spec(self.resolved, self.target, replace(request, job_id=self.job_id))
        except LambdaMagicError as error:
            raise self._checked(error) from error.__cause__

    def start(self, spec: JobSpec) -> JobRecord:
        """Begin the job, and return what is remembered of it.

        Raises:
            JobCancelledError: The user has cancelled it: nothing was sent.
        """
        self.details.function = spec.function.name
        # Before anything can be told of it: who hears of the job may ask for it at once.
        record = self._remember(spec.function.name)
        self._check_cancelled()
        self.job = self.session.start(spec, self._listeners)
        if self._is_cancelled:  # in between, by a button, which is heard in another thread
            self.job.cancel()
        return record

    def _check_cancelled(self) -> None:
        if self._is_cancelled:
            raise JobCancelledError(f"job {self.job_id} was cancelled before it began")

    def _open_shown(self) -> None:
        """Open the target in a thread of its own, so that the view can say what takes so long.

        Raises:
            KeyboardInterrupt: The user stopped it; the target is opened nevertheless, for the next job.
            JobCancelledError: The user did so by a button.
            LambdaMagicError: It is not usable.
        """
        self.queue(STARTING, is_behind=False)
        opening: Future[Target] = Future()

        def open_it() -> None:
            try:
                opening.set_result(self.target)
            except BaseException as error:  # noqa: BLE001  # raised in the cell, which waits for it
                opening.set_exception(error)

        threading.Thread(target=open_it, name="lambdamagic-open", daemon=True).start()
        try:
            while not wait([opening], _TICK_S).done:
                self.showing.tick()
                self._check_cancelled()
            opening.result()
        except KeyboardInterrupt:
            raise interrupted(f"λ {self.label}: stopped before anything was sent") from None

    def follow(self, receive: Callable[[Arrival], None], between: Callable[[], None] = lambda: None) -> None:
        """Hand over what arrives until the job has ended; see `run`."""
        job, record = self.job, self.record
        assert job is not None and record is not None, "it was started"
        try:

            def tick() -> None:
                self.showing.tick()
                if self._live is not None:
                    self._live.tick()
                between()

            between()
            for arrival in job.arrivals(tick):
                if arrival.error is not None:
                    arrival = replace(arrival, error=self.target.check(arrival.error))
                self.details.took(arrival)
                if self._live is not None:
                    self._live.arrived(arrival.request_id)
                receive(arrival)
                tick()
        except KeyboardInterrupt:
            job.cancel()
            job.wait(2.0)
            raise interrupted(f"λ {self.label}: cancelled; what still runs on Lambda is told to stop") from None
        except JobCancelledError:
            raise
        except LambdaMagicError as error:
            raise self._checked(error) from error.__cause__
        finally:
            if job.state == "running":
                job.give_up()  # what was received could not be used, or was an exception to raise
                job.wait(2.0)
            if self._live is not None:
                self._live.stop()
            self.showing.close()
            record.end(self.showing.listener.snapshot())
            record.logs = list(job.log_tails)

    def _checked(self, error: LambdaMagicError) -> Exception:
        """Return the error to raise: that the target itself died, if it did."""
        if isinstance(error, CredentialsError):
            # The next cell looks for credentials anew: the user may have signed in meanwhile.
            self.session.forget(self.target)
        if isinstance(error, FunctionMissingError):
            self.target.refresh()  # it was there when it was looked at
        return self.target.check(error)


def ready(session: Session, resolved: ResolvedSettings, program: Program) -> ResolvedSettings:
    """Return the settings that a job runs under, its function made or mended if need be; see `first_use.ready`.

    Called in the cell's own thread before a `JobRunner` is made, since it may ask.
    """
    if resolved.settings.resolved_target() != "aws":
        return resolved
    from lambdamagic.magics import first_use

    return first_use.ready(session, resolved, program)


def replay(outputs: list[dict[str, Any]]) -> None:
    """Show in this cell what the remote code printed and displayed, in its order."""
    for entry in outputs:
        if "stream" in entry:
            stream = sys.stdout if entry["stream"] == "stdout" else sys.stderr
            stream.write(entry["text"])
            stream.flush()
        elif "display" in entry:
            from IPython.display import publish_display_data

            publish_display_data(entry["display"], entry.get("metadata") or {})


def tell(message: str, *, quiet: bool = False) -> None:
    """Tell the user something beside the cell's own output."""
    if not quiet:
        sys.stderr.write(f"lambdamagic: {message}\n")
