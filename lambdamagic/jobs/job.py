"""A job as its owner sees it: arrivals to take, a way to cancel, and the facts."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.codec.frames import Frames
from lambdamagic.events import Event, JobState, Listeners
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.places import Places
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.prices import Prices
from lambdamagic.jobs.remote_values import RemoteValue
from lambdamagic.jobs.staging import Stager
from lambdamagic.limits import AWS_LAMBDA, ComputeLimits
from lambdamagic.protocol import keys
from lambdamagic.protocol.envelope import Before, Response
from lambdamagic.protocol.holdings import Holdings
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.report import Report
from lambdamagic.storage.requests import RequestMeter
from lambdamagic.transports.transport import Transport


def new_job_id() -> str:
    """Return an id that sorts by time and is never given twice."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(4)


@dataclass(frozen=True)
class FunctionRef:
    """The function that runs a job.

    Attributes:
        name: Its name.
        memory_mb: Its memory.
        timeout_s: Its timeout.
        arch: Its architecture, `x86_64` or `arm64`, which have different prices.
        holdings: What it publishes that it holds; None where it publishes nothing.
        invoker: The function that sends it many events at once (`worker.invoker`); empty where there is none.
        limits: What its kind of compute takes.
        runs_graphs: Whether its role may invoke it and use the graphs' prefix.
        is_restored: Whether its environments continue from a snapshot, each of which is billed.
    """

    name: str
    memory_mb: int
    timeout_s: int
    arch: str = "x86_64"
    holdings: Holdings | None = None
    invoker: str = ""
    limits: ComputeLimits = AWS_LAMBDA
    runs_graphs: bool = True
    is_restored: bool = False


@dataclass(frozen=True)
class Unit:
    """The tasks of one invocation.

    Attributes:
        tasks: Their numbers.
        items: Encodes their arguments as a list, when they are to be sent; None for a cell.
        program: Its own program; None takes the job's.
        program_id: Distinguishes programs of one job, so that an environment knows which one it has read.
        function: The function that runs it instead of the job's.
        begin: Called when it is about to be sent; False means that it was cancelled meanwhile.
        placed: Their arguments where they were kept before, instead of `items`; `pick` says which part of them.
        pick: First and count of this unit's arguments among those that were kept together.
        sent_as: The attempt under which a client that died had sent it; empty when it is to be sent.
        part: Makes a unit of some of its tasks, for when not all are to be run again; None when it has one task.
    """

    tasks: tuple[int, ...]
    items: Callable[[], Frames] | None = None
    part: Callable[[tuple[int, ...]], Unit] | None = None
    program: Callable[[], Payload] | None = None
    program_id: str = ""
    function: FunctionRef | None = None
    begin: Callable[[], bool] | None = None
    placed: Callable[[], Payload] | None = None
    pick: tuple[int, int] | None = None
    sent_as: str = ""


class Journal(Protocol):
    """Remembers a job: what another process needs to continue it, and how it ended."""

    def __call__(self, event: Event) -> None:
        """Handle an event, as a listener."""
        ...

    def sent(self, attempt_id: str) -> None:
        """Note that an attempt is about to be sent. Thread-safe; safe on disk when it returns."""
        ...


@dataclass(frozen=True)
class JobSpec:
    """Everything that the engine needs to run a job.

    Attributes whose names need an explanation:
        units: Where the work comes from.
        mode: `sync` waits for each invocation; `event` sends it and finds its answer in the bucket; `trigger` uploads
            it, and the bucket's notification sends it.
        trigger_secret: Seals what is uploaded in mode `trigger`.
        backups: Whether late invocations at the end are started a second time.
        cached: Tasks whose outcomes are known already; none of the units has them.
        requests: Counts this side's requests to S3 for it.
        budget: What may be spent; None for no limit. Executors share one among their jobs.
        places: Bounds what is under way together with other jobs; None for this job's `max_concurrency`.
        resize: Gives a function with at least so many MB of memory; blocks. None where there is no other.
        answer_bound_s: In mode `event`, how long an answer may be out before its attempt counts as lost.
        placed_at: When the program was placed, by the monotonic clock.
        attempts_before: How many attempts of it were numbered by a client that died.
        before: Cells whose effects the program begins with.
        collects: Whether a staged answer is fetched at once; else whoever takes the arrival does it.
        environment: Environment variables for the code; their values are in events only, and are never stored.
        keeps_remote: Whether values that are worth it stay in the bucket; see `remote_values`.
        journal: Called with each invocation that is sent as an event, before it is sent; None to remember nothing.
        failed_starts: Returns what environments of a function say that could not start within the last seconds; blocks.
    """

    kind: Literal["cell", "map"]
    label: str
    function: FunctionRef
    transport: Transport
    stager: Stager
    program: Payload
    versions: dict[str, Any]
    units: UnitSource
    task_count: int | None
    options: dict[str, Any] = field(default_factory=dict)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    max_concurrency: int = 1
    before: tuple[Before, ...] = ()
    collects: bool = True
    inline_limit_bytes: int = 0
    mode: Literal["sync", "event", "trigger"] = "sync"
    trigger_secret: bytes = field(default=b"", repr=False)
    answer_bound_s: float = 0.0
    placed_at: float = field(default_factory=time.monotonic)
    attempts_before: int = 0
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    keeps_remote: bool = False
    journal: Journal | None = None
    failed_starts: Callable[[str, float], str] | None = None
    prices: Prices = field(default_factory=lambda: Prices.of(""))
    is_billed: bool = True
    backups: bool = False
    cached: tuple[int, ...] = ()
    requests: RequestMeter = field(default_factory=RequestMeter)
    budget: Budget | None = None
    places: Places | None = None
    resize: Callable[[int], FunctionRef] | None = None
    job_id: str = field(default_factory=new_job_id)
    key: bytes = field(default_factory=keys.new_job_key, repr=False)

    @property
    def event_limit_bytes(self) -> int:
        """How much of a chunk's items may be sent in the event itself."""
        limit = self.inline_limit_bytes
        return limit if self.mode == "sync" else min(limit, self.function.limits.event_inline_bytes)


@dataclass(frozen=True)
class Arrival:
    """An invocation that has ended.

    Attributes:
        unit: What it carried.
        response: The function's answer; None when it died.
        frames: The answer's frames, verified.
        error: How it died or was refused, or why its task's arguments cannot be sent; None when it answered.
        report: Lambda's report.
        request_id: AWS's id of the invocation.
        superseded: Tasks whose outcome does not count, since they are run again.
        elapsed_s: How long its attempt took, seen from here.
        attempt_id: Which attempt it was.
        stayed: Values that stay in the bucket, by their tasks' places in the unit.
    """

    unit: Unit
    response: Response | None
    frames: list[Any]
    error: BaseException | None
    report: Report | None
    request_id: str = ""
    superseded: frozenset[int] = frozenset()
    elapsed_s: float = 0.0
    attempt_id: str = ""
    stayed: Mapping[int, RemoteValue] = field(default_factory=dict)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What the invocation printed and displayed."""
        return list(getattr(self.error, "outputs", ())) if self.response is None else self.response.outputs

    @property
    def error_line(self) -> str:
        """The first exception of the user's code in one line; empty without one."""
        pairs = zip(self.unit.tasks, self.response.tasks, strict=False) if self.response is not None else ()
        return next((task.error for number, task in pairs if task.error and number not in self.superseded), "")

    @property
    def has_failed(self) -> bool:
        """Whether the invocation, or the user's code in one of its tasks, failed."""
        return self.error is not None or bool(self.error_line)


class UnitSource(Protocol):
    """Gives units to the engine, which calls from its own thread.

    `names` has the tasks' names, for display; it is empty where they have numbers only.
    """

    @property
    def names(self) -> Sequence[str]:
        """The tasks' names, by their numbers."""
        ...

    def take(self, slots: int) -> Unit | None:
        """Return the next unit, or None when there is none now.

        Args:
            slots: How many invocations may be under way at once.
        """
        ...

    @property
    def is_dry(self) -> bool:
        """Whether there will never be another."""
        ...

    def learn(self, arrival: Arrival) -> None:
        """Learn from an invocation that ended."""
        ...

    def on_more(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from any thread, when units become available after there were none."""
        ...


class Job:
    """A running or finished job. Thread-safe.

    Attributes:
        spec: What was asked for.
        listeners: The listeners of its events.
        log_tails: Ends of the invocations' logs, the latest last, bounded.
    """

    def __init__(self, spec: JobSpec, listeners: Listeners, clock: Clock = SYSTEM_CLOCK) -> None:
        self.spec = spec
        self.listeners = listeners
        self._clock = clock
        self.started_at = clock.time()
        self.finished_at: float | None = None
        self.state: JobState = "running"
        self.error: Exception | None = None
        self.log_tails: list[str] = []
        self._arrivals: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._cancel: Callable[[], None] = lambda: None
        self._give_up: Callable[[], None] = lambda: None

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.spec.job_id

    def arrivals(self, tick: Callable[[], None] | None = None, *, every_s: float = 0.1) -> Iterator[Arrival]:
        """Yield invocations as they end, until the job has ended. Blocks; a KeyboardInterrupt comes through at once.

        Args:
            tick: Called now and then by the waiting thread, for a view.
            every_s: How often.

        The wait is bounded by the engine, which ends every job: each invocation by the function's timeout, each retry
        by the policy.

        Raises:
            LambdaMagicError: The job as a whole cannot continue (no credentials, no function, throttled for too long).
        """
        while True:
            try:
                arrival = self._arrivals.get(timeout=every_s if tick is not None else None)
            except queue.Empty:
                assert tick is not None
                tick()
                continue
            if arrival is None:
                break
            yield arrival
        if self.error is not None:
            raise self.error

    def give_up(self) -> None:
        """Stop like `cancel`, because of a failure: the job ends as failed. Returns at once; idempotent."""
        self._give_up()

    def cancel(self) -> None:
        """Stop launching, drop what waits, and ask running tasks to stop. Returns at once; idempotent."""
        self._cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end and return whether the job has ended."""
        return self._finished.wait(timeout_s)

    def arrived(self, arrival: Arrival) -> None:
        """Hand over an invocation's end (for the engine)."""
        self._arrivals.put(arrival)

    def finished(self, state: JobState, error: Exception | None) -> None:
        """Note the end (for the engine)."""
        self.state, self.error = state, error
        self.finished_at = self._clock.time()
        self._arrivals.put(None)
        self._finished.set()
