"""A map under way: items in from the program's threads, outcomes out as they come."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import CancelledError
from itertools import islice
from typing import Any, Protocol

from lambdamagic import events
from lambdamagic.api import process
from lambdamagic.api.calls import exception_of
from lambdamagic.api.launcher import CallStyle, Launcher, name_of
from lambdamagic.errors import JobCancelledError
from lambdamagic.jobs.job import Arrival, Job
from lambdamagic.jobs.memo import KnownTasks, arguments_of
from lambdamagic.jobs.outcomes import Failure, outcomes
from lambdamagic.runs.sources import ChunkedItems, Sizing, runs_of

#: How many items of an iterable without a length are sent ahead of the results that were taken.
LOOK_AHEAD = 10_000


class Sink(Protocol):
    """Takes a map's outcomes, from another thread.

    Attributes:
        run: The map, set by itself before anything else.
    """

    run: MapRun | None

    def arrived(self, found: dict[int, Any]) -> None:
        """Take outcomes by their numbers: values, or a `Failure`."""
        ...

    def ended(self, failure: BaseException | None) -> None:
        """Hear of the end; `failure` is what ended the map as a whole, for those that have no outcome."""
        ...


class MapRun:
    """One map. Items are pulled in the caller's thread only: at the start, and as results are taken.

    Args:
        launcher: Starts the job.
        fn: The callable.
        items: The arguments of each task.
        style: How an item becomes arguments.
        sink: Takes the outcomes.
        chunksize: Tasks in one invocation; None to fit the work.
        window: Items to be pulled ahead of the results that were taken; None for all at once.
        holding: What may hold functions that travel with the arguments; by default the first items.

    Attributes:
        was_taken_from: Whether somebody has begun to take results.

    Raises:
        CaptureError, TargetError: It cannot be sent.
    """

    def __init__(
        self,
        launcher: Launcher,
        fn: Callable[..., Any],
        items: Iterator[Any],
        *,
        style: CallStyle,
        sink: Sink,
        chunksize: int | None,
        window: int | None,
        holding: Any = None,
    ) -> None:
        self._launcher, self._items, self._sink = launcher, items, sink
        sink.run = self
        self._lock = threading.Lock()
        self._is_open = True
        self._may_pull = True
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self.was_taken_from = False
        self._known: KnownTasks | None = None
        self.fed = 0
        first = list(items if window is None else islice(items, window))
        sizing = Sizing.of(launcher.settings, chunksize)
        self.feed = ChunkedItems(launcher.encode_items, sizing, joins=launcher.settings.cache)
        if not first:
            self._is_open = False
            sink.ended(None)
            return
        self._target = launcher.target()
        program = launcher.encode(fn, first if holding is None else holding)
        memo = launcher.memo(fn, program)
        if memo is not None:
            self._known = KnownTasks(memo, arguments_of(style))
        cached = self._feed(first)
        if window is None:
            self.close()
        count = len(first) if window is None else None
        self._job = launcher.start(
            self.feed,
            label=name_of(fn),
            style=style,
            program=program,
            task_count=count,
            cached=cached,
            # What is known already has no place among the attempts that another process could read.
            keep=self.feed.keep if self._known is None else None,
        )
        self._thread = threading.Thread(target=self._collect, name="lambdamagic-collector", daemon=True)
        self._thread.start()
        process.finish_before_exit(self)

    def pull(self, count: int) -> None:
        """Send up to `count` more items.

        Raises:
            RuntimeError: There is one, and the executor was shut down.
        """
        if self._may_pull and not self._is_open:
            return
        found = list(islice(self._items, count))
        if found and not self._may_pull:
            raise RuntimeError("cannot schedule new futures after shutdown")
        for task in self._feed(found):
            if self._job is not None:
                now = time.time()
                self._job.listeners.emit(events.TaskFinished(self._job.job_id, task, False, "", 0.0, now, True))
        if len(found) < count:
            self.close()

    def _feed(self, items: list[Any]) -> tuple[int, ...]:
        """Send items, but for those whose outcomes are known; return the tasks of these."""
        start, self.fed = self.fed, self.fed + len(items)
        if self._known is None:
            self.feed.put_items(items, [range(start, self.fed)] if items else [])
            return ()
        left, found = self._known.part(items, start)
        if found:
            self._sink.arrived(found)
        self.feed.put_items([items[task - start] for task in left], runs_of(left))
        return tuple(found)

    def pull_rest(self) -> None:
        """Send all items that are left; does not return for an endless iterable."""
        while self._is_open:
            self.pull(LOOK_AHEAD)

    def refuse_more(self) -> None:
        """Let the job end with what was sent; a further pull raises."""
        self._may_pull = False
        self.feed.close()

    def close(self) -> None:
        """Let the job end with what was sent."""
        self._is_open = False
        self.feed.close()

    def drop(self) -> None:
        """Send no more; what runs goes on to its end."""
        self._is_open = False
        self.feed.drop()

    def discarded(self) -> None:
        """Hear that nobody will take results. A map over iterables of known length goes on to its end; else `drop`."""
        if not self._is_open:
            return
        self.drop()
        if self.was_taken_from:
            return  # somebody left a loop over it: as meant
        warnings.warn(
            f"the results of a map over an iterable without a length were thrown away: {self.fed:,} of its items "
            "were pulled, those that had not begun are not run; take the results, or give a list",
            RuntimeWarning,
            stacklevel=2,
        )

    def cancel(self) -> None:
        """Send no more, and tell running tasks to stop."""
        self.drop()
        if self._job is not None:
            self._job.cancel()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._thread is None or not self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> None:
        """Pull no more, and wait for what was sent."""
        self.close()
        self.join()

    def exception(self, failure: Failure) -> BaseException:
        """Return what is to be raised for a failed task."""
        return exception_of(failure, self._target.check)

    def _arrivals(self, job: Job) -> Iterator[Arrival]:
        known = self._known
        try:
            for arrival in job.arrivals():
                if known is not None:
                    known.keep(arrival)
                yield arrival
                del arrival  # nothing is kept while the next is waited for
        finally:
            if known is not None:
                known.flush()

    def _collect(self) -> None:
        job = self._job
        assert job is not None
        failure: Exception | None = None
        try:
            for arrival in self._arrivals(job):
                job.reports.clear()  # listeners hear of every report
                try:
                    found = dict(outcomes(arrival, process.home()))
                except Exception as error:  # noqa: BLE001  # results that cannot be read are these tasks' failure
                    found = {number: Failure([], error) for number in arrival.unit.tasks}
                self._sink.arrived(found)
                del arrival, found  # nothing is kept while the next is waited for
        except JobCancelledError:
            failure = CancelledError()
        except Exception as error:  # noqa: BLE001  # whatever ended the job: whoever waits must hear of it
            failure = self._target.check(error)
        self.drop()
        self._sink.ended(failure)


class Arrived:
    """A sink that keeps outcomes until they are taken. Thread-safe."""

    def __init__(self) -> None:
        self.run: MapRun | None = None
        self._changed = threading.Condition()
        self._outcomes: dict[int, Any] = {}
        self._is_over = False
        self._failure: BaseException | None = None

    def arrived(self, found: dict[int, Any]) -> None:
        """Keep outcomes."""
        with self._changed:
            self._outcomes.update(found)
            self._changed.notify_all()

    def ended(self, failure: BaseException | None) -> None:
        """Note the end."""
        with self._changed:
            self._is_over, self._failure = True, failure
            self._changed.notify_all()

    def take_from(self, number: int, deadline: float | None) -> list[Any]:
        """Return the outcomes of this task and of those after it that are there, in order; empty after the end.

        Args:
            number: The first task wanted; waited for.
            deadline: On the monotonic clock; None for no limit.

        Raises:
            TimeoutError: The deadline passed.
            BaseException: What ended the map before this task had its outcome.
        """
        with self._changed:
            self._wait(lambda: number in self._outcomes, deadline)
            found = []
            while number in self._outcomes:
                found.append(self._outcomes.pop(number))
                number += 1
            return found

    def take_any(self, deadline: float | None) -> list[Any]:
        """Return whatever outcome came first and was not taken yet, as `take_from` does."""
        with self._changed:
            self._wait(lambda: bool(self._outcomes), deadline)
            return [self._outcomes.pop(next(iter(self._outcomes)))] if self._outcomes else []

    def _wait(self, is_there: Callable[[], bool], deadline: float | None) -> None:
        while not is_there():
            if self._is_over:
                if self._failure is not None:
                    raise self._failure
                return
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            self._changed.wait(left_s)


def snapshot(iterable: Iterable[Any]) -> tuple[Iterable[Any], bool]:
    """Return the iterable, or a copy of a collection that could change, and whether it is known to end."""
    if isinstance(iterable, list | Mapping | Set | bytearray):
        return tuple(iterable), True
    return iterable, hasattr(iterable, "__len__")
