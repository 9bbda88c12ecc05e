"""Walks in virtual time: the real `Walker`, each in a thread, with a clock that jumps from request to request.

One thread runs at a time. A request takes its time, and has its effect at its end. What requests take is the issue's:
PUT and LIST 30 ms, GET 20 ms, Invoke 25 ms; 1,000 walks run at once, the others wait.
"""

from __future__ import annotations

import ast
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.runs.walks_work import roots_of
from lambdamagic.walks import names
from lambdamagic.walks.choice import Latencies
from lambdamagic.walks.fan_in import begin
from lambdamagic.walks.sharing import Sharing
from lambdamagic.walks.structure import Structure
from lambdamagic.walks.walk_event import WalkEvent
from lambdamagic.walks.walker import NodeFailure, Walker

#: Requests at once in one walk, as in `worker.graph_bucket`.
_AT_ONCE = 32


@dataclass(frozen=True)
class Workload:
    """A graph with what its nodes take.

        Attributes:
    name: Its name for display.
            structure: The graph.
            seconds: How long each node takes.
            size_bytes: How large values are.
    """

    name: str
    structure: Structure
    seconds: tuple[float, ...]
    size_bytes: int = 100

    @property
    def critical_s(self) -> float:
        """The longest way through the graph."""
        ends: list[float] = []
        for node, needs in enumerate(self.structure.needs):
            ends.append(self.seconds[node] + max((ends[need] for need in needs), default=0.0))
        return max(ends)

    def bound_s(self, workers: int) -> float:
        """What no scheduler can beat."""
        return max(self.critical_s, sum(self.seconds) / workers)


class _Clock:
    """Runs threads one at a time, in the order of virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._turn = threading.Event()
        self._error: BaseException | None = None
        self._running = 0

    def sleep(self, seconds: float) -> None:
        """Let this thread continue so much later."""
        wake = threading.Event()
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), wake))
        self._turn.set()
        wake.wait()

    def start(self, work: Callable[[], None], delay_s: float) -> None:
        """Begin a thread so much later."""
        wake = threading.Event()

        def run() -> None:
            wake.wait()
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # raised where time passes
                self._error = error
            self._turn.set()

        heapq.heappush(self._due, (self.now + delay_s, next(self._numbers), wake))
        threading.Thread(target=run, daemon=True).start()

    def run(self) -> None:
        """Let time pass until nothing is due."""
        while self._due:
            self.now, _, wake = heapq.heappop(self._due)
            self._turn.clear()
            wake.set()
            self._turn.wait()
            if self._error is not None:
                raise self._error


class SimulatedWalks:
    """Runs one workload in walks.

    Args:
        workload: The graph.
        workers: How many walks run at once.
        latencies: What requests take.

    Attributes:
        invocations: How many walks were invoked.
        writes: PUT and LIST requests.
        reads: GET requests.
    """

    def __init__(self, workload: Workload, *, workers: int = 1000, latencies: Latencies | None = None) -> None:
        self._workload, self._workers = workload, workers
        self._times = latencies or Latencies()
        self._clock = _Clock()
        self._stored: dict[str, Any] = {}
        self._free, self._queue = workers, deque[WalkEvent]()
        self.invocations = self.writes = self.reads = 0
        self.ran: list[int] = []
        self.ended_at = 0.0

    def run(self) -> float:
        """Return how long it takes, from the client's first invocation on."""
        for number, root in enumerate(roots_of(self._workload.structure, self._workers)):
            self._invoke(root, number * self._times.send_s)
        self._clock.run()
        assert len(self.ran) == len(set(self.ran)) == len(self._workload.structure.needs)
        return self.ended_at

    def _invoke(self, event: WalkEvent, after_s: float = 0.0) -> None:
        self.invocations += 1
        if self._free:
            self._free -= 1
            self._clock.start(lambda: self._walk(event), after_s + self._times.invoke_s)
        else:
            self._queue.append(event)

    def _walk(self, event: WalkEvent) -> None:
        request = _Requests(self, self._clock, self._times)
        if begin(request, event.walk, 1, event.walk.encode()):
            request.get_all(["program", "structure"])
            walker = Walker(
                self._workload.structure,
                request,
                request,
                request,
                event,
                sharing=Sharing(),
                clock=lambda: self._clock.now,
            )
            walker.walk()
            self.ended_at = max(self.ended_at, request.last_result_at)
            request.put_first(names.walk_record(event.walk, 1), [b""])
        self._free += 1
        if self._queue:
            self._free -= 1
            following = self._queue.popleft()
            self._clock.start(lambda: self._walk(following), 0.0)


class _Requests:
    """Bucket, runner and spawner of one simulated walk."""

    def __init__(self, world: SimulatedWalks, clock: _Clock, times: Latencies) -> None:
        self._world, self._clock, self._times = world, clock, times
        self.last_result_at = 0.0

    def put_first(self, name: str, body: Sequence[Any]) -> bool:
        return self.put_all([(name, body)])[0]

    def put_all(self, objects: Sequence[tuple[str, Sequence[Any]]]) -> list[bool]:
        self._clock.sleep(self._times.put_s * -(-len(objects) // _AT_ONCE))
        self._world.writes += len(objects)
        return [self._put(*each) for each in objects]

    def _put(self, name: str, body: Sequence[Any]) -> bool:
        if name.startswith(names.RESULTS):
            self.last_result_at = self._clock.now
        if name in self._world._stored:
            return False
        self._world._stored[name] = body
        if name.startswith("edges/"):
            self._world._stored.setdefault(name[: name.rindex("/") + 1], []).append(name)
        return True

    def get(self, name: str) -> bytearray:
        self.get_all([name])
        return bytearray(b"".join(self._world._stored[name]))

    def get_all(self, wanted: Sequence[str]) -> list[bytearray]:
        self._clock.sleep(self._times.get_s * -(-len(wanted) // _AT_ONCE))
        self._world.reads += len(wanted)
        found: list[Any] = [self._world._stored.get(name) for name in wanted]
        return found

    def find(self, prefix: str) -> list[str]:
        return self.find_all([prefix])[0]

    def find_all(self, prefixes: Sequence[str]) -> list[Any]:
        self._clock.sleep(self._times.put_s * -(-len(prefixes) // _AT_ONCE))
        self._world.writes += len(prefixes)
        return [[*self._world._stored.get(prefix, ())] for prefix in prefixes]  # all of them are of edges

    def run(self, node: int, values: Mapping[int, Any]) -> Any | NodeFailure:
        self._clock.sleep(self._world._workload.seconds[node])
        self._world.ran.append(node)
        return node

    def pack(self, name: str, values: Mapping[int, Any]) -> Any:
        return [repr(dict(values)).encode()] if name.startswith(names.WALKS) else [dict(values)]

    def pack_failure(self, name: str, failed: NodeFailure) -> Any:
        raise AssertionError

    def unpack(self, name: str, data: Any) -> Mapping[int, Any]:
        # What is sent in an event is bytes; values are nodes' numbers.
        found: Mapping[int, Any] = ast.literal_eval(data.decode()) if isinstance(data, bytes) else data[0]
        return found

    def size_bytes(self, value: Any) -> int:
        return self._world._workload.size_bytes

    def spawn(self, events: Sequence[WalkEvent]) -> None:
        self._clock.sleep(max(self._times.put_s, self._times.invoke_s))
        self._world.writes += len(events)
        for event in events:
            self._world._invoke(event)


def client_way_s(workload: Workload, *, workers: int = 1000, latencies: Latencies | None = None) -> float:
    """Return how long it takes when the client sends each node as it becomes ready: one invocation each.

    Values that are too large for an answer stay in the bucket: one PUT, and a GET for each node that needs it.
    """
    times = latencies or Latencies()
    structure, stays = workload.structure, workload.size_bytes > 64 * 1024
    waits = [len(needs) for needs in structure.needs]
    ready = deque(node for node, count in enumerate(waits) if not count)
    running: list[tuple[float, int]] = []
    now, client_at, free = 0.0, 0.0, workers
    while ready or running:
        while ready and free:
            node = ready.popleft()
            free -= 1
            client_at = max(client_at, now) + times.send_s
            more = (times.put_s + times.get_s * bool(structure.needs[node])) if stays else 0.0
            heapq.heappush(running, (client_at + times.invoke_s + workload.seconds[node] + more, node))
        now, node = heapq.heappop(running)
        free += 1
        for dependent in structure.dependents[node]:
            waits[dependent] -= 1
            if not waits[dependent]:
                ready.append(dependent)
    return now
