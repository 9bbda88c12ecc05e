"""A running map: items come in from the program's threads, outcomes go out as they arrive."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import CancelledError
from itertools import islice
from typing import Any, Generic, TypeVar

from lambdamagic.api import process
from lambdamagic.api.launcher import CallStyle, Launcher, name_of
from lambdamagic.codec.frames import Frames
from lambdamagic.errors import JobCancelledError
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival
from lambdamagic.jobs.outcomes import Failure
from lambdamagic.runs.handle import Run
from lambdamagic.runs.sources import LOOK_AHEAD, ChunkedItems, Sizing
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import Outcomes, exception_of
from lambdamagic.worker.stays import Staying

_O = TypeVar("_O", bound=Outcomes)


class PulledMap(Generic[_O]):
    """One map. Items are pulled in the caller's thread only: at the start, and as results are taken.

    Args:
        launcher: Starts the job.
        fn: The callable.
        items: The arguments of each task.
        style: How an item becomes arguments.
        outcomes: Makes what keeps the outcomes: all of them, or each until it is taken.
        chunksize: Tasks in one invocation; None to fit the work.
        window: Items to be pulled ahead of the results that were taken; None for all at once.
        goes_on: Whether an exception of the iterable comes behind the results of the items before it.

    Attributes:
        outcomes: The outcomes of its tasks.
        was_taken_from: Whether a caller has begun to take results.

    Raises:
        CaptureError, TargetError: It cannot be sent.
    """

    def __init__(
        self,
        launcher: Launcher,
        fn: Callable[..., Any],
        items: Iterator[Any],
        style: CallStyle,
        outcomes: Callable[..., _O],
        *,
        chunksize: int | None,
        window: int | None,
        goes_on: bool = False,
    ) -> None:
        label, keeps_remote = name_of(fn), isinstance(fn, Staying)
        fn, style, arrange = launcher.arranged(fn, style)
        self._items = items if arrange is None else map(arrange, items)
        self._goes_on, self._chunksize = goes_on, chunksize or 1
        self._raised: Exception | None = None
        self._is_open = self._may_pull = True
        self.was_taken_from = False
        self._run: Run | None = None
        sizing = Sizing.of(launcher.settings, chunksize)
        first = self._next(window)
        self._launcher = launcher
        self._program: Program | None = None
        self._feed = ChunkedItems(self._encode, sizing, joins=launcher.settings.cache)
        place = launcher.place()

        def explain(task: int, failure: Failure, arrival: Any) -> BaseException:
            return launcher.checked(exception_of(failure, place.check))

        if not first:
            self._is_open = False  # also where the iterable raised
            self.outcomes = outcomes(process.home(), explain)
            self.outcomes.end()
            return
        fitted = launcher.fitted(fn, first)
        self._program = fitted.program
        memo = launcher.memo(fn, fitted.program)
        self.outcomes = outcomes(process.home(), explain, memo=memo, style=style)
        cached = self._put(first)
        if window is None or self._raised is not None:
            self.close()
        request = RunRequest(
            "map",
            label,
            self._feed,
            len(first) if window is None else None,
            *fitted,
            options=launcher.run_options(style),
            cached=cached,
            # What is known already has no place among the attempts that another process could read.
            keep=self._feed.keep if memo is None else None,
            keeps_remote=keeps_remote,
        )
        run = launcher.run(place, request)
        run.begin()
        self._run = run
        run.start(self._take, self._ended)
        process.finish_before_exit(self)

    def _encode(self, items: Sequence[Any], start: int) -> Frames:
        assert self._program is not None, "items are encoded after their program"
        return self._launcher.encode_items(items, start, program=self._program)

    def _take(self, arrival: Arrival) -> None:
        self._launcher.printed.show(arrival, prefixed=True)
        self.outcomes.take(arrival)

    def _ended(self, error: BaseException | None) -> None:
        self.drop()
        self.outcomes.end(CancelledError() if isinstance(error, JobCancelledError) else error)

    def _next(self, count: int | None) -> list[Any]:
        """Return the next items.

        Raises:
            Exception: What the iterable raises; kept for later where the map continues.
        """
        found: list[Any] = []
        try:
            found.extend(self._items if count is None else islice(self._items, count))
        except Exception as error:
            if not self._goes_on:
                raise
            self._raised = error
            # A chunk in the middle of which it raised is not begun, as in the standard library.
            before = 0 if self._run is None else self.outcomes.count
            del found[max(0, len(found) - (before + len(found)) % self._chunksize) :]
        return found

    def raise_what_the_items_raised(self) -> None:
        """Raise the exception of the iterable, once."""
        error, self._raised = self._raised, None
        if error is not None:
            raise error

    def pull(self, count: int) -> None:
        """Send up to `count` more items.

        Raises:
            RuntimeError: There is one, and the executor was shut down.
        """
        if self._may_pull and not self._is_open:
            return
        found = self._next(count)
        if found and not self._may_pull:
            raise RuntimeError("cannot schedule new futures after shutdown")
        known = self._put(found)
        if self._run is not None:
            self._run.found(known)
        if len(found) < count:
            self.close()

    def _put(self, items: list[Any]) -> tuple[int, ...]:
        """Send items whose outcomes are not cached; return the tasks whose outcomes are."""
        start = self.outcomes.count
        runs, known = self.outcomes.add(items)
        self._feed.put_items([items[task - start] for run in runs for task in run] if known else items, runs)
        return known

    def pull_rest(self) -> None:
        """Send all items that are left; does not return for an endless iterable."""
        while self._is_open:
            self.pull(LOOK_AHEAD)

    def refuse_more(self) -> None:
        """End the job with the items sent so far; a further pull raises."""
        self._may_pull = False
        self._feed.close()

    def close(self) -> None:
        """End the job with the items sent so far."""
        self._let_items_go()
        self._feed.close()

    def _let_items_go(self) -> None:
        self._is_open = False
        if self._may_pull:  # else whoever takes results hears that there were more
            self._items = iter(())  # `zip` keeps the last item that it gave

    def drop(self) -> None:
        """Send no more; running tasks continue to their end."""
        self._let_items_go()
        self._feed.drop()

    def discarded(self) -> None:
        """Note that no results will be taken. A map over iterables of known length continues; else `drop`."""
        if not self._is_open:
            return
        self.drop()
        if self.was_taken_from:
            return  # a loop over it was left: as intended
        warnings.warn(
            f"the results of a map over an iterable without a length were not used: {self.outcomes.count:,} of its "
            "items were read, and those not yet started do not run; iterate over the results, or pass a list",
            RuntimeWarning,
            stacklevel=2,
        )

    def cancel(self) -> None:
        """Send no more, and ask running tasks to stop."""
        self.drop()
        if self._run is not None:
            self._run.cancel()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._run is None or self._run.has_ended

    def join(self) -> None:
        """Wait for the end."""
        if self._run is not None:
            self._run.wait()

    def finish(self) -> None:
        """Pull no more, and wait for what was sent."""
        self.close()
        self.join()


def snapshot(iterable: Iterable[Any]) -> tuple[Iterable[Any], bool]:
    """Return the iterable, or a copy of a collection that could change, and whether it is known to end."""
    if isinstance(iterable, list | Mapping | Set | bytearray):
        return tuple(iterable), True
    return iterable, hasattr(iterable, "__len__")
