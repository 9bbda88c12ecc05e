"""Events of a job, as data. Views listen to these and to nothing else.

Events are emitted in order by one thread (the engine's; before a job is given to it, its owner's); a listener must be
quick and must not raise.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lambdamagic.protocol.report import Report

#: How far a job is: it waits for others, or for its target; it runs; it has ended in one of three ways.
JobState: TypeAlias = Literal["queued", "starting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class JobQueued:
    """A job waits before it can begin.

    Attributes:
        job_id: Its id.
        label: A short name of the job, for display.
        task_count: How many tasks it has; None when that is not known yet.
        is_behind: Whether it waits for another job.
        note: What the job waits for, for display; empty if nothing is worth showing.
        at: Seconds since the epoch.
    """

    job_id: str
    label: str
    task_count: int | None
    is_behind: bool
    note: str
    at: float


@dataclass(frozen=True)
class JobStarted:
    """A job was accepted.

    Attributes:
        job_id: Its id.
        label: A short name of the job, for display.
        task_count: How many tasks it has; None when that is not known yet.
        memory_mb: The function's memory.
        is_billed: Whether AWS bills it; the embedded Lambda computes what AWS would charge.
        at: Seconds since the epoch.
        names: The tasks' names by their numbers, for display; empty where they have numbers only.
    """

    job_id: str
    label: str
    task_count: int | None
    memory_mb: int
    is_billed: bool
    at: float
    names: Sequence[str] = ()


@dataclass(frozen=True)
class InvocationStarted:
    """An invocation was sent; it carries some tasks."""

    job_id: str
    attempt_id: str
    tasks: tuple[int, ...]
    at: float


@dataclass(frozen=True)
class InvocationThrottled:
    """Lambda refused with 429; nothing ran, it is tried again after a wait."""

    job_id: str
    attempt_id: str
    tasks: tuple[int, ...]
    wait_s: float
    at: float


@dataclass(frozen=True)
class InvocationRetried:
    """An invocation failed and its tasks are tried again.

    Attributes:
        reason: Why, in a few words.
        may_have_run: Whether the user's code can have run already.
        memory_mb: The memory that it has then, if that is another; else 0.
    """

    job_id: str
    attempt_id: str
    tasks: tuple[int, ...]
    reason: str
    may_have_run: bool
    wait_s: float
    at: float
    memory_mb: int = 0


@dataclass(frozen=True)
class InvocationBackedUp:
    """An invocation takes much longer than its siblings: its tasks are started a second time.

    Attributes:
        after_s: How long it had taken by then.
    """

    job_id: str
    tasks: tuple[int, ...]
    after_s: float
    at: float


@dataclass(frozen=True)
class InvocationFinished:
    """An invocation ended, well or not.

    Attributes:
        report: Lambda's own, where it was returned.
        environment_id: The execution environment that ran it; empty if it died.
        is_cold: Whether INIT ran for it.
        s3_requests: Requests that it made to S3.
        cost_usd: What it costs at list price.
        duration_ms: How long the handler ran.
    """

    job_id: str
    attempt_id: str
    tasks: tuple[int, ...]
    report: Report | None
    environment_id: str
    is_cold: bool
    s3_requests: int
    cost_usd: float
    duration_ms: float
    at: float


@dataclass(frozen=True)
class BatchHandedOver:
    """An invoker handed many events to Lambda's queue; each invocation has its own events.

    Attributes:
        invocations: How many.
        report: Lambda's, of the invoker itself.
        cost_usd: What the invoker's run costs at list price.
    """

    job_id: str
    invocations: int
    report: Report
    cost_usd: float
    at: float


@dataclass(frozen=True)
class Charged:
    """A cost in addition to the invocations with a report.

    Attributes:
        what: `s3` for requests of this side, `unreported` for an invocation that ended without a report; then the
            amount is what it must have cost at least.
        cost_usd: What it costs at list price.
    """

    job_id: str
    what: Literal["s3", "unreported"]
    cost_usd: float
    at: float


@dataclass(frozen=True)
class TaskFinished:
    """A task has its outcome.

    Attributes:
        failed: Whether the outcome is an exception.
        error: Its type and message, in one line; empty without one.
        seconds: Run time of the user's code.
        is_cached: Whether it was known before, so that nothing ran.
    """

    job_id: str
    task: int
    failed: bool
    error: str
    seconds: float
    at: float
    is_cached: bool = False


@dataclass(frozen=True)
class BytesMoved:
    """Bytes of bodies that were sent and received so far.

    Attributes:
        sent: Bytes that went.
        received: Bytes that came.
    """

    job_id: str
    sent: int
    received: int


@dataclass(frozen=True)
class JobFinished:
    """The job has ended.

    Attributes:
        state: `done`, `failed` or `cancelled`.
        error: Why it failed, in one line.
    """

    job_id: str
    state: JobState
    error: str
    at: float


Event: TypeAlias = (
    JobQueued
    | JobStarted
    | InvocationStarted
    | InvocationThrottled
    | InvocationRetried
    | InvocationBackedUp
    | InvocationFinished
    | BatchHandedOver
    | Charged
    | TaskFinished
    | BytesMoved
    | JobFinished
)
#: The events that have a `cost_usd`.
Billed: TypeAlias = InvocationFinished | BatchHandedOver | Charged
Listener: TypeAlias = Callable[[Event], None]


class Listeners:
    """The listeners of a job. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends that."""
        with self._lock:
            self._listeners += (listener,)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return remove

    def emit(self, event: Event) -> None:
        """Call all listeners. A broken view must not break the job: it is removed, and its error shown once."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # whatever a view raises, the job continues
                with self._lock:
                    self._listeners = tuple(known for known in self._listeners if known is not listener)
                traceback.print_exc(file=sys.stderr)


#: Listeners of the events of every job in this process, in addition to the job's own. Empty by default.
EVERY_JOB = Listeners()
