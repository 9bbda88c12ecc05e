"""Which nodes go into the next invocation: those that are ready, as many as fill it, neighbors together."""

from __future__ import annotations

import heapq
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from lambdamagic.codec.frames import Frames
from lambdamagic.graphs.graph import Key, Node
from lambdamagic.jobs.chunks import MAX_TASKS, PRICES_IN_A_CHUNK, TARGET_S, TIMEOUT_FRACTION, Pace
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.runs.sources import Sizing, Units

_KINDS_KEPT = 1_000
#: What Dask and others put behind a name so that it occurs once.
_UNIQUE = re.compile(r"-[0-9a-f]{8,}.*$|-[0-9a-f]{8}-[0-9a-f-]{27}$", re.DOTALL)


def kind_of(key: Key) -> str:
    """Return what the tasks of one operation have in common in their keys: they take about as long as each other."""
    while isinstance(key, tuple) and key:
        key = key[0]
    return _UNIQUE.sub("", key) if isinstance(key, str) else type(key).__name__


class Paces:
    """How long nodes take, by their kinds; known from graph to graph. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_kind: OrderedDict[str, Pace] = OrderedDict()
        self.overhead_s = 0.0

    def of(self, kind: str) -> Pace | None:
        """Return what is known of a kind; None before one of it has ended."""
        found = self._by_kind.get(kind)
        return found if found is not None and found.seconds is not None else None

    def learn(self, kind: str, seconds: float) -> None:
        """Take in how long a node took."""
        self._pace(kind).learn(tasks=1, seconds=seconds, result_bytes=0)

    def learn_bytes(self, kind: str, *, item_bytes: float = 0.0, result_bytes: float = 0.0) -> None:
        """Take in how large a node is when it is sent, or its value."""
        pace = self._pace(kind)
        if item_bytes:
            pace.learn_items(tasks=1, item_bytes=int(item_bytes))
        if result_bytes:
            pace.result_bytes = result_bytes if not pace.result_bytes else (pace.result_bytes + result_bytes) / 2

    def learn_overhead(self, seconds: float) -> None:
        """Take in what a warm invocation took in addition to its nodes."""
        self.overhead_s = seconds if not self.overhead_s else 0.9 * self.overhead_s + 0.1 * seconds

    def _pace(self, kind: str) -> Pace:
        with self._lock:
            found = self._by_kind.get(kind)
            if found is None:
                found = self._by_kind[kind] = Pace()
                if len(self._by_kind) > _KINDS_KEPT:
                    self._by_kind.popitem(last=False)
            return found


class ReadyNodes(Units):
    """The nodes that can run now, in batches that fit. Thread-safe.

    A batch takes about as long as an invocation is worth, and no more than a fair share of what is ready. A node of
    which it is not known how long it takes goes alone. Neighbors of the graph's order, which is depth first, go
    together: they need the same values, and their own are needed together.

    Args:
        nodes: All nodes; a node's number is its place.
        encode: Encodes the nodes of some numbers.
        sizing: What bounds a batch.
        paces: What is known of kinds.
    """

    def __init__(
        self, nodes: Sequence[Node], encode: Callable[[Sequence[int]], Frames], sizing: Sizing, paces: Paces
    ) -> None:
        super().__init__(is_open=True)
        self._encode, self._sizing, self._paces = encode, sizing, paces
        self._kinds = ["+".join(map(kind_of, node.members)) for node in nodes]
        self._ready: list[int] = []
        self._ready_kinds: Counter[str] = Counter()

    def add(self, numbers: Sequence[int]) -> None:
        """Add nodes that have become ready."""
        if not numbers:
            return
        with self._lock:
            for number in numbers:
                heapq.heappush(self._ready, number)
                self._ready_kinds[self._kinds[number]] += 1
        self._wake()

    def drop(self) -> None:
        """Send no more, and let the job end. Idempotent."""
        with self._lock:
            self._ready.clear()
            self._ready_kinds.clear()
            self._is_closed = True
        self._wake()

    def take(self, slots: int) -> Unit | None:
        """Return the next batch."""
        with self._lock:
            if not self._ready:
                return None
            return self._unit(self._next_batch(slots))

    def _next_batch(self, slots: int) -> tuple[int, ...]:
        limit_s, limit_bytes = self._limit_s(slots), 0.8 * self._sizing.limit_bytes
        most = self._sizing.chunksize or MAX_TASKS
        batch: list[int] = []
        seconds = item_bytes = result_bytes = 0.0
        while self._ready and len(batch) < most:
            kind = self._kinds[self._ready[0]]
            pace = self._paces.of(kind)
            if pace is None and self._sizing.chunksize is None:
                if not batch:
                    batch.append(self._pop())
                break
            if pace is not None and pace.seconds is not None:
                seconds, item_bytes = seconds + pace.seconds, item_bytes + pace.item_bytes
                result_bytes += pace.result_bytes
                is_full = seconds > limit_s and self._sizing.chunksize is None
                if batch and (is_full or max(item_bytes, result_bytes) > limit_bytes):
                    break
            batch.append(self._pop())
        return tuple(batch)

    def _pop(self) -> int:
        number = heapq.heappop(self._ready)
        self._ready_kinds[self._kinds[number]] -= 1
        return number

    def _limit_s(self, slots: int) -> float:
        """Return how long a batch should take: see `jobs.chunks.chunk_size`, whose rule this is for unlike tasks."""
        overhead_s = self._paces.overhead_s
        most = min(max(TARGET_S, PRICES_IN_A_CHUNK * overhead_s), self._sizing.timeout_s * TIMEOUT_FRACTION)
        ready_s = 0.0
        for kind, count in self._ready_kinds.items():
            pace = self._paces.of(kind) if count else None
            if pace is not None and pace.seconds is not None:
                ready_s += count * pace.seconds
        shared_out = ready_s / slots
        return min(most, max(shared_out / 2, min(shared_out, overhead_s)))

    def _unit(self, numbers: tuple[int, ...]) -> Unit:
        def items() -> Frames:
            frames = self._encode(numbers)
            for number in numbers:
                self._paces.learn_bytes(self._kinds[number], item_bytes=frames.size_bytes / len(numbers))
            return frames

        return Unit(numbers, items, self._unit if len(numbers) > 1 else None)

    @property
    def is_dry(self) -> bool:
        """Whether it was closed and all was taken."""
        with self._lock:
            return self._is_closed and not self._ready

    def learn(self, arrival: Arrival) -> None:
        """Learn how long nodes take, how large their values are, and what an invocation costs in addition."""
        response = arrival.response
        if response is None or not response.tasks:
            return
        seconds = 0.0
        each_bytes = sum(memoryview(frame).nbytes for frame in arrival.frames) / len(response.tasks)
        for number, summary in zip(arrival.unit.tasks, response.tasks, strict=False):
            self._paces.learn(self._kinds[number], summary.seconds)
            self._paces.learn_bytes(self._kinds[number], result_bytes=each_bytes)
            seconds += summary.seconds
        if not response.usage.cold and arrival.elapsed_s > seconds:
            self._paces.learn_overhead(arrival.elapsed_s - seconds)
