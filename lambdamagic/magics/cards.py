"""Shows a run to the user, and records it in the session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from lambdamagic.api.live_output import LiveOutput
from lambdamagic.appearance import AS_TEXT
from lambdamagic.clock import Clock
from lambdamagic.errors import JobCancelledError
from lambdamagic.events import JobQueued
from lambdamagic.jobs.job import Arrival, JobSpec
from lambdamagic.magics.details import JobDetails
from lambdamagic.magics.front import BusySign, replay
from lambdamagic.magics.map_prints import MapPrints
from lambdamagic.magics.on_its_way import OnItsWay
from lambdamagic.magics.output_bundle import outputs_bundle
from lambdamagic.magics.record import JobRecord, RanMap
from lambdamagic.magics.remote_errors import interrupted
from lambdamagic.magics.session import Session
from lambdamagic.runs.handle import Run
from lambdamagic.runs.opened import Place
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import TaskTable
from lambdamagic.storage.requests import RequestMeter
from lambdamagic.targets.target import Target
from lambdamagic.widgets import text
from lambdamagic.widgets.actions import Actions
from lambdamagic.widgets.notebook import CardView, DisplayPlace, HeadlessView, WidgetView
from lambdamagic.widgets.progress import Progress, ProgressListener
from lambdamagic.widgets.showing import DELAY_S, Front, Gate, NoView, Showing, View, choose_view, front_of

if TYPE_CHECKING:
    from lambdamagic.deploy.function_logs import FunctionLogs

#: What a job waits for that is the first of its kernel.
STARTING = "starting the embedded Lambda …"
_TICK_S = 0.1
NOTHING = {"text/html": "", "text/plain": ""}
#: Stays in the notebook only if the job was never seen to end.
_UNSEEN = (
    "Still running when this was saved. It stops when the notebook ends, unless a cell waits for it (%lambda wait)."
)


class Card:
    """Shows a run and remembers it; the run's `Follower`.

    Args:
        session: The notebook's session.
        place: Where the run goes.
        request: The work to run.
        table: What its tasks give.
        is_background: Whether the cell ends at once; the view is opened by whoever shows the job, if at all.
        ran_map: The map that it runs for.
        spot: Where an earlier job for that map was shown.

    Attributes:
        run: The run.
        opens_slowly: Whether the target has to be started first.
        spot: Where it is shown.
        details: What its view may ask for.
        left_behind: What was printed by what was stopped.
        prints: Keeps what a map prints for its end; None where it is shown as it comes.
        record: What is remembered of it, once it is.
    """

    def __init__(
        self,
        session: Session,
        place: Place,
        request: RunRequest,
        table: TaskTable,
        *,
        is_background: bool = False,
        ran_map: RanMap | None = None,
        spot: DisplayPlace | None = None,
    ) -> None:
        self._session, self._place, self._map, self._is_background = session, place, ran_map, is_background
        self.spot = spot or DisplayPlace(session.cell)
        self.opens_slowly = session.opens_slowly(place.resolved)
        self.record: JobRecord | None = None
        listener = ProgressListener()
        self.details = JobDetails(listener, table)
        self.run = Run(place, request, follower=self)
        self.run.listeners.add(listener)
        self.prints = MapPrints(is_one=request.task_count == 1) if request.kind == "map" else None
        view = self._view(listener)
        if not isinstance(view, HeadlessView | CardView | WidgetView):
            self.prints = None
        is_single = request.task_count == 1
        self._live = LiveOutput(self.run.job_id, self.details.log, self._logs, is_single=is_single)
        self.left_behind = ""
        busy = None if is_background else BusySign(session.shell)
        self._way = OnItsWay(self.run, listener, busy, is_quiet=place.settings.quiet)
        self.gate = Gate(view) if is_background and not isinstance(view, NoView) else None
        is_shown = is_background or self.spot.is_taken
        self.showing = Showing(self.gate or view, listener, delay_s=0.0 if is_shown else DELAY_S)
        note = STARTING if self.opens_slowly else ""
        self.run.listeners.emit(JobQueued(self.run.job_id, request.label, request.task_count, False, note, time.time()))

    def _view(self, listener: ProgressListener) -> View:
        settings, ran_map = self._place.settings, self._map
        actions = Actions(
            cancel=self.run.cancel,
            retry_failed=ran_map.retry if ran_map is not None and ran_map.can_run_again else None,
            describe=self.details.describe,
            results_csv=self.details.results_csv,
            printed=None if self.prints is None else self.prints.in_card,
            is_blocking=not self._is_background,
        )
        front: Front = "none" if settings.quiet else front_of(self._session.shell)
        wanted = settings.view
        if self._is_background:
            # Only what is updated in place reaches the job's own cell from its thread.
            has_page = front in ("notebook", "headless") and wanted != "text"
            wanted = "html" if front == "headless" else wanted
            front = "notebook" if has_page else "none"
        return choose_view(
            front,
            listener,
            wanted=wanted,
            actions=actions,
            log=self.details.log,
            shelf=self._session.shelf,
            place=self.spot,
        )

    def _logs(self, clock: Clock) -> FunctionLogs:
        return self._place.target.logs(self.details.function, clock)

    def progress(self) -> Progress:
        """Return how far it is; a cell that raised is a job that was done as far as the engine goes."""
        progress = self.showing.listener.snapshot()
        is_reported = self.run.job is None or (progress.state == "partly" and self.run.state == "failed")
        return progress if is_reported else replace(progress, state=self.run.state)

    def remember(self) -> JobRecord:
        """Add it to the session's jobs before listeners are called: they may look it up at once."""
        if self.record is None:
            self.record = JobRecord(
                self.showing.listener.snapshot(),
                self._place.settings.resolved_target(),
                self.details.function,
                self.spot.cell,
                map=self._map,
                listener=self.showing.listener,
                cancel=self.run.cancel,
            )
            self._session.remember(self.record)
        return self.record

    def announce(self, note: str) -> None:
        """Announce the run to all listeners before it can begin, and what it waits for."""
        record = self.remember()
        self.run.announce(note)
        record.progress = self.progress()

    def prepared(self, spec: JobSpec) -> None:
        """Remember it: the job is about to begin."""
        self.details.function = spec.function.name
        self.remember().function = spec.function.name

    @property
    def transfers(self) -> RequestMeter:
        """Counts what goes to the bucket and comes from there."""
        return self._way.meter

    def sending(self) -> None:
        """Show the upload progress of a large program."""
        note = self._way.sending()
        if note and not self._is_background:
            self.announce(note)
            self.showing.show()

    def tick(self) -> None:
        """Redraw if it is time to."""
        self._way.tick()
        self.showing.tick()
        self._live.tick()
        if self.details.log.displays != self.spot.live:
            self._show_live()
        if self._is_background and self.record is not None:
            self.record.progress = self.progress()

    def show_below(self, bundle: dict[str, Any]) -> None:
        """Show below the card what its job has printed and displayed, and keep it for a page that is reloaded."""
        self.spot.show_below(bundle)
        self._session.shelf.keep_below(self.run.job_id, bundle)

    def _show_live(self) -> None:
        """Show what the cell displays while it runs, below its card; the end brings it whole, at its place."""
        self.spot.live = self.details.log.displays
        bundle = outputs_bundle([{"display": each} for each in self.spot.live], "", None) or NOTHING
        if self.spot.has_below:
            self.spot.show_below(bundle)
        elif self.spot.is_taken and not self._is_background:
            self.spot.make_below(bundle)

    def took(self, arrival: Arrival) -> None:
        """Record the details of an arrival."""
        self.details.took(arrival)
        if self.prints is not None:
            self.prints.take(arrival)
        self._live.arrived(arrival.request_id)

    def ended(self) -> None:
        """Draw the end."""
        self._live.stop()
        if self.run.state == "cancelled" and self.run.job is not None:
            self.left_behind = self._live.left_behind()
        has_prints = self.prints is not None and self.prints.is_much
        if (has_prints or self.spot.is_taken) and not self._is_background:
            self.showing.show()  # also a quick job's card: it has what the cell does not show, or was begun
        if self.spot.live and self.spot.has_below:
            self.spot.show_below(NOTHING)
        self.showing.close()
        if self.run.is_cancelled:
            self.remember()  # also where it was cancelled before it could begin
        if self.record is not None:
            self.record.end(self.showing.listener.snapshot())
            self.record.logs = [] if self.run.job is None else list(self.run.job.log_tails)

    def carry(
        self,
        take: Callable[[Arrival], None],
        between: Callable[[], None] | None = None,
        *,
        binds: Sequence[str] = (),
    ) -> None:
        """Run it for the cell that waits; see `Run.carry`. What was printed is kept where it is stopped.

        Args:
            take: Takes arrivals.
            between: Called now and then.
            binds: The names that the cell was to bind.

        Raises:
            KeyboardInterrupt: The user stopped it; the job is cancelled, and what arrived before was handed over.
            LambdaMagicError: The job could not run or continue.
        """
        if self.opens_slowly:
            self._place.open_target = partial(self._open_shown, self._place.open_target)
        try:
            self.run.carry(take, between)
        except KeyboardInterrupt as error:
            if hasattr(error, "_render_traceback_"):
                raise
            raise interrupted(self._stopped(binds)) from None
        finally:
            if self.left_behind:
                if self.prints is not None and not self.prints.is_much:
                    self.prints.show()  # of the tasks that have ended; those that were stopped come after them
                replay([{"stream": "stdout", "text": self.left_behind}])

    def _stopped(self, binds: Sequence[str]) -> str:
        progress = self.progress()
        took = f" after {text.duration(progress.elapsed_s(time.time()))}" if progress.started_at else ""
        unbound = f"; not bound: {', '.join(binds)}" if binds else ""
        return (
            f"λ {self.run.label.rstrip(':')}: cancelled{took}{unbound}. Tasks still running on Lambda are being stopped"
        )

    def _open_shown(self, open_target: Callable[[], Target]) -> Target:
        """Open the target in a separate thread, so that the view can say what takes so long.

        Raises:
            KeyboardInterrupt: The user stopped it; the target is opened nevertheless, for the next job.
            JobCancelledError: The user did so by a button.
            LambdaMagicError: It is not usable.
        """
        self.announce(STARTING)
        opening: Future[Target] = Future()

        def open_it() -> None:
            try:
                opening.set_result(open_target())
            except BaseException as error:  # noqa: BLE001  # raised in the cell, which waits for it
                opening.set_exception(error)

        threading.Thread(target=open_it, name="lambdamagic-open", daemon=True).start()
        try:
            while not wait([opening], _TICK_S).done:
                self.showing.tick()
                if self.run.is_cancelled:
                    raise JobCancelledError(f"job {self.run.job_id} was cancelled before it started")
            return opening.result()
        except KeyboardInterrupt:
            raise interrupted(f"λ {self.run.label}: cancelled before anything was sent") from None


class CardWithOutputs:
    """The card of a background job, and below it what the job printed and showed: other cells' outputs stay their own.

    Args:
        card: The card.
        is_headless: Whether the notebook is run by a program.
    """

    def __init__(self, card: Card, *, is_headless: Callable[[], bool]) -> None:
        self._card, self._is_headless = card, is_headless
        self._lock = threading.Lock()
        self._is_shown = False
        self._printed: list[dict[str, Any]] | None = None
        self._is_end_shown = self._is_refreshed = self._has_place = False

    @property
    def has_place(self) -> bool:
        """Whether there is a place for its outputs in its own cell."""
        return self._is_shown or self._has_place

    def reserve(self) -> bool:
        """Make a place for its outputs in its cell, which ends now; return whether that was needed and possible."""
        with self._lock:
            if self._is_shown or self._card.gate is None:
                return False
            self._card.spot.make_below(NOTHING)
            self._has_place = True
            return True

    def open(self) -> bool:
        """Show it live, once; return whether that was possible."""
        gate, run = self._card.gate, self._card.run
        with self._lock:
            if gate is None or gate.is_open or run.has_ended:
                return False
            gate.open(self._card.progress(), time.time())
            unseen = {"text/html": f'<div class="{AS_TEXT}">{escape(_UNSEEN)}</div>', "text/plain": _UNSEEN}
            self._card.spot.make_below(unseen if self._is_headless() else NOTHING)
            self._is_shown = True
            return True

    def open_in_place(self) -> None:
        """Show it live where an earlier job was shown; nothing if that was not shown."""
        with self._lock:
            if self._card.gate is not None and self._card.spot.is_taken:
                self._card.gate.open(self._card.progress(), time.time())
                self._is_shown = self._card.spot.has_below

    def refresh(self, arrivals: list[Arrival]) -> None:
        """Draw the end again, now that the tracebacks are known: it was drawn when nothing was read yet."""
        gate = self._card.gate
        has_failed = any(arrival.has_failed for arrival in arrivals)
        with self._lock:
            if gate is None or not gate.is_open or self._is_refreshed or not has_failed or self._is_headless():
                return
            self._is_refreshed = True
            self._card.showing.close()

    def close(self) -> bool:
        """Show again how it ended, as a part of the cell that runs now; return whether it was not shown before."""
        with self._lock:
            if not self._is_shown or self._is_end_shown:
                return False
            self._is_end_shown = True
            self._card.showing.close()
            return True

    def show_outputs(self, arrivals: list[Arrival], failure: str, value: Any) -> None:
        """Show what was printed and displayed, an error in short, and the value, below the card.

        Args:
            arrivals: The answers; what they printed is kept from the first time.
            failure: The error; empty without one.
            value: What is shown; None for nothing.
        """
        with self._lock:
            if not self.has_place:
                return
            if self._printed is None:
                # Below what an earlier job printed whose tasks this one runs again.
                self._printed = self._card.spot.printed
                prints = self._card.prints
                found = [entry for arrival in arrivals for entry in arrival.outputs]
                self._printed += found if prints is None else prints.entries()
                if self._card.left_behind:
                    self._printed.append({"stream": "stdout", "text": self._card.left_behind})
            bundle = outputs_bundle(self._printed, failure, value)
            if bundle is not None or self._is_headless():
                self._card.show_below(bundle or NOTHING)
