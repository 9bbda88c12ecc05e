"""`LambdaExecutor`: `concurrent.futures` on Lambda."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lambdamagic.api import process
from lambdamagic.api.options import settings_from
from lambdamagic.api.results import Results
from lambdamagic.capture import plan_callable
from lambdamagic.codec.failures import reassemble
from lambdamagic.codec.frames import sha256_of
from lambdamagic.deploy.functions import python_here
from lambdamagic.errors import JobCancelledError
from lambdamagic.events import Listener, Listeners
from lambdamagic.jobs.encoding import Program, encode_program
from lambdamagic.jobs.job import FunctionRef, Job, JobSpec, Unit
from lambdamagic.jobs.outcomes import Failure, encode_items, outcomes
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.prices import Prices
from lambdamagic.jobs.sources import ChunkedItems, Submissions, UnitSource
from lambdamagic.protocol.payload import Payload
from lambdamagic.targets.base import FunctionWish, Target

_P = ParamSpec("_P")
_T = TypeVar("_T")
_SHARED_PROGRAM_LIMIT_BYTES = 128 * 1024  # a larger program is staged once instead of riding in every event


class LambdaExecutor(Executor):
    """Runs calls on AWS Lambda (or the embedded Lambda), with the interface of `concurrent.futures.Executor`.

    Callables may be functions of `__main__`, lambdas and closures: what they read travels with them. Thread-safe.
    Each `submit` is one invocation; `map` puts short tasks together. Billed by AWS for each invocation as usual.

    Args:
        max_workers: Invocations that may run at once; the setting `max_concurrency`.
        **options: Any setting of docs/configuration.md (`memory_mb`, `timeout_s`, `target`, `function`, ...), and the
            names of Covalent's executor: `function_name`, `s3_bucket_name`, `timeout`, `profile`, `region`, `retries`.

    Raises:
        ConfigError: An option is unknown or out of its limits.
        TargetError: The target is not usable (raised by the first submit or map).
    """

    def __init__(self, max_workers: int | None = None, **options: Any) -> None:
        self._resolved = settings_from({"max_concurrency": max_workers, **options})
        self._lock = threading.Lock()
        self._is_shut = False
        self._submissions: Submissions | None = None
        self._futures: dict[int, Future[Any]] = {}
        self._next = 0
        self._job: Job | None = None
        self._collector: threading.Thread | None = None
        self._maps: list[Results] = []
        self._programs: dict[str, Payload] = {}
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Tell `listener` of every event of jobs that are started from now on; see `lambdamagic.events`."""
        self._listeners.append(listener)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run `fn(*args, **kwargs)` in an invocation of its own and return the future of its result.

        Arguments are pickled now. The future raises what the callable raised, with its own type.

        Raises:
            RuntimeError: The executor was shut down.
        """
        with self._lock:
            self._refuse_if_shut()
            submissions = self._open_submissions()
            number, self._next = self._next, self._next + 1
            future: Future[_T] = Future()
            self._futures[number] = future
        try:
            unit = self._unit(fn, args, kwargs, number)
        except Exception as error:  # noqa: BLE001  # as the standard library's: it belongs to who waits
            with self._lock:
                del self._futures[number]
            future.set_running_or_notify_cancel()
            future.set_exception(error)
            return future
        submissions.put(unit)
        return future

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> Iterator[_T]:
        """Call `fn` with the items of the iterables side by side; results come in order.

        Work starts at once. Iterables that have a length are pulled as fast as work can be sent; others, which may be
        endless, at most 10,000 tasks ahead of the results that were taken.

        Args:
            fn: The callable.
            *iterables: Its arguments, like `map`.
            timeout: Seconds, from this call, after which taking a result raises TimeoutError.
            chunksize: Tasks in one invocation; None fits it to what is measured.
            buffersize: How many tasks may be sent ahead of the results that were taken.

        Raises:
            RuntimeError: The executor was shut down.
            ValueError: chunksize or buffersize is less than 1.
        """
        for name, value in (("chunksize", chunksize), ("buffersize", buffersize)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")
        with self._lock:
            self._refuse_if_shut()
        sized = all(hasattr(each, "__len__") for each in iterables)
        length = min((len(each) for each in iterables), default=0) if sized else None  # type: ignore[arg-type]
        items = _Arguments(zip(*iterables, strict=False), length)
        return iter(self._start_map(fn, items, timeout=timeout, chunksize=chunksize, buffersize=buffersize))

    def _start_map(
        self,
        fn: Callable[..., Any],
        items: _Arguments,
        *,
        timeout: float | None,
        chunksize: int | None,
        buffersize: int | None,
    ) -> Results:
        settings, home = self._resolved.settings, process.home()
        program = self._encode(fn)
        results = Results(timeout_s=timeout, window=buffersize or (None if items.length is not None else 10_000))
        source = ChunkedItems(
            results.watched(items) if results.window is not None else items,
            lambda chunk, start: encode_items(home, chunk, start, settings.serializer),
            timeout_s=settings.timeout_s,
            limit_bytes=settings.inline_limit_bytes,
            chunksize=chunksize or settings.chunksize,
            length=items.length,
        )
        results.gate(source)
        job = self._start("map", program, results.source, items.length, {"star": True}, _name(fn))
        results.follow(job, lambda arrival: outcomes(arrival, home), _exception)
        self._maps = [each for each in self._maps if not each.is_over] + [results]
        return results

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; see `Executor.shutdown`. Idempotent.

        Args:
            wait: Whether to return only when all work has ended.
            cancel_futures: Whether to cancel what has not started yet.
        """
        with self._lock:
            self._is_shut = True
            submissions, collector, maps = self._submissions, self._collector, list(self._maps)
        if submissions is not None:
            if cancel_futures:
                for unit in submissions.drop_waiting():
                    for number in unit.tasks:
                        self._futures[number].cancel()
            submissions.close()
        for results in maps:
            if cancel_futures:
                results.cancel()
            results.open_gate()
        if wait:
            if collector is not None:
                collector.join()
            for results in maps:
                results.join()

    def _refuse_if_shut(self) -> None:
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _target(self) -> Target:
        return process.target(self._resolved.settings)

    def _encode(self, fn: Callable[..., Any]) -> Program:
        home = process.home()
        plan = plan_callable(fn, home.namespace, cell_dir=Path.cwd())
        return encode_program(home, plan, serializer=self._resolved.settings.serializer, fn=fn)

    def _unit(self, fn: Callable[..., Any], args: Any, kwargs: Any, number: int) -> Unit:
        home, settings = process.home(), self._resolved.settings
        program = self._encode(fn)
        items = encode_items(home, [(args, kwargs)], number, settings.serializer)
        digest = sha256_of(program.frames.segments)
        stager = self._target().stager

        def payload() -> Payload:
            placed = self._programs.get(digest)
            if placed is None:
                placed = stager.place(program.frames, limit_bytes=settings.inline_limit_bytes)
                if len(self._programs) < 64:
                    self._programs[digest] = placed
            return placed

        future = self._futures[number]
        return Unit((number,), lambda: items, None, payload, digest, future.set_running_or_notify_cancel)

    def _open_submissions(self) -> Submissions:
        if self._submissions is None:
            self._submissions = Submissions()
            self._job = self._start("map", None, self._submissions, None, {"call": True}, "submit")
            self._collector = threading.Thread(target=self._collect, name="lambdamagic-collector", daemon=True)
            self._collector.start()
        return self._submissions

    def _start(
        self,
        kind: Any,
        program: Program | None,
        units: UnitSource,
        task_count: int | None,
        options: dict[str, Any],
        label: str,
    ) -> Job:
        settings, target = self._resolved.settings, self._target()
        wish = FunctionWish(settings.memory_mb, settings.timeout_s, settings.python or python_here())
        function: FunctionRef = target.function_for(wish)
        from lambdamagic.protocol import versions

        limit = min(settings.inline_limit_bytes, _SHARED_PROGRAM_LIMIT_BYTES)
        payload = Payload(()) if program is None else target.stager.place(program.frames, limit_bytes=limit)
        listeners = Listeners()
        for listener in self._listeners:
            listeners.add(listener)
        spec = JobSpec(
            kind=kind,
            label=label,
            function=function,
            transport=target.transport,
            stager=target.stager,
            program=payload,
            versions=versions.here() if program is None else program.versions,
            units=units,
            task_count=task_count,
            options={"serializer": settings.serializer, **options},
            policy=RetryPolicy(user_errors=settings.retries, deaths=max(1, settings.retries)),
            max_concurrency=target.concurrency(
                settings.max_concurrency, is_explicit=self._resolved.origin("max_concurrency") != "default"
            ),
            inline_limit_bytes=settings.inline_limit_bytes,
            prices=Prices.of(target.region),
            is_billed=target.is_billed,
            max_cost_usd=settings.max_cost_usd or None,
        )
        return process.engine().start(spec, listeners)

    def _collect(self) -> None:
        """Give results to their futures until the job ends; a job's own failure ends all futures that are left."""
        job, home = self._job, process.home()
        assert job is not None
        failure: BaseException | None = None
        try:
            for arrival in job.arrivals():
                try:
                    found = list(outcomes(arrival, home))
                except Exception as error:  # noqa: BLE001  # a result that cannot be read is this task's failure
                    found = [(task, Failure([], error)) for task in arrival.unit.tasks]
                for number, outcome in found:
                    with self._lock:
                        future = self._futures.pop(number, None)
                    if future is None:
                        continue
                    if isinstance(outcome, Failure):
                        future.set_exception(_exception(outcome))
                    else:
                        future.set_result(outcome)
        except Exception as error:  # noqa: BLE001  # whatever ended the job: whoever waits must hear of it
            failure = error
        with self._lock:
            left, self._futures = list(self._futures.values()), {}
            self._is_shut = self._is_shut or failure is not None
        for future in left:
            if future.cancelled():
                continue
            if not future.running():
                future.set_running_or_notify_cancel()
            future.set_exception(failure or JobCancelledError("the executor's job ended"))


class _Arguments:
    """Tuples of arguments, with their number where it is known."""

    def __init__(self, tuples: Iterator[tuple[Any, ...]], length: int | None) -> None:
        self._tuples, self.length = tuples, length

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._tuples


def _exception(failure: Failure) -> BaseException:
    return failure.error if failure.error is not None else reassemble(failure.records)


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", type(fn).__name__)
