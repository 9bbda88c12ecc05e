"""A job whose cell has ended, as the notebook holds it."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from lambdamagic.appearance import AS_TEXT
from lambdamagic.codec.earlier import refers_to_earlier
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.errors import BeforeFailedError, JobCancelledError, LambdaMagicError
from lambdamagic.events import JobState
from lambdamagic.jobs.job import Arrival, JobSpec
from lambdamagic.magics.arrivals import fetched, told
from lambdamagic.magics.output_bundle import outputs_bundle
from lambdamagic.magics.queueing import LAZY_MIN_BYTES, CellWork
from lambdamagic.magics.running import STARTING, JobRunner, replay
from lambdamagic.protocol.envelope import Usage
from lambdamagic.widgets import page, text
from lambdamagic.widgets.progress import Progress

if TYPE_CHECKING:
    from lambdamagic.magics.background import Background, Work

_numbers = itertools.count()
_SHOWN_NAMES = 12
_NOTHING = {"text/html": "", "text/plain": ""}
#: Stays in the notebook only if the job was never seen to end.
_UNSEEN = "Still running when this was written: the end of the notebook stops it, unless a cell waits (%lambda wait)."
_EVERY_S = 0.5
_ENDS = {"failed": "failed", "cancelled": "was cancelled"}


class BackgroundJob:
    """A job that runs while the notebook goes on: what `%%lambda --bg` returns.

    Its methods are for the kernel's main thread; `state` and `cancel` for any.

    Args:
        background: Where it belongs.
        runner: Runs it.
        work: Reads what arrives.
        names: The names that it may bind.
        before: Jobs that it is queued behind.
        prepare: Puts it together; called when those have ended.
        stops_early: Whether the first task that fails ends it.
        on_end: Told in the job's thread when it has ended.

    Attributes:
        job_id: Its id.
        label: What runs, for a person.
        left_out: Values that it bound and that a newer assignment kept out of the notebook.
        received_bytes: How much of its results has come to the kernel.
        usage: What a cell used, as measured in the function; None before its end.
        follower: The job that runs what failed here again.
    """

    def __init__(
        self,
        background: Background,
        runner: JobRunner,
        work: Work,
        *,
        names: Sequence[str],
        prepare: Callable[[], JobSpec],
        before: Sequence[BackgroundJob] = (),
        stops_early: bool = False,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.job_id, self.label = runner.job_id, runner.label
        self.names = tuple(names)
        self.number = next(_numbers)
        self.before = tuple(before)
        self.held: dict[str, Any] = {}
        self.superseded: set[str] = set()
        self.fallback: dict[str, Any] = {}
        self.overtaken: set[str] = set()
        self.bound: dict[str, Any] = {}
        self.left_out: dict[str, Any] = {}
        self.failure: BaseException | None = None
        self.arrivals: list[Arrival] = []
        self.answer: Arrival | None = None
        self.received_bytes = 0
        self.usage: Usage | None = None
        self.spec: JobSpec | None = None
        self.work = work
        self._background, self._runner = background, runner
        self.follower: BackgroundJob | None = None
        self._prepare, self._stops_early, self._on_end = prepare, stops_early, on_end
        self._error: BaseException | None = None
        self._value: Any = None
        self._end_state: JobState | None = None
        self._printed: list[dict[str, Any]] | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._has_begun = False
        self._is_end_shown = False
        self._outputs: Any = None
        self._read = 0
        self._unreadable: BaseException | None = None
        self._is_reading_due = self._is_refreshed = False
        self._woken = threading.Event()
        self._on_ended: list[Callable[[], None]] = []
        runner.cancel = self.cancel
        if self.before or runner.opens_slowly:
            behind = ", ".join(f"job {job.job_id[-8:]} ({job.label})" for job in self.before if not job.has_ended)
            runner.queue(f"waits for {behind}" if behind else STARTING, is_behind=bool(behind))
        else:
            self._begin()
        threading.Thread(target=self._run, name=f"lambdamagic-bg-{self.job_id}", daemon=True).start()

    def _begin(self) -> None:
        if self._is_cancelled:
            raise self._cancelled()
        spec = self.spec = self._prepare()
        with self._lock:
            if self._is_cancelled:
                raise self._cancelled()
            self._runner.start(spec)
            self._has_begun = True
            self._note()

    def _cancelled(self) -> JobCancelledError:
        return JobCancelledError(f"job {self.job_id} was cancelled before it began")

    def _run(self) -> None:
        try:
            if not self._has_begun:
                self._wait_for_before()
                self._begin()
            self._runner.follow(self._take, self._note)
        except BaseException as error:  # noqa: BLE001  # a thread's own end: the main thread raises it where it is asked
            self._error = error
        finally:
            with self._lock:
                state = self._end_state = self._judged()
                if not self._has_begun:
                    is_failure = state == "failed" and self._error is not None
                    self._runner.end_unbegun(state, told(self._error) if is_failure else "")
                del self._prepare  # it holds what was sent
                self._ended.set()
                if self._outputs is not None:
                    self._show_outputs()
                acts, self._on_ended = self._on_ended, []
            for act in acts:
                act()
            self._read_soon()
            self._on_end()

    def _wait_for_before(self) -> None:
        for job in self.before:
            job.when_ended(self._woken.set)
        for job in self.before:
            while not job.has_ended and not self._is_cancelled:
                self._woken.wait(_EVERY_S)
                self._woken.clear()
                self._runner.showing.tick()  # a page that has just loaded its code hears of the job
            if self._is_cancelled:
                break  # `_begin` says so
            if job.state != "done":
                raise BeforeFailedError(
                    f"job {job.job_id} ({job.label}), whose result this one reads, {_ENDS[job.state]}"
                )

    def when_ended(self, act: Callable[[], None]) -> None:
        """Have something done, at once and in the job's own thread, when it has ended; now if it has."""
        with self._lock:
            if not self._ended.is_set():
                self._on_ended.append(act)
                return
        act()

    def _note(self) -> None:
        if self._runner.record is not None:
            self._runner.record.progress = self._progress()

    def _take(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self.answer = arrival
        self.usage = None if arrival.response is None else arrival.response.usage
        if self._stops_early and arrival.has_failed and self._runner.job is not None:
            self._runner.job.give_up()
        self._read_soon()

    def _read_soon(self) -> None:
        if not self._is_reading_due:
            self._is_reading_due = True
            self._background.soon(self._read_on)

    def _read_on(self) -> None:
        """Read what has arrived so far, for the job's views; nothing is put into the notebook."""
        self._is_reading_due = False
        if self.spec is not None and self.spec.collects:
            self._read_all()
        with self._lock:
            if self._ended.is_set() and not self._background.is_headless:
                self._refresh()

    def _read_all(self) -> None:
        while self._read < len(self.arrivals) and self._unreadable is None:
            arrival = self.arrivals[self._read]
            self._read += 1
            try:
                self.work.take(arrival)
            except BaseException as error:  # noqa: BLE001  # objects of the user's are rebuilt: raised when it is settled
                self._unreadable = error

    def _refresh(self) -> None:
        """Draw the end again, now that the tracebacks are known: it was drawn when nothing was read yet."""
        gate = self._runner.gate
        if (
            gate is not None
            and gate.is_open
            and not self._is_refreshed
            and any(arrival.has_failed for arrival in self.arrivals)
        ):
            self._is_refreshed = True
            self._runner.showing.close()

    @property
    def state(self) -> JobState:
        """How far it is."""
        if self._end_state is not None:
            return self._end_state
        return "running" if self._has_begun else "queued"

    def _judged(self) -> JobState:
        if self._is_cancelled or (isinstance(self._error, JobCancelledError) and not self._stops_early):
            return "cancelled"
        return "failed" if self._error is not None or any(arrival.has_failed for arrival in self.arrivals) else "done"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen on Lambda."""
        return self._ended.is_set()

    @property
    def is_large(self) -> bool:
        """Whether what it brought is fetched only when it is read."""
        response = self.arrivals[0].response if len(self.arrivals) == 1 else None
        payload = None if response is None else response.payload
        return bool(
            response and payload and payload.parts and response.binds_only and payload.size_bytes >= LAZY_MIN_BYTES
        )

    @property
    def needs_before(self) -> bool:
        """Whether what it brought can be read only after what the jobs before it brought."""
        response = self.arrivals[0].response if len(self.arrivals) == 1 else None
        if response is None or not response.binds_only:
            return True
        return refers_to_earlier(unpack_numbers(response.numbers))

    @property
    def is_staged(self) -> bool:
        """Whether its answer goes to the bucket."""
        return self._runner.has_store and (self.spec is None or not self.spec.collects)

    def forget(self) -> None:
        """Let everything go that only jobs behind it needed (for `Background`)."""
        if isinstance(self.work, CellWork):
            self.work.forget()
        answer, self.answer = self.answer, None
        if self.spec is not None and not self.spec.collects and answer is not None and answer.response is not None:
            with contextlib.suppress(LambdaMagicError):  # the bucket's lifecycle deletes it too
                self.spec.stager.forget_parts(answer.response)

    def wait_for_end(self, timeout_s: float | None) -> bool:
        """Wait without putting anything into the notebook; return whether it has ended."""
        return self._ended.wait(timeout_s)

    def wait(self) -> None:
        """Wait until it has ended, and put what it brought into the notebook. Raises nothing of the job's.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the job goes on.
        """
        self._background.wait([self])

    def result(self) -> Any:
        """Wait, and return the value of the cell's last expression, or a map's list of results.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the job goes on.
            BaseException: What the job raised.
        """
        self.wait()
        if self.follower is not None:
            return self.follower.result()
        if self.failure is not None:
            self._background.raised(self)
            raise self.failure
        return self._value

    def cancel(self) -> None:
        """Stop it; returns at once."""
        with self._lock:
            job = self._runner.job
            # What has been done is not cancelled, though its end may not have been taken in yet.
            if not self._ended.is_set() and (job is None or job.state == "running"):
                self._is_cancelled = True
            if job is not None:
                job.cancel()
        self._woken.set()

    def settle(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Read what it brought (for `Background`)."""

        def claimed(bound: dict[str, Any]) -> dict[str, Any]:
            self.bound = claim(bound)
            return self.bound

        try:
            if self.spec is not None:
                self.arrivals = [fetched(self.spec, arrival) for arrival in self.arrivals]
            self._read_all()
            self.received_bytes = sum(memoryview(frame).nbytes for each in self.arrivals for frame in each.frames)
        except LambdaMagicError as error:
            self._error = error
        if self._outputs is None:
            for arrival in self.arrivals:
                replay(arrival.outputs)
        try:
            if isinstance(self._error, BeforeFailedError):
                self._error.__cause__ = next((job.failure for job in self.before if job.failure), None)
            if self._error is not None and not (self._stops_early and self.arrivals and not self._is_cancelled):
                raise self._error
            if self._unreadable is not None:
                raise self._unreadable
            self._value = self.work.conclude(claimed)
        except BaseException as error:  # noqa: BLE001  # SystemExit too is the user's, and raised where it is asked for
            self.failure = error
        with self._lock:
            if not self._background.is_headless:
                self._refresh()
        self.arrivals = []
        if self._outputs is not None and self._value is not None and self.work.is_shown:
            self._show_outputs()

    def _progress(self) -> Progress:
        progress = self._runner.showing.listener.snapshot()
        # A cell that raised is a job that was done as far as the engine goes.
        return replace(progress, state=self.state) if self._has_begun else progress

    def show_in_place(self) -> None:
        """Show it live where an earlier job was shown; nothing if that was not shown."""
        with self._lock:
            gate = self._runner.gate
            if gate is not None and self._runner.place.is_taken:
                gate.open(self._progress(), time.time())

    def _ipython_display_(self) -> None:
        """Show it live, once; afterwards, and where that is not possible, its repr is shown."""
        with self._lock:
            gate = self._runner.gate
            if gate is None or gate.is_open or self._ended.is_set():
                raise NotImplementedError
            from IPython.display import display

            gate.open(self._progress(), time.time())
            unseen = {"text/html": f'<div class="{AS_TEXT}">{escape(_UNSEEN)}</div>', "text/plain": _UNSEEN}
            shown = unseen if self._background.is_headless else _NOTHING
            self._outputs = display(shown, raw=True, display_id=True)

    def show_end(self) -> None:
        """Show again how it ended, as a part of the cell that runs now; once."""
        if self.spec is not None and self.spec.collects:
            self._read_all()
        with self._lock:
            if self._outputs is not None and not self._is_end_shown:
                self._is_end_shown = True
                self._runner.showing.close()
                self._show_outputs()

    def _show_outputs(self) -> None:
        if self._printed is None:
            self._printed = [entry for arrival in self.arrivals for entry in arrival.outputs]
        is_shown = self.work.is_shown
        failure = next((error for arrival in self.arrivals if (error := arrival.error_line)), "") if is_shown else ""
        if isinstance(self._error, Exception) and not isinstance(self._error, JobCancelledError):
            failure = told(self._error)
        bundle = outputs_bundle(self._printed, failure, self._value if is_shown else None)
        if bundle is not None or self._background.is_headless:
            self._outputs.update(bundle or _NOTHING, raw=True)

    def _told(self) -> str:
        shown = ", ".join(self.names[:_SHOWN_NAMES]) + (", …" if len(self.names) > _SHOWN_NAMES else "")
        binds = "" if not shown else f" · binds {shown}" if self.has_ended else f" · will bind {shown}"
        behind = ", ".join(job.job_id for job in self.before if not job.has_ended)
        return f"job {self.job_id}{binds}{f' · behind {behind}' if behind else ''}"

    def __repr__(self) -> str:
        return f"{text.line(self._progress(), time.time())}\n  {self._told()}"

    def _repr_html_(self) -> str:
        quiet = "font-size:12px;opacity:.75;margin:-2px 0 4px;padding-left:15px;overflow-wrap:anywhere"
        card = page.render(self._progress(), time.time())
        return f'{card}<div class="{AS_TEXT}" style="{quiet}">{escape(self._told())}</div>'
