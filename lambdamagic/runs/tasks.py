"""Outcomes of a run's tasks: read as they arrive or from the cache, then kept or passed on."""

from __future__ import annotations

import io
import reprlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdamagic.codec.failures import reassemble
from lambdamagic.codec.fingerprint import NoFingerprintError
from lambdamagic.codec.home import Home
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival
from lambdamagic.jobs.memo import Memo, callable_key
from lambdamagic.jobs.outcomes import Failure, read_outcomes
from lambdamagic.runs.sources import runs_of
from lambdamagic.storage.object_store import ObjectStore
from lambdamagic.targets.secret import cache_secret

#: Makes the exception to raise for a task that failed.
Explain = Callable[[int, Failure, Arrival], BaseException]

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxlist = _short.maxtuple = _short.maxdict = 8


class _NotRun:
    """The result of a task that has no outcome yet."""

    def __repr__(self) -> str:
        return "<not run>"

    def __reduce__(self) -> str:
        return "NOT_RUN"

    def __bool__(self) -> bool:
        return False


#: What results hold for tasks that have no outcome.
NOT_RUN = _NotRun()
#: What a task gave is read when there is time for it: until then it is not known what it is.
UNREAD = "(read as soon as no cell runs)"


class Failed:
    """The outcome of a task that failed: a value may be an exception too."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def memo_of(store: ObjectStore | None, home: Home, program: Program, fn: Callable[..., Any] | None) -> Memo:
    """Return the cache of a callable.

    Raises:
        NoFingerprintError: It cannot be distinguished from others, or there is no bucket.
    """
    if store is None:
        raise NoFingerprintError("there is no bucket")
    return Memo(store, cache_secret(), callable_key(home, program, fn), home)


def exception_of(failure: Failure, check: Callable[[Exception], Exception]) -> BaseException:
    """Return the exception for a failed task; `check` finds out whether the target itself has failed."""
    if failure.error is None:
        return reassemble(failure.records)
    return check(failure.error) if isinstance(failure.error, Exception) else failure.error


def arguments_of(style: str) -> Callable[[Any], tuple[Sequence[Any], Mapping[str, Any]]]:
    """Return what makes arguments of an item: the item itself, its members, or a pair of both kinds of arguments."""
    if style == "star":
        return lambda item: (item, {})
    if style == "call":
        return lambda item: (item[0], item[1])
    return lambda item: ((item,), {})


class Outcomes:
    """Reads what arrives of a run's tasks, and knows what a memo has of them. Thread-safe.

    Args:
        home: The home that values come to live in.
        explain: Makes the exception of a task that failed.
        memo: What is known of the callable; None to look nothing up.
        style: How an item becomes arguments.
        held_as: Makes what is kept of a value.

    Attributes:
        count: How many tasks there are so far.
    """

    def __init__(
        self,
        home: Home,
        explain: Explain,
        *,
        memo: Memo | None = None,
        style: str = "plain",
        held_as: Callable[[Any], Any] | None = None,
    ) -> None:
        self.count = 0
        self._held_as = held_as or (lambda value: value)
        self._home, self._explain, self._memo, self._arguments = home, explain, memo, arguments_of(style)
        self._keys: dict[int, str | None] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._error: BaseException | None = None

    def add(self, items: Sequence[Any]) -> tuple[list[range], tuple[int, ...]]:
        """Take in the next tasks; return those that are to run, and those whose outcomes are known.

        Raises:
            TargetError, CredentialsError: The bucket cannot be asked.
        """
        start = self.count
        self.reach(start + len(items))
        if self._memo is None or not items:
            return ([range(start, self.count)] if items else []), ()
        task_keys = [self._memo.key_of(*self._arguments(item)) for item in items]
        found = {start + position: value for position, value in self._memo.find(task_keys).items()}
        left = [task for task in range(start, self.count) if task not in found]
        self._keys.update((task, task_keys[task - start]) for task in left)
        self.put(found)
        return runs_of(left), tuple(found)

    def take(self, arrival: Arrival) -> None:
        """Read an arrival, and keep its outcomes."""
        if self._memo is not None:
            self._memo.keep(arrival, self._keys)
        self.put(
            {
                task: Failed(self._explain(task, outcome, arrival))
                if isinstance(outcome, Failure)
                else self._held_as(outcome)
                for task, outcome in read_outcomes(arrival, self._home).items()
            }
        )

    def reach(self, count: int) -> None:
        """Record that there are so many tasks."""
        self.count = count

    def put(self, found: Mapping[int, Any]) -> None:
        """Keep outcomes: values, or what has `Failed`."""
        with self._changed:
            self._keep(found)
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Note that nothing more comes; `error` is what ended the run as a whole."""
        if self._memo is not None:
            self._memo.flush()
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify_all()

    def _keep(self, found: Mapping[int, Any]) -> None:
        raise NotImplementedError


class TaskTable(Outcomes):
    """Outcomes that stay, so that they can be looked at, and tasks run again. Thread-safe.

    Attributes:
        results: In the items' order: values, exceptions of tasks that failed, NOT_RUN. It is changed in place.
        items: What the tasks are called with; None where that is not kept.
    """

    def __init__(self, home: Home, explain: Explain, **more: Any) -> None:
        super().__init__(home, explain, **more)
        self.results: list[Any] = []
        self.items: Sequence[Any] | None = None
        self._failures: dict[int, BaseException] = {}

    @property
    def failures(self) -> dict[int, BaseException]:
        """What tasks raised, by their numbers, in the order in which it came."""
        with self._changed:
            return dict(self._failures)

    @property
    def has_failures(self) -> bool:
        """Whether a task has failed."""
        return bool(self._failures)

    @property
    def missing(self) -> list[int]:
        """Tasks without an outcome."""
        return [task for task, result in enumerate(self.results) if result is NOT_RUN]

    def has_value(self, task: int) -> bool:
        """Whether a task has ended well."""
        return self.outcome(task) is not NOT_RUN and task not in self._failures

    def unfinished(self, *, failed: bool) -> list[int]:
        """Return the tasks that have no outcome, and those that failed if they are asked for."""
        return sorted(self.missing + (list(self.failures) if failed else []))

    def forget(self, tasks: Sequence[int]) -> None:
        """Release the outcomes of tasks that are to run again."""
        with self._changed:
            for task in tasks:
                self._failures.pop(task, None)
                self.results[task] = NOT_RUN
            self._memo = None

    def to_csv(self, states: Sequence[str], seconds: Sequence[float]) -> str:
        """Return a line for each task: number, state, run time in seconds, argument, result, error.

        Args:
            states: How far each task is, in words.
            seconds: How long each ran.
        """
        import csv

        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerow(("task", "state", "seconds", "argument", "result", "error"))
        for task, state in enumerate(states):
            shown = self.outcome_text(task)
            ran = f"{seconds[task]:.6f}" if state in ("done", "failed") else ""
            done, failed = (shown if state == each else "" for each in ("done", "failed"))
            writer.writerow((task, state, ran, self.argument_text(task), done, failed))
        return written.getvalue()

    def argument_text(self, task: int) -> str:
        """Return a short text of a task's argument; empty if it is not kept."""
        return "" if self.items is None else short_repr(self.items[task])

    def outcome_text(self, task: int) -> str:
        """Return a short text of a finished task's outcome."""
        outcome = self.outcome(task)
        return UNREAD if outcome is NOT_RUN else short_repr(outcome)

    def outcome(self, task: int) -> Any:
        """Return a task's value, its exception, or NOT_RUN while there is neither or it was not read."""
        return self.results[task] if task < len(self.results) else NOT_RUN

    def reach(self, count: int) -> None:
        """Record that there are so many tasks."""
        super().reach(count)
        self.results += [NOT_RUN] * (count - len(self.results))

    def _keep(self, found: Mapping[int, Any]) -> None:
        for task, outcome in found.items():
            has_failed = self._failures.pop(task, None) is not None
            if not isinstance(outcome, Failed):
                self.results[task] = outcome
            elif has_failed or self.results[task] is NOT_RUN:  # a late attempt takes no value away
                self._failures[task] = self.results[task] = outcome.error


class TaskStream(Outcomes):
    """Outcomes that are kept until they are taken, once each. Thread-safe."""

    def __init__(self, home: Home, explain: Explain, **more: Any) -> None:
        super().__init__(home, explain, **more)
        self._waiting: dict[int, Any] = {}

    def _keep(self, found: Mapping[int, Any]) -> None:
        self._waiting.update(found)

    def take_from(self, number: int, deadline: float | None) -> list[Any]:
        """Return the outcomes of this task and of the following ones that exist, in order; empty after the end.

        Args:
            number: The first task wanted; waited for.
            deadline: On the monotonic clock; None for no limit.

        Raises:
            TimeoutError: The deadline passed.
            BaseException: What ended the run before this task had its outcome.
        """
        with self._changed:
            self._wait(lambda: number in self._waiting, deadline)
            found = []
            while number in self._waiting:
                found.append(self._waiting.pop(number))
                number += 1
            return found

    def take_any(self, deadline: float | None) -> list[Any]:
        """Return whatever outcome came first and was not taken yet, as `take_from` does."""
        with self._changed:
            self._wait(lambda: bool(self._waiting), deadline)
            return [self._waiting.pop(next(iter(self._waiting)))] if self._waiting else []

    def _wait(self, is_there: Callable[[], bool], deadline: float | None) -> None:
        while not is_there():
            if self._is_over:
                if self._error is not None:
                    raise self._error
                return
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and not left_s > 0:  # NaN is no time to wait for
                raise TimeoutError
            self._changed.wait(left_s)


def short_repr(value: Any) -> str:
    """Return a repr of bounded length; a broken `__repr__` of the user's is not an error here."""
    try:
        return _short.repr(value)
    except Exception as error:  # noqa: BLE001  # any __repr__ at all may run here
        return f"<{type(value).__name__}; its repr raised {type(error).__name__}>"
