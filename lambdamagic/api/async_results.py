"""Results of `LambdaPool` that may still be pending, as in `multiprocessing.pool`."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

from lambdamagic.api.labelled import Labelled, call_back, outcome_text
from lambdamagic.api.pulled_map import PulledMap
from lambdamagic.errors import JobCancelledError
from lambdamagic.runs.tasks import Failed, TaskStream, TaskTable

_T = TypeVar("_T")
_Callback = Callable[[Any], object] | None


class AsyncResult(Labelled, Generic[_T]):
    """The pending result of one call. Thread-safe; callbacks run in a thread of lambdamagic's, before `get` returns.

    Args:
        label: The callable's name, for display.
        callback: Called with the result.
        error_callback: Called with the exception.
    """

    def __init__(self, label: str, callback: _Callback = None, error_callback: _Callback = None) -> None:
        self.label = label
        self._callback, self._error_callback = callback, error_callback
        self._event = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def ready(self) -> bool:
        """Return whether the call has ended."""
        return self._event.is_set()

    def successful(self) -> bool:
        """Return whether it ended without an exception.

        Raises:
            ValueError: It has not ended.
        """
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end, at most `timeout` seconds."""
        self._event.wait(timeout)

    def get(self, timeout: float | None = None) -> _T:
        """Return the result, or raise what the call raised.

        Raises:
            multiprocessing.TimeoutError: It did not end within `timeout` seconds.
        """
        if not self._event.wait(timeout):
            raise multiprocessing.TimeoutError
        if self._error is not None:
            raise self._error
        result: _T = self._value
        return result

    def _seen(self) -> tuple[str, str]:
        if not self.ready():
            return "running", ""
        if isinstance(self._error, JobCancelledError):
            return "cancelled", ""
        return ("done" if self._error is None else "failed"), outcome_text(self._value, self._error)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        self._value, self._error = value, error
        callback, given = (self._callback, value) if error is None else (self._error_callback, error)
        self._callback = self._error_callback = None
        try:
            if callback is not None:
                call_back(callback, given)
        finally:
            self._event.set()

    def follow(self, future: Future[Any]) -> None:
        """Take the result of a future when it is done."""

        def ended(done: Future[Any]) -> None:
            error = _cancelled() if done.cancelled() else done.exception()
            self._settle(None if error is not None else done.result(), error)

        future.add_done_callback(ended)


class MapResult(AsyncResult[list[_T]]):
    """The pending results of a map, available all at once.

    As in `multiprocessing`, all tasks are run even if one fails, and the failure that came first is raised.
    """

    def table(self, *args: Any, **more: Any) -> TaskTable:
        """Return the table that collects the outcomes and settles this result at the end."""
        return _SettlingTable(self, *args, **more)

    def settle(self, table: TaskTable, error: BaseException | None) -> None:
        """Settle with the results, in order."""
        if isinstance(error, CancelledError) or (error is None and table.missing):
            error = _cancelled()
        elif error is None:
            error = next(iter(table.failures.values()), None)
        self._settle(None if error is not None else table.results, error)


class _SettlingTable(TaskTable):
    def __init__(self, result: MapResult[Any], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._result = result

    def end(self, error: BaseException | None = None) -> None:
        super().end(error)
        self._result.settle(self, error)


def _cancelled() -> Exception:
    return JobCancelledError("the pool was terminated before the call had ended")


class ResultIterator(Iterator[_T]):
    """Results one by one, as `Pool.imap` returns them. A failed task raises at its position; the next call continues.

    Args:
        run: The map.
        in_order: Whether they come in the order of the items.
    """

    def __init__(self, run: PulledMap[TaskStream], *, in_order: bool) -> None:
        self._run, self._in_order = run, in_order
        self._taken, self._has_ended = 0, False
        self._ready: deque[Any] = deque()

    def __iter__(self) -> ResultIterator[_T]:
        return self

    def __next__(self) -> _T:
        return self.next()

    def next(self, timeout: float | None = None) -> _T:
        """Return the next result.

        Raises:
            StopIteration: There is none.
            multiprocessing.TimeoutError: It did not come within `timeout` seconds.
        """
        if self._has_ended:
            raise StopIteration
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._ready:
            stream = self._run.outcomes
            try:
                found = stream.take_from(self._taken, deadline) if self._in_order else stream.take_any(deadline)
            except TimeoutError:
                raise multiprocessing.TimeoutError from None
            except BaseException as error:
                if not isinstance(error, KeyboardInterrupt):
                    self._has_ended = True
                if isinstance(error, CancelledError):
                    raise _cancelled() from None
                raise
            if not found:
                self._has_ended = True
                if self._taken < stream.count:
                    raise _cancelled()
                self._run.raise_what_the_items_raised()
                raise StopIteration
            self._ready.extend(found)
        outcome = self._ready.popleft()
        self._taken += 1
        self._run.pull(1)
        if isinstance(outcome, Failed):
            raise outcome.error
        result: _T = outcome
        return result
