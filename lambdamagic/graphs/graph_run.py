"""A graph scheduled by this process, which sends nodes when they are ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.reference import put
from lambdamagic.codec.encode import writer
from lambdamagic.codec.frames import Frames, Written
from lambdamagic.codec.home import Home
from lambdamagic.codec.shared import Shared
from lambdamagic.errors import JobCancelledError
from lambdamagic.graphs.fusing import named
from lambdamagic.graphs.graph import Graph, Key, Node
from lambdamagic.graphs.node_tasks import run_node
from lambdamagic.graphs.paces import Paces
from lambdamagic.graphs.ready import ReadyNodes
from lambdamagic.jobs.job import Arrival
from lambdamagic.jobs.outcomes import Failure, read_outcomes
from lambdamagic.runs.handle import Run
from lambdamagic.runs.sources import Sizing
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import exception_of
from lambdamagic.worker.within import Earlier

_SMALL = frozenset({int, float, complex, bool, str, bytes, type(None), slice, type(...)})
#: So many nodes are looked into for what their code imports; the others are when they are sent.
_LOOKED_INTO = 200
#: A larger constant is read once in each environment, and is read-only: a copy for each task would fill its memory.
_COPIED_MAX_BYTES = 64 << 20
#: How much of a function's memory the values may take that tasks of one invocation pass to each other.
_HELD_FRACTION = 0.25


class _Constant(Shared):
    """A value that the graph holds: it is sent once, and each task has its own copy, as of another task's value."""

    def written(self, home: Home) -> Written:
        """Return its bytes, marked."""
        found = super().written(home)
        found.gives_copies = True
        return found


def _constant(value: Any) -> Shared:
    found = put(value)
    return found if found.size_bytes > _COPIED_MAX_BYTES else _Constant(value, process.home(), writer())


class Watcher(Protocol):
    """Follows the nodes of a graph."""

    def sent(self, keys: Sequence[Key]) -> None:
        """Note nodes that are about to be sent; called in the thread that sends them."""

    def done(self, key: Key, value: Any) -> None:
        """Note a node that has its value; called in the thread that runs the graph."""


class GraphRun:
    """Runs the nodes of a graph on Lambda as what they need becomes known. For one use; `run` is called once.

    Args:
        launcher: Starts the job.
        graph: What to run; chains are worth fusing before.
        label: A name for the job, for display.
        paces: What is known of how long nodes take; it learns.
        known: Values of nodes that are known from before.
        watch: Follows the nodes; None where no caller does.

    Attributes:
        values: Values of nodes that have run and are still needed, or asked for; `WITHIN` for what never left its
            environment.
    """

    def __init__(
        self,
        launcher: Launcher,
        graph: Graph,
        *,
        label: str = "graph",
        paces: Paces | None = None,
        known: Mapping[Key, Any] | None = None,
        watch: Watcher | None = None,
    ) -> None:
        self._launcher, self._graph, self._label = launcher, graph, label
        self._watch = watch
        self._nodes: list[Node] = list(graph.nodes.values())
        self._number_of = {node.key: number for number, node in enumerate(self._nodes)}
        self._kept = graph.kept
        self.values: dict[Key, Any] = {}
        self._constants: dict[Key, Any] = {}
        self._left = len(self._nodes)
        self._has_run = bytearray(len(self._nodes))
        self._error: BaseException | None = None
        needs = [[self._number_of[key] for key in node.needs if key in self._number_of] for node in self._nodes]
        settings = launcher.settings
        self._source = ReadyNodes(
            self._nodes,
            needs,
            self._encode,
            Sizing.of(settings),
            paces or Paces(),
            # A task that is retried goes alone, and finds in the bucket what it needs.
            held_most_bytes=0 if settings.retries else settings.memory_mb * (1 << 20) * _HELD_FRACTION,
        )
        self._dependents = self._source.dependents
        self._needed_by = [len(each) for each in self._dependents]
        self._program: Any = None
        self._known = known or {}
        self._run: Run | None = None
        self._is_cancelled = False

    def run(self) -> dict[Key, Any]:
        """Return the value of each requested key.

        Billed as any map's invocations are. Blocks in this thread, where Ctrl-C cancels the job.

        Raises:
            BaseException: What a node's code raised first, with a note of its key.
            CostLimitError, TargetError: The job cannot continue.
        """
        cached = tuple(self._number_of[key] for key in self._known if key in self._number_of)
        if len(cached) < self._left:
            self._send(cached)
        if self._error is not None:
            raise self._error
        return self._graph.results(self.values)

    def cancel(self) -> None:
        """Send no more, and stop the running tasks; returns at once. Idempotent, thread-safe."""
        self._is_cancelled = True
        if self._run is not None:
            self._run.cancel()

    def _send(self, cached: Sequence[int]) -> None:
        launcher = self._launcher
        holding = [node.run for node in self._nodes[:_LOOKED_INTO]]
        fitted = launcher.fitted(run_node, holding)
        self._program = fitted.program
        request = RunRequest(
            "map", self._label, self._source, len(self._nodes), *fitted, options=launcher.run_options("star"),
            cached=tuple(cached), keeps_remote=True,
        )  # fmt: skip
        place = launcher.place()
        run = launcher.run(place, request, is_blocking=True)
        self._check = place.check
        for number in cached:
            self._settle(number, self._known[self._nodes[number].key])
        self._run = run
        if self._is_cancelled:
            run.cancel()
        run.begin()
        try:
            run.carry(self._take)
        except JobCancelledError:
            if self._error is None:
                raise

    def _encode(self, numbers: Sequence[int]) -> Frames:
        nodes = [self._nodes[number] for number in numbers]
        if self._watch is not None:
            self._watch.sent([node.key for node in nodes])
        places = {number: place for place, number in enumerate(numbers)}
        items = []
        for number, node in zip(numbers, nodes, strict=True):
            uses = sum(dependent in places for dependent in self._dependents[number])
            goes = "nowhere" if uses == len(self._dependents[number]) else "bucket"
            values = {key: self._value(key, places) for key in node.needs}
            items.append((node.run, values, "answer" if node.key in self._kept else goes, uses))
        return self._launcher.encode_items(items, numbers[0], program=self._program)

    def _value(self, key: Key, places: Mapping[int, int]) -> Any:
        number = self._number_of.get(key)
        if number is not None:
            return Earlier(places[number]) if number in places else self.values[key]
        value = self._graph.constants[key]
        if type(value) in _SMALL:
            return value
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = _constant(value)
        return found

    def _take(self, arrival: Arrival) -> None:
        self._launcher.printed.show(arrival, prefixed=True)
        for number, outcome in read_outcomes(arrival, process.home()).items():
            if isinstance(outcome, Failure):
                self._fail(number, self._launcher.checked(exception_of(outcome, self._check)))
            elif not self._has_run[number]:
                self._settle(number, outcome)

    def _fail(self, number: int, error: BaseException) -> None:
        named(error, self._nodes[number].key)
        if self._error is None:
            self._error = error
            self._source.drop()

    def _settle(self, number: int, value: Any) -> None:
        node = self._nodes[number]
        self._has_run[number] = True
        self._left -= 1
        self.values[node.key] = value
        if self._watch is not None:
            self._watch.done(node.key, value)
        for key in node.needs:
            needed = self._number_of.get(key)
            if needed is not None:
                self._needed_by[needed] -= 1
                if not self._needed_by[needed] and key not in self._kept:
                    self.values.pop(key, None)
        if self._error is None:
            self._source.settle(number)
            if not self._left:
                self._source.close()
