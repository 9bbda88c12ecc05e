"""Choose the nodes of the next invocation: ready ones, and those that depend on them alone."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lambdamagic.codec.frames import Frames
from lambdamagic.graphs.graph import Node
from lambdamagic.graphs.paces import Paces, kind_of, name_of
from lambdamagic.jobs.chunks import MAX_TASKS, PRICES_IN_A_CHUNK, TARGET_S, TIMEOUT_FRACTION
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.runs.sources import Sizing, Units

#: What a task takes in addition to its code: it is pickled, read, and its outcome pickled and read.
_HANDLING_S = 1e-4
#: How fast an environment writes a large value, and another reads it.
_MOVED_BYTES_S = 80e6
#: Nodes that follow from others in a batch: how many are looked at that cannot be in it before it is complete.
_REFUSED_MOST = 16
_FOLLOWERS_MOST = 2_000


@dataclass
class _Batch:
    """The nodes of one invocation.

    Attributes:
        ready_s: What its nodes take that were ready.
        seconds: What all take.
        item_bytes: How large they are when they are sent.
        result_bytes: How large the values are that come back.
        held_bytes: How large the values are that stay in the bucket, or in memory.
    """

    numbers: set[int] = field(default_factory=set)
    ready_s: float = 0.0
    seconds: float = 0.0
    item_bytes: float = 0.0
    result_bytes: float = 0.0
    held_bytes: float = 0.0


@dataclass(frozen=True)
class _Limits:
    """Bounds of one invocation.

    Attributes:
        fair_s: A fair share of what is ready.
        ready_s: How much of what is ready goes into a batch: less than a fair share, as long as more is left.
        follow_s: A fair share of all that is left.
        most_s: The bound of all.
    """

    fair_s: float
    ready_s: float
    follow_s: float
    most_s: float


class ReadyNodes(Units):
    """The nodes that can run now, in batches that fit. Thread-safe.

    A batch takes about as long as an invocation is worth, and no more than a fair share of what is ready. A node of
    which it is not known how long it takes goes alone. Neighbors of the graph's order, which is depth first, go
    together: they need the same values, and their own are needed together.

    What follows from a batch alone goes with it, as far as that is no more than a fair share of what is left, or takes
    less time here than its values would take to another environment. Such values never leave the environment.

    Args:
        nodes: All nodes; a node's number is its place.
        needs: The numbers of the nodes that each needs.
        encode: Encodes the nodes of some numbers.
        sizing: What bounds a batch.
        paces: What is known of kinds.
        held_most_bytes: How much of values a batch may hold in memory; 0 where only what is ready goes into one.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        needs: Sequence[Sequence[int]],
        encode: Callable[[Sequence[int]], Frames],
        sizing: Sizing,
        paces: Paces,
        *,
        held_most_bytes: float = 0.0,
    ) -> None:
        super().__init__(is_open=True)
        self._encode, self._sizing, self._paces = encode, sizing, paces
        self._held_most_bytes = held_most_bytes if sizing.chunksize is None else 0.0
        self._kinds = ["+".join(map(kind_of, node.members)) for node in nodes]
        self.names = [name_of(node.key, len(node.members)) for node in nodes]
        self._needs = needs
        self.dependents: list[list[int]] = [[] for _ in nodes]
        for number, each in enumerate(needs):
            for need in each:
                self.dependents[need].append(number)
        self._waits_for = [len(each) for each in needs]
        self._is_taken, self._is_settled = bytearray(len(nodes)), bytearray(len(nodes))
        self._ready = [number for number, count in enumerate(self._waits_for) if not count]
        self._left_kinds = Counter(self._kinds)
        self._ready_kinds = Counter(self._kinds[number] for number in self._ready)

    def settle(self, number: int) -> None:
        """Note that a node has its value: what needs no other is ready."""
        with self._lock:
            if self._is_settled[number]:
                return
            self._is_settled[number] = True
            if not self._is_taken[number]:  # it was known before
                self._take(number)
            found = False
            for dependent in self.dependents[number]:
                self._waits_for[dependent] -= 1
                if not self._waits_for[dependent] and not self._is_taken[dependent] and not self._is_closed:
                    self._push(dependent)
                    found = True
        if found:
            self._wake()

    def drop(self) -> None:
        """Send no more, and let the job end. Idempotent."""
        with self._lock:
            self._ready.clear()
            self._is_closed = True
        self._wake()

    def take(self, slots: int) -> Unit | None:
        """Return the next batch."""
        with self._lock:
            numbers = self._next_batch(slots)
            return self._unit(numbers) if numbers else None

    @property
    def is_dry(self) -> bool:
        """Whether it was closed and all was taken."""
        with self._lock:
            return self._is_closed and self._peek() is None

    def _push(self, number: int) -> None:
        heapq.heappush(self._ready, number)
        self._ready_kinds[self._kinds[number]] += 1

    def _take(self, number: int) -> None:
        self._is_taken[number] = True
        self._left_kinds[self._kinds[number]] -= 1
        if not self._waits_for[number]:
            self._ready_kinds[self._kinds[number]] -= 1

    def _peek(self) -> int | None:
        while self._ready and self._is_taken[self._ready[0]]:
            heapq.heappop(self._ready)
        return self._ready[0] if self._ready else None

    def _next_batch(self, slots: int) -> tuple[int, ...]:
        limits, limit_bytes = self._limits(slots), 0.8 * self._sizing.limit_bytes
        most = self._sizing.chunksize or MAX_TASKS
        batch, is_fixed = _Batch(), self._sizing.chunksize is not None
        while (number := self._peek()) is not None and len(batch.numbers) < most:
            pace = self._paces.of(self._kinds[number])
            if pace is None and not is_fixed:
                if not batch.numbers:
                    self._put_into(batch, [number])
                break
            if pace is not None and pace.seconds is not None and batch.numbers:
                seconds = pace.seconds + _HANDLING_S
                is_full = batch.ready_s + seconds > limits.ready_s or batch.seconds + seconds > limits.most_s
                item_bytes = batch.item_bytes + pace.item_bytes
                if (is_full and not is_fixed) or max(item_bytes, batch.result_bytes + pace.result_bytes) > limit_bytes:
                    break
            self._put_into(batch, [number])
            if self._held_most_bytes:
                self._follow(batch, number, limits, limit_bytes)
        return tuple(sorted(batch.numbers))

    def _follow(self, batch: _Batch, number: int, limits: _Limits, limit_bytes: float) -> None:
        """Add nodes that depend on a batch alone to it."""
        waiting, refused = deque([number]), set[int]()
        while waiting and len(batch.numbers) < _FOLLOWERS_MOST and len(refused) < _REFUSED_MOST:
            for dependent in self.dependents[waiting.popleft()]:
                if self._is_taken[dependent] or dependent in refused:
                    continue
                more = self._needed_for(dependent, batch, limits, limit_bytes)
                if more:
                    self._put_into(batch, more)
                    waiting.extend(more)
                else:
                    refused.add(dependent)
                    if len(refused) >= _REFUSED_MOST:
                        return

    def _needed_for(self, node: int, batch: _Batch, limits: _Limits, limit_bytes: float) -> list[int]:
        """Return the nodes that a batch lacks so that a node can be in it, itself among them; none if it cannot."""
        found, stack, more = dict[int, None](), [node], _Batch()
        moved_bytes = sum(
            self._paces.stayed_bytes(self._kinds[need]) for need in self._needs[node] if need in batch.numbers
        )
        cheap_s = self._paces.overhead_s + 2 * moved_bytes / _MOVED_BYTES_S
        while stack:
            number = stack.pop()
            if number in found or number in batch.numbers or self._is_settled[number]:
                continue
            if self._is_taken[number] or self._paces.of(self._kinds[number]) is None:
                return []
            found[number] = None
            self._count(more, number)
            is_fair = batch.ready_s + more.ready_s <= limits.fair_s and batch.seconds + more.seconds <= limits.follow_s
            if (
                (not is_fair and more.seconds > cheap_s)
                or batch.seconds + more.seconds > limits.most_s
                or batch.held_bytes + more.held_bytes > self._held_most_bytes
                or max(batch.item_bytes + more.item_bytes, batch.result_bytes + more.result_bytes) > limit_bytes
                or len(batch.numbers) + len(found) > _FOLLOWERS_MOST
            ):
                return []
            stack.extend(self._needs[number])
        return list(found)

    def _put_into(self, batch: _Batch, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._count(batch, number)
            batch.numbers.add(number)
            self._take(number)

    def _count(self, batch: _Batch, number: int) -> None:
        kind = self._kinds[number]
        pace = self._paces.of(kind)
        if pace is None or pace.seconds is None:
            return
        seconds = pace.seconds + _HANDLING_S
        batch.seconds += seconds
        if not self._waits_for[number]:
            batch.ready_s += seconds
        batch.item_bytes += pace.item_bytes
        batch.result_bytes += pace.result_bytes
        batch.held_bytes += self._paces.stayed_bytes(kind)

    def _limits(self, slots: int) -> _Limits:
        """Return how much goes into a batch: see `jobs.chunks.chunk_size`, whose rule this is for unlike tasks."""
        overhead_s = self._paces.overhead_s
        most_s = min(max(TARGET_S, PRICES_IN_A_CHUNK * overhead_s), self._sizing.timeout_s * TIMEOUT_FRACTION)
        all_ready_s, left_s = self._seconds(self._ready_kinds), self._seconds(self._left_kinds)
        fair_s = all_ready_s / slots
        # What takes no longer than an invocation is not worth two.
        least_s = all_ready_s if all_ready_s <= overhead_s / 2 else min(fair_s, overhead_s)
        return _Limits(fair_s, min(most_s, max(fair_s / 2, least_s)), left_s / slots, most_s)

    def _seconds(self, kinds: Counter[str]) -> float:
        found = 0.0
        for kind, count in kinds.items():
            pace = self._paces.of(kind) if count > 0 else None
            if pace is not None and pace.seconds is not None:
                found += count * (pace.seconds + _HANDLING_S)
        return found

    def _unit(self, numbers: tuple[int, ...], begin: Callable[[], bool] | None = None) -> Unit:
        def items() -> Frames:
            frames = self._encode(numbers)
            for number in numbers:
                self._paces.learn_bytes(self._kinds[number], item_bytes=frames.size_bytes / len(numbers))
            return frames

        return Unit(numbers, items, self._part if len(numbers) > 1 else None, begin=begin)

    def _part(self, numbers: tuple[int, ...]) -> Unit:
        return self._unit(numbers, lambda: self._can_run(numbers))

    def _can_run(self, numbers: tuple[int, ...]) -> bool:
        """Whether a part of a batch has what it needs; if it has not, its nodes wait for that again."""
        with self._lock:
            if all(need in numbers or self._is_settled[need] for number in numbers for need in self._needs[number]):
                return True
            for number in numbers:
                self._is_taken[number] = False
                self._left_kinds[self._kinds[number]] += 1
                if not self._waits_for[number] and not self._is_closed:
                    self._push(number)
        self._wake()
        return False

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
        for place, value in arrival.stayed.items():
            self._paces.learn_stayed(self._kinds[arrival.unit.tasks[place]], value.size_bytes)
        if not response.usage.cold and arrival.elapsed_s > seconds:
            self._paces.learn_overhead(arrival.elapsed_s - seconds)
