"""A walk: runs nodes, continues along one out-edge, hands the others over, and meets other walks where edges meet.

Knows neither S3 nor Lambda nor pickles: `Bucket`, `Runner` and `Spawner` do. A walk is single-threaded, and its
requests depend on nothing but its event and the answers that it gets, apart from how long nodes took.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from lambdamagic.walks import names
from lambdamagic.walks.fan_in import Arrived, Body, Bucket, Coming, arrive
from lambdamagic.walks.sharing import Allowance, Sharing
from lambdamagic.walks.structure import Structure, evenly
from lambdamagic.walks.walk_event import WalkEvent


class NodeFailure:
    """Stands for the value of a node whose code raised."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome


class Runner(Protocol):
    """Runs nodes, and turns values to bytes and back."""

    def run(self, node: int, values: Mapping[int, Any]) -> Any | NodeFailure:
        """Return a node's value."""
        ...

    def pack(self, name: str, values: Mapping[int, Any]) -> Body:
        """Return what is stored for values under a name."""
        ...

    def pack_failure(self, name: str, failed: NodeFailure) -> Body:
        """Return what is stored for a failure."""
        ...

    def unpack(self, name: str, data: bytes | bytearray) -> Mapping[int, Any]:
        """Return what `pack` was given.

        Raises:
            IntegrityError: It was not stored by a walk of this graph under this name.
        """
        ...

    def size_bytes(self, value: Any) -> int:
        """Return about how large a value is, without writing it."""
        ...


class Spawner(Protocol):
    """Invokes walks."""

    def spawn(self, events: Sequence[WalkEvent]) -> None:
        """Store the events, so that they can be sent again by others, and send them."""
        ...


@dataclass(frozen=True)
class Ran:
    """A node that ran.

    Attributes:
        node: Its number.
        seconds: How long its code took.
        failure: What it raised; None when it returned.
    """

    node: int
    seconds: float
    failure: NodeFailure | None = None


class Walker:
    """Runs one attempt of a walk.

    Args:
        structure: The graph.
        bucket: The graph's objects.
        runner: Runs nodes.
        spawner: Invokes walks.
        event: What the walk begins with.
        attempt: Which attempt it is, from 1.
        sharing: When nodes are handed over.
        clock: Seconds that pass.
        is_late: Whether the invocation should begin no further node.

    Attributes:
        ran: The nodes that ran, in order.
        spawned: The names of the walks that were invoked.
        rest: What is left to do after a failure, so that a retry continues there; None without a failure.
    """

    def __init__(
        self,
        structure: Structure,
        bucket: Bucket,
        runner: Runner,
        spawner: Spawner,
        event: WalkEvent,
        *,
        attempt: int = 1,
        sharing: Sharing | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._structure, self._bucket, self._runner, self._spawner = structure, bucket, runner, spawner
        self._event, self._attempt = event, attempt
        self._sharing, self._clock, self._is_late = sharing or Sharing(), clock, is_late
        self._allowance = event.allowance
        self._values: dict[int, Any] = {}
        self._users: dict[int, set[int]] = {}
        self._todo: list[int] = []
        self._done: set[int] = set()
        self._gone: set[int] = set()
        self._accepted: set[int] = set()  # a second attempt may come to a join again, of which it found all edges
        self._mine = _Mine(structure, self._gone)
        self._waiting: dict[int, list[int]] = {}
        self._edges: dict[int, str] = {}
        self._stored = set(event.stored)
        self._inline: Mapping[int, Any] | None = None
        self._running: int | None = None
        self.rest: WalkEvent | None = None
        self.ran: list[Ran] = []
        self.spawned: list[str] = []
        for name in event.edges:
            self._know(name)

    def walk(self) -> bool:
        """Run until nothing is left to this walk; False if a node's code raised, which ends it."""
        own, *others = self._event.groups
        if others:
            self._hand_over(others)
        self._take(own)
        while self._todo:
            if self._is_late() and self.ran:
                self._stop()
                return True
            node = self._todo.pop()
            if not self._run(node):
                self._todo.append(node)
                self.rest = self._all_left()
                return False
            self._share(self._settle(node))
            if not self._todo:
                # What a second attempt took for its own may have been claimed by another walk.
                self._look_again()
                self._take(self._settle())
        return True

    def _run(self, node: int) -> bool:
        values = self._gather(node)
        began = self._clock()
        self._running = node
        value = self._runner.run(node, values)
        self._running = None
        failure = value if isinstance(value, NodeFailure) else None
        self.ran.append(Ran(node, self._clock() - began, failure))
        if failure is not None:
            name = names.result(node)
            self._bucket.put_first(name, self._runner.pack_failure(name, failure))
            return False
        self._done.add(node)
        for need in values:
            self._used(need, node)
        if node in self._structure.kept:
            name = names.result(node)
            self._bucket.put_first(name, self._runner.pack(name, {node: value}))
        dependents = self._structure.dependents[node]
        if dependents:
            self._values[node], self._users[node] = value, set(dependents)
        for join in dependents:
            self._waiting.setdefault(join, []).append(node)
        return True

    def _gather(self, node: int) -> dict[int, Any]:
        """Return what a node needs: from memory, from the event, or from the bucket."""
        needs, given = self._structure.needs[node], self._given()
        missing = [need for need in needs if need not in self._values and need not in given]
        if any(need not in self._edges and need not in self._stored for need in missing):
            for name in self._bucket.find(names.edges(node)):
                self._know(name)
        self._read(node, sorted({self._edges[need] for need in missing if need in self._edges}))
        self._read(node, [names.value(need) for need in missing if need not in self._values])
        return {need: self._values[need] if need in self._values else given[need] for need in needs}

    def _read(self, node: int, wanted: Sequence[str]) -> None:
        """Read objects, and keep what the node needs of them until it has run."""
        for name, data in zip(wanted, self._bucket.get_all(wanted) if wanted else (), strict=True):
            found = self._runner.unpack(name, data)
            for need in self._structure.needs[node]:
                if need in found and need not in self._values:
                    self._values[need], self._users[need] = found[need], {node}

    def _given(self) -> Mapping[int, Any]:
        """Return the values that came with the event."""
        if self._inline is None:
            data, name = self._event.inline, names.walk_event(self._event.walk)
            self._inline = self._runner.unpack(name, data) if data else {}
        return self._inline

    def _know(self, name: str) -> None:
        for node in names.read_edges_name(name, range(len(self._structure.needs))):
            self._edges.setdefault(node, name)

    def _used(self, need: int, by: int) -> None:
        """Forget a value that no other node of this walk needs: it was used, written, or given away."""
        users = self._users.get(need)
        if users is not None:
            users.discard(by)
            if not users:
                del self._users[need], self._values[need]

    def _take(self, nodes: Collection[int]) -> None:
        """Put nodes on top of the work to do, the first uppermost."""
        self._todo.extend(reversed(list(nodes)))
        self._mine.add(nodes)

    def _settle(self, node: int | None = None) -> list[int]:
        """Decide on the nodes that wait for others, and return those that are ready.

        Args:
            node: Only what needs this node; None for all that waits.
        """
        ready, coming = [], []
        for join in list(self._waiting) if node is None else self._structure.dependents[node]:
            own, needs = self._waiting[join], self._structure.needs[join]
            if any(need in self._mine and need not in self._done for need in needs):
                continue  # more of its edges will be this walk's
            del self._waiting[join]
            if join in self._accepted:
                self._leave(join, own)
            elif len(own) == len(needs) and (self._attempt == 1 or len(needs) == 1):
                ready.append(join)
            else:
                coming.append((join, own))
        for (join, own), arrived in zip(coming, self._arrive(coming), strict=True):
            for name in arrived.found:
                self._know(name)
            if arrived.goes_on:
                ready.append(join)
            else:
                self._gone.add(join)
                self._leave(join, own)
        self._accepted.update(ready)
        self._gone.difference_update(ready)
        return ready

    def _leave(self, join: int, own: Collection[int]) -> None:
        for need in own:
            self._used(need, join)

    def _arrive(self, coming: Sequence[tuple[int, Collection[int]]]) -> list[Arrived]:
        arrivals = []
        for join, own in coming:
            sizes = {need: self._runner.size_bytes(self._values[need]) for need in own}
            pack = partial(self._pack_edges, sizes)
            looks_first = self._sharing.looks_first(sizes)
            arrivals.append(Coming(join, self._structure.needs[join], own, pack, looks_first))
        return arrive(self._bucket, arrivals, (self._event.walk, *self._event.kin)) if arrivals else []

    def _pack_edges(self, sizes: Mapping[int, int], name: str, nodes: Collection[int]) -> Body:
        """Return what is stored for edges; a large value that goes to several joins is stored once, by itself."""
        packed = {}
        for node in nodes:
            if len(self._structure.dependents[node]) > 1 and self._sharing.is_large(sizes[node]):
                self._store(node, self._values[node])
            else:
                packed[node] = self._values[node]
        return self._runner.pack(name, packed)

    def _store(self, node: int, value: Any) -> None:
        if node not in self._stored:
            name = names.value(node)
            self._bucket.put_first(name, self._runner.pack(name, {node: value}))
            self._stored.add(node)

    def _share(self, ready: list[int]) -> None:
        """Take what is ready, and hand over what is worth it."""
        ready.sort(key=lambda node: -self._structure.heights[node])
        count = self._sharing.walks_for(ready, self.ran, self._allowance)
        if not count:
            self._take(ready)
            return
        self._take(ready[:1])
        self._hand_over(evenly(ready[1:], count))

    def _hand_over(self, groups: Sequence[Sequence[int]]) -> None:
        """Invoke walks for groups of nodes; where nothing may be invoked any more, they stay here."""
        bundles, self._allowance = self._sharing.bundles(groups, self._allowance)
        if not bundles:
            for group in groups:
                self._take(group)
            return
        events = [self._event_for(bundle, allowance) for bundle, allowance in bundles]
        self._spawner.spawn(events)
        self.spawned.extend(event.walk for event in events)
        for group in groups:
            for node in group:
                self._gone.add(node)
                for need in self._structure.needs[node]:
                    self._used(need, node)
        self._look_again()
        self._take(self._settle())

    def _event_for(self, groups: Sequence[Sequence[int]], allowance: Allowance) -> WalkEvent:
        needs = sorted({need for group in groups for node in group for need in self._structure.needs[node]})
        inline: dict[int, Any] = {}
        left, given = self._sharing.inline_bytes, self._given()
        for need in needs:
            if need not in self._values and need not in given:
                continue  # another walk has stored it
            value = self._values[need] if need in self._values else given[need]
            size = self._runner.size_bytes(value)
            if size <= left and not self._sharing.is_large(size):
                inline[need] = value
                left -= size
            else:
                self._store(need, value)
        kin = self._event.kin if self._attempt == 1 else (self._event.walk, *self._event.kin)
        walk = names.walk_name(groups, kin)
        packed = b"".join(self._runner.pack(names.walk_event(walk), inline)) if inline else b""
        elsewhere = [need for need in needs if need not in inline]
        return WalkEvent(
            walk,
            tuple(map(tuple, groups)),
            tuple(sorted({self._edges[need] for need in elsewhere if need in self._edges})),
            packed,
            tuple(need for need in elsewhere if need in self._stored),
            allowance,
            kin,
        )

    def _look_again(self) -> None:
        """Recompute the nodes that this walk will run, after handing some over."""
        self._mine = _Mine(self._structure, self._gone)
        self._mine.add(self._done)
        self._mine.add(self._todo)

    def _stop(self) -> None:
        """Hand all remaining work to a new walk, shortly before this invocation's deadline."""
        event = self._all_left()
        self._spawner.spawn([event])
        self.spawned.append(event.walk)

    def interrupted(self) -> None:
        """Find out what is left after a node's code was interrupted; what was interrupted elsewhere begins again."""
        if self._running is not None:
            self._todo.append(self._running)
            self.rest = self._all_left()

    def _all_left(self) -> WalkEvent:
        """Return what a walk begins with that does all that this one has not done."""
        left, self._todo = self._todo[::-1], []
        self._gone.update(left)
        self._look_again()
        left += self._settle()
        return self._event_for([left], self._allowance.whole())


class _Mine:
    """The nodes that a walk runs for certain: those that it has, and all whose needs are among them.

    Args:
        structure: The graph.
        gone: Nodes that others run.
    """

    def __init__(self, structure: Structure, gone: Collection[int]) -> None:
        self._structure, self._gone = structure, gone
        self._nodes: set[int] = set()
        self._missing: dict[int, int] = {}

    def __contains__(self, node: int) -> bool:
        return node in self._nodes

    def add(self, nodes: Collection[int]) -> None:
        """Take nodes, and what follows from them."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in self._nodes or node in self._gone:
                continue
            self._nodes.add(node)
            for join in self._structure.dependents[node]:
                left = self._missing.get(join, len(self._structure.needs[join])) - 1
                self._missing[join] = left
                if not left:
                    waiting.append(join)
