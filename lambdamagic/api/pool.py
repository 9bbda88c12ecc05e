"""`LambdaPool`: `multiprocessing.Pool` on Lambda."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, NoReturn, TypeVar

from lambdamagic.api.async_results import AsyncResult, MapResult, ResultIterator
from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.api.launcher import CallStyle, name_of
from lambdamagic.api.pulled_map import PulledMap, snapshot
from lambdamagic.codec.failures import RemoteCodeError
from lambdamagic.errors import InvocationError
from lambdamagic.runs.sources import LOOK_AHEAD
from lambdamagic.runs.tasks import Outcomes, TaskStream

_T = TypeVar("_T")
_Outcomes = TypeVar("_Outcomes", bound=Outcomes)
_Callback = Callable[[Any], object] | None

#: What the user's code raised and whose own type cannot be rebuilt here.
LambdaPoolError = RemoteCodeError
#: Failures of an invocation outside the user's code: throttled, timed out, out of memory, died, lost.
LambdaFunctionError = InvocationError


#: What the package LambdaPool takes by place, behind the number of workers.
_NAMES = ("lambda_function", "aws_access_key_id", "aws_secret_access_key", "aws_region_name")


class LambdaPool:
    """A drop-in for `multiprocessing.Pool` whose workers are Lambda's. Thread-safe.

    Positional arguments are those of `multiprocessing.Pool`, `LambdaPool(4, initializer, initargs)`, or those of the
    package LambdaPool, `LambdaPool(4, "my-function", key_id, secret, region)`.

    Example:
        >>> from lambdamagic import LambdaPool
        >>> with LambdaPool(workers=2) as pool:
        ...     pool.starmap(pow, [(2, 3), (3, 2)])
        [8, 9]

    Args:
        workers: Invocations that may run at once.
        initializer: See `LambdaExecutor`.
        initargs: Its arguments.
        maxtasksperchild: The number of tasks after which an environment starts with a fresh `__main__` and the
            initializer.
        context: Must be None; accepted for programs that pass it.
        lambda_function: The deployed function; without it the settings decide, and without any the embedded Lambda.
        aws_access_key_id: With `aws_secret_access_key`; by default boto3 finds the credentials.
        aws_secret_access_key: See `aws_access_key_id`.
        aws_region_name: The region; by default boto3 finds it.
        processes: An alias of `workers`, as in `multiprocessing.Pool`.
        **options: The options of `LambdaExecutor`.

    Raises:
        ConfigError: An option is unknown or out of its limits.
        ValueError: workers is less than 1.
    """

    def __init__(
        self,
        workers: int | None = None,
        initializer: Callable[..., object] | str | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | str | None = None,
        context: Any = None,
        *,
        processes: int | None = None,
        **options: Any,
    ) -> None:
        if isinstance(initializer, str) or isinstance(initargs, str):
            given_by_place = (initializer, initargs or None, maxtasksperchild, context)
            options = {**dict(zip(_NAMES, given_by_place, strict=True)), **options}
            initializer, initargs, maxtasksperchild, context = None, (), None, None
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if workers is not None and processes is not None:
            raise TypeError("workers and processes are two names of one argument: give one of them")
        count = workers if workers is not None else processes
        if count is not None and count < 1:
            raise ValueError("Number of processes must be at least 1")
        for name, ours in (("lambda_function", "function"), ("aws_region_name", "region")):
            if (value := options.pop(name, None)) is not None:
                options[ours] = value
        self._executor = LambdaExecutor(
            count, context, initializer, tuple(initargs), max_tasks_per_child=maxtasksperchild, **options
        )
        self._lock = threading.Lock()
        self._state: Literal["running", "closed", "terminated"] = "running"
        self._runs: weakref.WeakSet[PulledMap[Any]] = weakref.WeakSet()

    @property
    def _processes(self) -> int:
        """How many workers there are. Libraries read this attribute of the standard library's pool."""
        return self._executor._max_workers

    @property
    def _pool(self) -> range:
        """The workers, of which libraries take the length."""
        return range(self._processes)

    def apply(self, func: Callable[..., _T], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> _T:
        """Call `func(*args, **kwds)` and return its result."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., _T],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] | None = None,
        callback: Callable[[_T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult[_T]:
        """Begin a call, in a separate invocation; return at once.

        Args:
            func: The callable.
            args: Its arguments.
            kwds: Its keyword arguments.
            callback: Called with the result.
            error_callback: Called with the exception.

        Raises:
            ValueError: The pool was closed.
        """
        self._check_running()
        result: AsyncResult[_T] = AsyncResult(name_of(func), callback, error_callback)
        result.follow(self._executor._submit(func, tuple(args), dict(kwds or {})))
        return result

    def map(self, func: Callable[[Any], _T], iterable: Iterable[Any], chunksize: int | None = None) -> list[_T]:
        """Call `func` for each item and return the results, in order."""
        return self.map_async(func, iterable, chunksize).get()

    def map_async(
        self,
        func: Callable[[Any], _T],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[_T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[_T]:
        """Begin a map over all items; return at once. See `apply_async`."""
        return self._map_async(func, iterable, chunksize, callback, error_callback, style="plain")

    def starmap(
        self, func: Callable[..., _T], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[_T]:
        """Call `func(*item)` for each item and return the results, in order."""
        return self.starmap_async(func, iterable, chunksize).get()

    def starmap_async(
        self,
        func: Callable[..., _T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[_T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[_T]:
        """Begin a starmap over all items; return at once. See `apply_async`."""
        return self._map_async(func, iterable, chunksize, callback, error_callback, style="star")

    def imap(
        self, func: Callable[[Any], _T], iterable: Iterable[Any], chunksize: int | None = None
    ) -> ResultIterator[_T]:
        """Return an iterator of the results, in order. Items are pulled up to 10,000 ahead of the results taken."""
        return self._imap(func, iterable, chunksize, in_order=True)

    def imap_unordered(
        self, func: Callable[[Any], _T], iterable: Iterable[Any], chunksize: int | None = None
    ) -> ResultIterator[_T]:
        """Return an iterator of the results as they come; see `imap`."""
        return self._imap(func, iterable, chunksize, in_order=False)

    def close(self) -> None:
        """Accept no more work; submitted work is completed. Idempotent."""
        with self._lock:
            if self._state == "running":
                self._state = "closed"
        self._executor.shutdown(wait=False)

    def terminate(self) -> None:
        """Drop waiting calls and stop running ones; missing results raise JobCancelledError. Idempotent."""
        with self._lock:
            self._state = "terminated"
        self._executor._abort()
        for run in list(self._runs):
            run.cancel()

    def join(self) -> None:
        """Wait for the end of all work.

        Raises:
            ValueError: Neither `close` nor `terminate` was called.
        """
        if self._state == "running":
            raise ValueError("Pool is still running")
        self._executor.shutdown(wait=True)
        for run in list(self._runs):
            run.pull_rest()
            run.join()

    def __enter__(self) -> LambdaPool:
        self._check_running()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.terminate()

    def __reduce__(self) -> NoReturn:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} state={self._state}>"

    def _check_running(self) -> None:
        if self._executor._launcher.broken is not None:
            raise self._executor._launcher.broken
        if self._state != "running":
            raise ValueError("Pool not running")

    def _map_async(
        self,
        func: Callable[..., _T],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: _Callback,
        error_callback: _Callback,
        *,
        style: CallStyle,
    ) -> MapResult[_T]:
        self._check_running()
        _check_chunksize(chunksize)
        result: MapResult[_T] = MapResult(name_of(func), callback, error_callback)
        self._start(func, iter(snapshot(iterable)[0]), style, result.table, chunksize=chunksize, window=None)
        return result

    def _imap(
        self, func: Callable[..., _T], iterable: Iterable[Any], chunksize: int | None, *, in_order: bool
    ) -> ResultIterator[_T]:
        self._check_running()
        _check_chunksize(chunksize)
        items: Iterator[Any] = iter(snapshot(iterable)[0])
        run = self._start(func, items, "plain", TaskStream, chunksize=chunksize, window=LOOK_AHEAD, goes_on=True)
        return ResultIterator(run, in_order=in_order)

    def _start(
        self,
        func: Callable[..., Any],
        items: Iterator[Any],
        style: CallStyle,
        outcomes: Callable[..., _Outcomes],
        *,
        chunksize: int | None,
        window: int | None,
        goes_on: bool = False,
    ) -> PulledMap[_Outcomes]:
        launcher = self._executor._launcher
        run = PulledMap(launcher, func, items, style, outcomes, chunksize=chunksize, window=window, goes_on=goes_on)
        self._runs.add(run)  # it is kept alive by who takes its results, and while it runs
        return run


def _check_chunksize(chunksize: int | None) -> None:
    if chunksize is not None and chunksize < 1:
        raise ValueError(f"Chunksize must be 1+, not {chunksize}")
