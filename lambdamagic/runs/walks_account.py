"""The account of a graph that runs in walks: its events, its requests to S3, and its cost."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Literal

from lambdamagic import events
from lambdamagic.clock import Clock
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.prices import S3_READ_USD, S3_WRITE_USD, Prices
from lambdamagic.protocol import reading
from lambdamagic.protocol.envelope import Usage
from lambdamagic.runs.walks_work import WalksWork


class WalksAccount:
    """Keeps one graph's account and emits its events. Its methods are called by one thread, the graph's.

    Args:
        work: The graph.
        prices: Of the region.
        budget: What may be spent; None for no limit.
        listeners: Receive its events.
        clock: The time in events.

    Attributes:
        writes: PUT and LIST requests so far.
        reads: GET requests so far.
        invocations: Walks that have ended.
        cost_usd: What it cost so far at list price.
        finished: Nodes that have run without a failure.
        printed: What walks printed, each with its name, until it is taken; the thread that waits shows it.
    """

    def __init__(
        self, work: WalksWork, prices: Prices, budget: Budget | None, listeners: events.Listeners, clock: Clock
    ) -> None:
        self._work, self._prices, self._budget, self._listeners, self._clock = work, prices, budget, listeners, clock
        self._lock = threading.Lock()
        self.writes = self.reads = self.invocations = 0
        self.cost_usd = 0.0
        self.finished: set[int] = set()
        self.printed: deque[tuple[str, list[dict[str, Any]]]] = deque()
        self._sent: set[str] = set()

    def started(self, *, is_billed: bool) -> None:
        """Report that the graph was accepted."""
        work = self._work
        count, memory_mb = len(work.structure.needs), work.function.memory_mb
        now = self._clock.time()
        self.emit(events.JobStarted(work.job_id, work.label, count, memory_mb, is_billed, now, work.names))

    def ended(self, state: events.JobState, error: BaseException | None) -> None:
        """Report the end."""
        text = f"{type(error).__name__}: {error}".splitlines()[0] if error else ""
        self.emit(events.JobFinished(self._work.job_id, state, text, self._clock.time()))

    def sent(self, walk: str, attempt: int, nodes: tuple[int, ...]) -> None:
        """Report that a walk was sent."""
        self._sent.add(f"{walk}.{attempt}")
        self.emit(events.InvocationStarted(self._work.job_id, f"{walk}.{attempt}", nodes, self._clock.time()))

    def begun_again(self, walk: str, attempt: int, nodes: tuple[int, ...], reason: str) -> None:
        """Report that a walk is begun again."""
        now = self._clock.time()
        self.emit(events.InvocationRetried(self._work.job_id, f"{walk}.{attempt}", nodes, reason, True, 0.0, now))

    def record(self, walk: str, attempt: int, record: dict[str, Any]) -> None:
        """Take a walk's record into the account, and report its nodes, each once.

        Raises:
            CostLimitError: Nothing more may be spent.
            ValueError: It is no record.
        """
        usage, ran = Usage.from_json(record["usage"]), reading.listed(record["ran"])
        writes, reads = reading.count(record["writes"]), reading.count(record["reads"])
        cost_usd = self._prices.invocation_usd(
            billed_ms=usage.billed_ms, memory_mb=self._work.function.memory_mb, s3_writes=writes, s3_reads=reads
        )
        # Its own clock, but no later than now: the record was stored before it was found.
        ended = min(self._clock.time(), reading.number(record["ended_at"]))
        nodes = tuple(node for node, _, _ in ran)
        if f"{walk}.{attempt}" not in self._sent:  # another walk has sent it
            began = ended - usage.duration_ms / 1000
            self.emit(events.InvocationStarted(self._work.job_id, f"{walk}.{attempt}", nodes, began))
        self.invocations += 1
        self.writes += writes
        self.reads += reads
        self.emit(
            events.InvocationFinished(
                self._work.job_id,
                f"{walk}.{attempt}",
                nodes,
                None,
                usage.environment_id,
                usage.cold,
                writes + reads,
                cost_usd,
                usage.duration_ms,
                ended,
            )
        )
        if outputs := reading.listed(record["outputs"]):
            self.printed.append((f"{walk}.{attempt}", [reading.table(each) for each in outputs]))
        for node, seconds, error in ran:
            if node not in self.finished:
                if not error:
                    self.finished.add(node)
                self.emit(events.TaskFinished(self._work.job_id, node, bool(error), error, seconds, ended))
        self._spend(cost_usd)

    def requested(self, *, writes: int, reads: int) -> None:
        """Charge the client's own requests to S3."""
        self.writes += writes
        self.reads += reads
        self._charge("s3", writes * S3_WRITE_USD + reads * S3_READ_USD)

    def died(self, ran_s: float) -> None:
        """Charge a walk that left no record: it ran about so long."""
        function = self._work.function
        billed_ms = min(ran_s, function.timeout_s) * 1000
        self._charge("unreported", self._prices.invocation_usd(billed_ms=billed_ms, memory_mb=function.memory_mb))

    def _charge(self, what: Literal["s3", "unreported"], cost_usd: float) -> None:
        self.emit(events.Charged(self._work.job_id, what, cost_usd, self._clock.time()))
        self._spend(cost_usd)

    def _spend(self, cost_usd: float) -> None:
        self.cost_usd += cost_usd
        if self._budget is not None:
            self._budget.spend(cost_usd)
            self._budget.check()

    def emit(self, event: events.Event) -> None:
        """Call all listeners."""
        with self._lock:
            self._listeners.emit(event)
            events.EVERY_JOB.emit(event)
