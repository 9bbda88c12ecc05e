"""The `BackgroundJob` object of the notebook."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any, Protocol

from lambdamagic.appearance import AS_TEXT
from lambdamagic.codec.earlier import refers_to_earlier
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.errors import BeforeFailedError, JobCancelledError, LambdaMagicError
from lambdamagic.events import JobState
from lambdamagic.jobs.invoke import collect
from lambdamagic.jobs.job import Arrival, JobSpec
from lambdamagic.magics.background import Background
from lambdamagic.magics.cards import STARTING, Card, CardWithOutputs
from lambdamagic.magics.front import replay
from lambdamagic.magics.settle import Claim
from lambdamagic.protocol.envelope import Usage
from lambdamagic.runs.handle import Run
from lambdamagic.widgets import page, text

#: Above this a result that only binds names stays in the bucket until a cell of the kernel reads it.
LAZY_MIN_BYTES = 256 * 1024
_SHOWN_NAMES = 12


class Work(Protocol):
    """Handles a job's arrivals, in the main thread.

    Attributes:
        is_shown: Whether its value, or its failure, is shown below its card; a map's card shows both itself.
        stops_early: Whether the first task that fails ends the job.
    """

    is_shown: bool
    stops_early: bool

    def take(self, arrival: Arrival) -> None:
        """Read an arrival, maybe while the job still runs; nothing is put into the notebook."""

    def conclude(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        """Apply the arrivals to the notebook; return the job's value.

        Args:
            claim: Takes the names that were bound, and returns those that may be put into the namespace.

        Raises:
            BaseException: What the code raised, with its own type.
        """

    def forget(self) -> None:
        """Release what only queued successors needed."""


class BackgroundJob:
    """A job that runs while the notebook continues: what `%%lambda --bg` returns.

    Its methods are for the kernel's main thread; `state` and `cancel` for any.

    Args:
        background: Where it belongs.
        card: How it is shown.
        work: Reads what arrives.
        names: The names that it may bind.
        before: Jobs that it is queued behind.

    Attributes:
        run: The run.
        work: What is done with its results.
        claim: The names that it may bind.
        failure: What it raised; None before it was read.
        answer: A cell's answer, while jobs behind it may need it.
        received_bytes: How much of its results has come to the kernel.
        usage: What a cell used, as measured in the function; None before its end.
        follower: The job that runs what failed here again.
    """

    def __init__(
        self,
        background: Background,
        card: Card,
        work: Work,
        *,
        names: Sequence[str] = (),
        before: Sequence[BackgroundJob] = (),
    ) -> None:
        self.work, self.claim, self.before = work, Claim(names), tuple(before)
        self.failure: BaseException | None = None
        self.follower: BackgroundJob | None = None
        self.answer: Arrival | None = None
        self.received_bytes = 0
        self.usage: Usage | None = None
        self._background, self._card = background, card
        self._outputs = CardWithOutputs(card, is_headless=lambda: background.is_headless)
        self._arrivals: list[Arrival] = []
        self._read = 0
        self._is_reading_due = False
        self._value: Any = None

    def start(self) -> None:
        """Start the job, or queue it behind the jobs that it needs; a thread collects its arrivals.

        Raises:
            LambdaMagicError: It cannot be sent.
        """
        card, run = self._card, self.run
        run.when_ended(self._ended)
        if self.before:
            run.queue([job.run for job in self.before])
        if self.before or card.opens_slowly:
            behind = ", ".join(f"job {each.job_id[-8:]} ({each.label})" for each in self.before if not each.has_ended)
            card.announce(f"waiting for {behind}" if behind else STARTING)
        else:
            run.begin()
            card.tick()
        run.start(self._take)
        self._background.add(self)

    @property
    def run(self) -> Run:
        """The run."""
        return self._card.run

    @property
    def job_id(self) -> str:
        """Its id."""
        return self.run.job_id

    @property
    def label(self) -> str:
        """A short name of the job, for display."""
        return self.run.label

    @property
    def left_out(self) -> dict[str, Any]:
        """Values that it bound but that were not applied because of a newer assignment."""
        return self.claim.left_out

    @property
    def spec(self) -> JobSpec | None:
        """The sent spec; None before it has begun."""
        return None if self.run.job is None else self.run.job.spec

    @property
    def state(self) -> JobState:
        """How far it is."""
        return self.run.state

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen on Lambda."""
        return self.run.has_ended

    def _take(self, arrival: Arrival) -> None:
        self._arrivals.append(arrival)
        self.answer = arrival
        self.usage = None if arrival.response is None else arrival.response.usage
        if self.work.stops_early and arrival.has_failed:
            self.run.give_up()
        self._read_soon()

    def _ended(self) -> None:
        self._show_outputs()
        self._read_soon()

    def _read_soon(self) -> None:
        if not self._is_reading_due:
            self._is_reading_due = True
            self._background.soon(self._read_on)

    def _read_on(self) -> None:
        """Read the arrivals so far, for the job's views; the notebook is not changed."""
        self._is_reading_due = False
        if not self._is_left_in_bucket:
            self._read_all()
        if self.has_ended:
            self._outputs.refresh(self._arrivals)

    def _read_all(self) -> None:
        while self._read < len(self._arrivals):
            self._read += 1
            self.work.take(self._arrivals[self._read - 1])

    @property
    def _is_left_in_bucket(self) -> bool:
        return self.spec is None or not self.spec.collects

    @property
    def is_large(self) -> bool:
        """Whether its results are downloaded only when they are read."""
        response = self._arrivals[0].response if len(self._arrivals) == 1 else None
        payload = None if response is None else response.payload
        return bool(
            response and payload and payload.parts and response.binds_only and payload.size_bytes >= LAZY_MIN_BYTES
        )

    @property
    def needs_before(self) -> bool:
        """Whether its results can be read only after those of the jobs before it."""
        response = self._arrivals[0].response if len(self._arrivals) == 1 else None
        if response is None or not response.binds_only:
            return True
        return refers_to_earlier(unpack_numbers(response.numbers))

    @property
    def is_staged(self) -> bool:
        """Whether its answer goes to the bucket."""
        return self.run.place.has_store and self._is_left_in_bucket

    def forget(self) -> None:
        """Release what only queued successors needed (for `Background`)."""
        self.work.forget()
        spec, answer, self.answer = self.spec, self.answer, None
        if spec is not None and not spec.collects and answer is not None and answer.response is not None:
            with contextlib.suppress(LambdaMagicError):  # the bucket's lifecycle deletes it too
                spec.stager.forget_parts(answer.response)

    def wait_for_end(self, timeout_s: float | None) -> bool:
        """Wait without putting anything into the notebook; return whether it has ended."""
        return self.run.wait(timeout_s)

    def wait(self) -> None:
        """Wait until it has ended, and put what it brought into the notebook. It does not raise the job's error.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the job continues.
        """
        self._background.wait([self])

    def result(self) -> Any:
        """Wait, and return the value of the cell's last expression, or a map's list of results.

        Raises:
            KeyboardInterrupt: The user stopped the waiting; the job continues.
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
        self.run.cancel()

    def settle(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Read its results (for `Background`)."""
        error = self.run.error
        try:
            if self.spec is not None:
                self._arrivals = [_fetched(self.spec, arrival) for arrival in self._arrivals]
            self._read_all()
            self.received_bytes = sum(memoryview(frame).nbytes for each in self._arrivals for frame in each.frames)
        except LambdaMagicError as failure:
            error = failure
        if not self._outputs.has_place:
            for arrival in self._arrivals:
                replay(arrival.outputs)
        try:
            if isinstance(error, BeforeFailedError):
                error.__cause__ = next((job.failure for job in self.before if job.failure), None)
            if error is not None and not (self.work.stops_early and self._arrivals and not self.run.is_cancelled):
                raise error
            self._value = self.work.conclude(claim)
        except BaseException as failure:  # noqa: BLE001  # SystemExit too is the user's, and raised where it is asked for
            self.failure = failure
        self._outputs.refresh(self._arrivals)
        if self._value is not None and self.work.is_shown:
            self._show_outputs()
        self._arrivals = []

    def cell_ends(self) -> None:
        """Make a place for what it prints in its own cell (for `Background`), where that has not shown it."""
        if self._outputs.reserve() and self.has_ended:
            self._show_outputs()

    def show_in_place(self) -> None:
        """Show it live where an earlier job was shown; nothing if that was not shown."""
        self._outputs.open_in_place()

    def _ipython_display_(self) -> None:
        """Show it live, once; afterwards, and where that is not possible, its repr is shown."""
        if not self._outputs.open():
            raise NotImplementedError

    def show_end(self) -> None:
        """Show again how it ended, as a part of the cell that runs now; once."""
        if not self._is_left_in_bucket:
            self._read_all()
        if self._outputs.close():
            self._show_outputs()

    def _show_outputs(self) -> None:
        error, is_shown = self.run.error, self.work.is_shown
        failure = next((line for arrival in self._arrivals if (line := arrival.error_line)), "") if is_shown else ""
        if isinstance(error, Exception) and not isinstance(error, JobCancelledError):
            failure = f"{type(error).__name__}: {error}"
        self._outputs.show_outputs(self._arrivals, failure, self._value if is_shown else None)

    def _advice(self) -> str:
        names = self.claim.names
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        binds = "" if not shown else f" · binds {shown}" if self.has_ended else f" · will bind {shown}"
        behind = ", ".join(job.job_id for job in self.before if not job.has_ended)
        return f"job {self.job_id}{binds}{f' · behind {behind}' if behind else ''}"

    def __repr__(self) -> str:
        return f"{text.line(self._card.progress(), time.time())}\n  {self._advice()}"

    def _repr_html_(self) -> str:
        quiet = "font-size:12px;opacity:.75;margin:-2px 0 4px;padding-left:15px;overflow-wrap:anywhere"
        card = page.render(self._card.progress(), time.time())
        return f'{card}<div class="{AS_TEXT}" style="{quiet}">{escape(self._advice())}</div>'


def _fetched(spec: JobSpec, arrival: Arrival) -> Arrival:
    """Return it with the frames of its answer, which are read from the bucket where its job left them there."""
    response = arrival.response
    if response is None or arrival.frames or spec.collects:
        return arrival
    return replace(arrival, frames=collect(spec, response, arrival.attempt_id))
