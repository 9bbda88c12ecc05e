"""`LambdaExecutor`: `concurrent.futures` on Lambda."""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from typing import Any, Literal, ParamSpec, TypeVar

from lambdamagic.api import process
from lambdamagic.api.calls import Calls
from lambdamagic.api.labelled import CallFuture
from lambdamagic.api.launcher import Launcher, Share, name_of
from lambdamagic.api.map_job import MapJob, start_map
from lambdamagic.api.options import read_options
from lambdamagic.api.pulled_map import PulledMap, snapshot
from lambdamagic.api.reference import held
from lambdamagic.api.task_output import Printing, TaskOutput
from lambdamagic.codec.failures import let_go
from lambdamagic.errors import ConfigError, UnsendableItemsError
from lambdamagic.events import Listener
from lambdamagic.runs.sources import LOOK_AHEAD
from lambdamagic.runs.tasks import Failed, TaskStream
from lambdamagic.worker.stays import Staying

_P = ParamSpec("_P")
_T = TypeVar("_T")


class LambdaExecutor(ProcessPoolExecutor):
    """Runs calls on AWS Lambda (or the embedded Lambda), as `concurrent.futures.ProcessPoolExecutor` does here.

    It is a subclass because libraries check for that type (adaptive and pipefunc, to find out how many calls run at
    once); it shares no code with it, and starts no processes.

    Callables may be functions of `__main__`, lambdas and closures: the values that they read are sent with them.
    Thread-safe. Each `submit` is one invocation; `map` combines short tasks. AWS bills each invocation.

    Only a failed initializer breaks it. An environment that dies fails its own call. If the target itself is lost
    (the embedded Lambda was killed), pending calls raise `LocalServerError`, and the next call starts a new one.

    Example:
        >>> from lambdamagic import LambdaExecutor
        >>> with LambdaExecutor(max_workers=2) as executor:
        ...     executor.submit(pow, 2, 10).result(timeout=60)
        ...     list(executor.map(abs, [-1, -2]))
        1024
        [1, 2]

    Args:
        max_workers: Invocations that may run at once; the setting `max_concurrency`.
        mp_context: Must be None; accepted for programs that pass it.
        initializer: Runs once in each execution environment, before the first call there. If it raises, that call and
            all later ones raise `concurrent.futures.BrokenExecutor` with its exception as the cause.
        initargs: Its arguments.
        max_tasks_per_child: The number of tasks after which an environment starts with a fresh `__main__` and the
            initializer.
        stdout: Where the tasks' output and logging go: `inherit` writes it to this process's own streams when an
            invocation has ended, lines of a map with the number of their task; `drop`; or a callable, which is called
            with task, stream and text.
        progress: Whether jobs are shown while they run: a bar on stderr in a terminal, a view below the cell in a
            notebook, a line every 30 s in a pipe.
        **options: Any setting of docs/configuration.md (`memory_mb`, `timeout_s`, `target`, `retries`, ...; `retry_on`
            takes types too, `retry_memory` and `max_cost` stand for `retry_memory_mb` and `max_cost_usd`), the names
            of Covalent's executor (docs/executor.md), and `aws_access_key_id`, `aws_secret_access_key`,
            `aws_session_token`.

    Raises:
        ConfigError: An option is unknown or out of its limits.
        ValueError: max_workers is less than 1.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        stdout: Printing = "inherit",
        progress: bool | None = None,
        **options: Any,
    ) -> None:
        # Not the base's: that makes queues and threads for processes.
        if mp_context is not None:
            raise ConfigError("mp_context has no effect on Lambda: leave it out")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None and not isinstance(max_tasks_per_child, int):
            raise TypeError("max_tasks_per_child must be an integer")
        if max_tasks_per_child is not None and max_tasks_per_child <= 0:
            raise ValueError("max_tasks_per_child must be >= 1")
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if progress not in (None, False, True):
            raise ConfigError(f"progress is True or False, not {progress!r}")
        given = {**options} if max_workers is None else {**options, "max_concurrency": max_workers}
        self._launcher = Launcher(
            read_options(given),
            initializer,
            initargs,
            max_tasks_per_child,
            TaskOutput(stdout),
            shows_progress=bool(progress),
        )
        self._lock = threading.Lock()
        self._workers = max_workers
        self._is_shut = False
        self._calls: Calls | None = None
        self._calls_pid = 0
        self._maps: weakref.WeakKeyDictionary[PulledMap[Any], bool] = weakref.WeakKeyDictionary()

    @property
    def _max_workers(self) -> int:
        """How many calls run at once. Libraries read this attribute of the standard library's executors."""
        return self._workers if self._workers is not None else self._launcher.concurrency()

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event of jobs that are started from now on; see `lambdamagic.events`."""
        self._launcher.listeners.append(listener)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run `fn(*args, **kwargs)` in a separate invocation and return the future of its result.

        Arguments are pickled now; the memory of large arrays is not copied, so leave it unchanged until the future is
        done. The future raises the callable's exception, with its own type, or EncodeError if the call cannot be
        sent.

        Raises:
            RuntimeError: The executor was shut down.
            TargetError: The target is not usable; nothing was sent.
        """
        return self._submit(fn, args, kwargs)

    def _submit(
        self, fn: Callable[..., Any], args: Any, kwargs: Any, *, holding: Any = (), share: Share | None = None
    ) -> Future[Any]:
        future: Future[Any] = CallFuture(name_of(fn))
        while True:
            calls = self._open_calls()
            try:
                if calls.submit(future, fn, args, kwargs, holding=holding, share=share):
                    return future
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  # as in the standard library: it belongs to who waits
                if self._is_shut:
                    self._refuse_if_shut()
                if isinstance(error, UnsendableItemsError):
                    error = error.errors[0]
                future.set_running_or_notify_cancel()
                future.set_exception(let_go(error))
                return future

    def _open_calls(self) -> Calls:
        with self._lock:
            self._refuse_if_shut()
            calls = self._calls
            # A job that ended has taken the target with it; after a fork the parent's threads are not here.
            if calls is None or calls.is_over or self._calls_pid != os.getpid():
                self._calls = calls = Calls(self._launcher)
                self._calls_pid = os.getpid()
                # Its thread refers to the calls, not to the executor: once that is unreferenced, no call can come.
                weakref.finalize(self, calls.close).atexit = False
            return calls

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        keep: Literal["remote"] | None = None,
    ) -> Iterator[_T]:
        """Call `fn` with the items of the iterables in parallel; return an iterator over the results, in order.

        Work starts at once. Items are read in this thread: all of them from iterables with a length, otherwise up to
        10,000 ahead of the consumed results, and the rest at `shutdown`. Closing the iterator, or leaving a loop over
        it, cancels calls that have not begun. If the results are never used, all calls run as in the standard library;
        without a length they are cancelled, with a warning.

        Example:
            >>> from lambdamagic import LambdaExecutor
            >>> with LambdaExecutor(max_workers=2) as executor:
            ...     list(executor.map(pow, [2, 3], [3, 2], timeout=60))
            [8, 9]

        Args:
            fn: The callable.
            *iterables: Its arguments, like `map`.
            timeout: Seconds from this call, after which reading a result raises TimeoutError.
            chunksize: Tasks in one invocation; None chooses it from the measured durations.
            buffersize: How many tasks may be sent ahead of the consumed results.
            keep: With "remote", values stay in the bucket and the results are `Reference`s, which can be passed to
                other calls or read with `get`. Values below 64 kB come back, also in references.

        Raises:
            RuntimeError: The executor was shut down.
            ValueError, TypeError: chunksize or buffersize is not a number of 1 or more; `keep` is something else.
            ConfigError: `keep` cannot be combined with the setting `cache`.
            CaptureError: The callable cannot be sent. (An item that cannot is its task's failure.)
            TargetError: The target is not usable; nothing was sent.
        """
        if chunksize is not None and chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        fn, outcomes = self._keeping(fn, keep)
        copies = [snapshot(each) for each in iterables]
        # zip ends with the shortest, so that one that ends is enough.
        window = buffersize or (None if any(ends for _, ends in copies) or not copies else LOOK_AHEAD)
        with self._lock:
            self._refuse_if_shut()
        run = PulledMap(
            self._launcher,
            fn,
            zip(*(each for each, _ in copies), strict=False),
            "star",
            outcomes,
            chunksize=chunksize,
            window=window,
        )
        self._maps[run] = buffersize is not None  # it is kept alive by who takes its results, and while it runs
        results = _ordered(run, deadline, pulls=window is not None)
        # A result iterator that is unreferenced. (One that was begun also closes itself, but later.)
        weakref.finalize(results, run.discarded).atexit = False
        return results

    def cache_clear(self, fn: Callable[..., Any] | None = None) -> int:
        """Delete outcomes that were cached with `cache=True`, of one callable as it is now, or of all.

        Args:
            fn: The callable; None for all that the bucket holds.

        Returns:
            How many objects of the bucket were deleted.

        Raises:
            TargetError: The target is not usable.
        """
        return self._launcher.cache_clear(fn)

    def concurrency(self) -> int:
        """Return how many invocations run at once: `max_concurrency`, and what the target takes.

        Raises:
            TargetError: The target is not usable.
        """
        return self._launcher.concurrency()

    def packages(self) -> dict[str, str] | None:
        """Return the packages that the function holds: normal names (PEP 503) to versions.

        None where that cannot be known: the function publishes nothing and cannot be asked.

        Raises:
            TargetError: The target is not usable.
        """
        return self._launcher.packages()

    def start_map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        chunksize: int | None = None,
        keep: Literal["remote"] | None = None,
    ) -> MapJob:
        """Start `fn` for the items of the iterables in parallel, and return the job itself.

        Unlike `map`, the job has partial results (`job.results()`), and can be cancelled, resumed and retried. In the
        modes `event` and `trigger`, `lambdamagic.attach(job.job_id)` reattaches in another process.

        Args:
            fn: The callable.
            *iterables: Its arguments, like `map`; all are read now.
            chunksize: Tasks in one invocation; None fits it to what is measured.
            keep: With "remote", values stay in the bucket; see `map`, and `MapJob.references`.

        Raises:
            RuntimeError: The executor was shut down.
            CaptureError: The callable cannot be sent.
            TargetError: The target is not usable; nothing was sent.
        """
        with self._lock:
            self._refuse_if_shut()
        fn, _ = self._keeping(fn, keep)
        return start_map(self._launcher, fn, iterables, chunksize)

    def _keeping(
        self, fn: Callable[..., Any], keep: Literal["remote"] | None
    ) -> tuple[Callable[..., Any], Callable[..., TaskStream]]:
        """Return the callable that leaves values in the bucket where asked, and the reader of its outcomes."""
        if keep is None:
            return fn, TaskStream
        if keep != "remote":
            raise ValueError(f'keep is "remote" or None, not {keep!r}')
        if self._launcher.settings.cache:
            raise ConfigError(
                'keep="remote" and cache=True cannot be combined: values that stay in the bucket are not cached'
            )
        return Staying(fn), functools.partial(TaskStream, held_as=held)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work; see `Executor.shutdown`. Idempotent.

        Args:
            wait: Whether to return only when all work has ended. In any case the interpreter does not end before.
            cancel_futures: Whether to cancel what has not started yet.
        """
        with self._lock:
            self._is_shut = True
            calls, maps = self._calls, list(self._maps.items())
        if calls is not None:
            if cancel_futures:
                calls.drop_waiting()
            calls.close()
        for run, has_buffer in maps:
            if cancel_futures:
                run.drop()
            elif has_buffer:
                run.refuse_more()
            else:
                run.pull_rest()
        if wait:
            if calls is not None:
                calls.join()
            for run, _ in maps:
                run.join()

    def terminate_workers(self) -> None:
        """Shut down, drop waiting calls and stop running ones, as Python 3.14's does; waits for nothing."""
        self._abort()

    kill_workers = terminate_workers

    def _refuse_if_shut(self) -> None:
        if self._launcher.broken is not None:
            raise self._launcher.broken
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if process.is_shutting_down():
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _abort(self) -> None:
        """Shut down, drop waiting calls and stop running ones; waits for nothing."""
        with self._lock:
            self._is_shut = True
            calls, maps = self._calls, list(self._maps.items())
        if calls is not None:
            calls.close()
            calls.cancel()
        for run, _ in maps:
            run.cancel()


def _ordered(run: PulledMap[TaskStream], deadline: float | None, *, pulls: bool) -> Iterator[Any]:
    taken, ready = 0, list[Any]()
    run.was_taken_from = True
    try:
        while True:
            if pulls:
                run.pull(1)
            if not ready:
                ready = run.outcomes.take_from(taken, deadline)
                ready.reverse()
                if not ready:
                    if taken < run.outcomes.count:
                        raise CancelledError
                    return
            taken += 1
            if isinstance(ready[-1], Failed):
                raise ready.pop().error
            yield ready.pop()  # no name here keeps it
    finally:
        # As in the standard library, what has not begun is cancelled when the iterator is closed or has raised.
        run.drop()


def cache_clear(fn: Callable[..., Any] | None = None, **options: Any) -> int:
    """Delete outcomes that were cached with `cache=True`; see `LambdaExecutor.cache_clear`.

    Example:
        >>> import lambdamagic
        >>> lambdamagic.cache_clear(abs)
        0

    Args:
        fn: The callable; None for all that the bucket holds.
        **options: What `LambdaExecutor` takes, to say which bucket.
    """
    with LambdaExecutor(**options) as executor:
        return executor.cache_clear(fn)
