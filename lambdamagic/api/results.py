"""The results of a map, in order, as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lambdamagic.errors import JobCancelledError
from lambdamagic.jobs.job import Arrival, Job, Unit
from lambdamagic.jobs.outcomes import Failure
from lambdamagic.jobs.sources import UnitSource


class Results:
    """Collects outcomes in a thread and hands them out in order.

    Only results that were not taken yet are kept. With a window, no more tasks are sent ahead of the results that were
    taken than it says.

    Args:
        timeout_s: Seconds from now after which taking a result raises TimeoutError; None for no limit.
        window: Tasks that may be ahead; None for any number.
    """

    def __init__(self, *, timeout_s: float | None, window: int | None) -> None:
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self.window = window
        self._changed = threading.Condition()
        self._arrived: dict[int, Any] = {}
        self._taken = 0
        self._failure: BaseException | None = None
        self._is_over = False
        self._job: Job | None = None
        self._thread: threading.Thread | None = None
        self.source: UnitSource = None  # type: ignore[assignment]  # given by `gate` before anything is started

    def watched(self, items: Iterable[Any]) -> Iterator[Any]:
        """Return the items, to be pulled by the engine."""
        return iter(items)

    def gate(self, source: UnitSource) -> None:
        """Put the window before a source."""
        self.source = source if self.window is None else _Gate(source, self)

    def ahead(self, sent: int) -> int:
        """Return how many of the tasks that were sent have not been taken as results."""
        with self._changed:
            return sent - self._taken

    def follow(
        self,
        job: Job,
        read: Callable[[Arrival], Iterator[tuple[int, Any]]],
        exception: Callable[[Failure], BaseException],
    ) -> None:
        """Collect a job's outcomes in a thread of its own."""
        self._job = job
        self._exception = exception
        self._thread = threading.Thread(target=self._collect, args=(read,), name="lambdamagic-collector", daemon=True)
        self._thread.start()

    def _collect(self, read: Callable[[Arrival], Iterator[tuple[int, Any]]]) -> None:
        assert self._job is not None
        failure: BaseException | None = None
        try:
            for arrival in self._job.arrivals():
                found = dict(read(arrival))
                with self._changed:
                    self._arrived.update(found)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001  # whatever ended the job: whoever takes results must hear of it
            failure = error
            self._job.cancel()
        with self._changed:
            self._failure, self._is_over = failure, True
            self._changed.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self._is_over

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                found, outcome = self._next()
                if not found:
                    return
                if isinstance(outcome, Failure):
                    raise self._exception(outcome)
                yield outcome
        finally:
            # The standard library cancels what is left when its iterator is closed or has raised.
            if not self._is_over:
                self.cancel()

    def _next(self) -> tuple[bool, Any]:
        with self._changed:
            while self._taken not in self._arrived:
                if self._is_over:
                    if self._failure is not None and not isinstance(self._failure, JobCancelledError):
                        raise self._failure
                    return False, None
                left_s = None if self._deadline is None else self._deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise TimeoutError
                self._changed.wait(left_s)
            outcome = self._arrived.pop(self._taken)
            self._taken += 1
        if isinstance(self.source, _Gate):
            self.source.look_again()
        return True, outcome

    def cancel(self) -> None:
        """Stop launching and drop what waits."""
        if self._job is not None:
            self._job.cancel()

    def open_gate(self) -> None:
        """Let all tasks be sent, taken or not: the executor is shut down and waits for them."""
        self.window = None
        if isinstance(self.source, _Gate):
            self.source.look_again()

    def join(self) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join()


class _Gate:
    """A source that gives no unit while too many results have not been taken."""

    def __init__(self, source: UnitSource, results: Results) -> None:
        self._source, self._results = source, results
        self._sent = 0
        self._wake: Callable[[], None] = lambda: None

    def take(self, slots: int) -> Unit | None:
        """Return the next unit, if the window allows one."""
        window = self._results.window
        if window is not None and self._results.ahead(self._sent) >= window:
            return None
        room = None if window is None else window - self._results.ahead(self._sent)
        unit = self._source.take(slots) if room is None else _take_at_most(self._source, slots, room)
        if unit is not None:
            self._sent += len(unit.tasks)
        return unit

    @property
    def is_dry(self) -> bool:
        """Whether there will never be another."""
        return self._source.is_dry

    def learn(self, arrival: Arrival) -> None:
        """Pass it on."""
        self._source.learn(arrival)

    def on_more(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake

    def look_again(self) -> None:
        """Tell the engine that a result was taken."""
        self._wake()


def _take_at_most(source: UnitSource, slots: int, room: int) -> Unit | None:
    limited = getattr(source, "take_at_most", None)
    found: Unit | None = source.take(slots) if limited is None else limited(slots, room)
    return found
