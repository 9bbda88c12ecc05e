"""Walks over random graphs, in random order, with environments that die: all values are right, and bounds hold."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lambdamagic.walks import names
from lambdamagic.walks.fan_in import begin
from lambdamagic.walks.sharing import Allowance, Sharing
from lambdamagic.walks.structure import Structure, structure_of
from lambdamagic.walks.walk_event import WalkEvent
from lambdamagic.walks.walker import NodeFailure, Walker


class _Died(Exception):
    pass


class _Bucket:
    """A bucket in memory; a request may be the last of its environment."""

    def __init__(self, source: random.Random, *, dies: float = 0.0) -> None:
        self.stored: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self._source, self._dies, self._deaths_left = source, dies, 20

    def put_first(self, name: str, body: Sequence[Any]) -> bool:
        self._request("put")
        if name in self.stored:
            return False
        self.stored[name] = b"".join(body)
        return True

    def put_all(self, objects: Sequence[tuple[str, Sequence[Any]]]) -> list[bool]:
        return [self.put_first(*each) for each in objects]

    def get(self, name: str) -> bytearray:
        self._request("get")
        return bytearray(self.stored[name])

    def get_all(self, wanted: Sequence[str]) -> list[bytearray]:
        return [self.get(name) for name in wanted]

    def find(self, prefix: str) -> list[str]:
        self._request("list")
        return sorted(name for name in self.stored if name.startswith(prefix))

    def find_all(self, prefixes: Sequence[str]) -> list[list[str]]:
        return [self.find(prefix) for prefix in prefixes]

    def _request(self, kind: str) -> None:
        if self._deaths_left and self._source.random() < self._dies:
            self._deaths_left -= 1
            raise _Died
        self.requests[kind] += 1


class _Lambda:
    """Runs walks one after the other in a random order."""

    def __init__(self, structure: Structure, bucket: _Bucket, source: random.Random, sharing: Sharing) -> None:
        self._structure, self._bucket, self._source, self._sharing = structure, bucket, source, sharing
        self._queue: list[tuple[WalkEvent, int]] = []
        self.ran: Counter[int] = Counter()
        self.invocations = self.deaths = 0

    def run(self, node: int, values: Mapping[int, Any]) -> Any | NodeFailure:
        self.ran[node] += 1
        assert list(values) == list(self._structure.needs[node])
        return node + sum(values.values()) % 1_000_003

    def pack(self, name: str, values: Mapping[int, Any]) -> list[bytes]:
        return [repr(dict(values)).encode()]

    def pack_failure(self, name: str, failed: NodeFailure) -> list[bytes]:
        raise AssertionError

    def unpack(self, name: str, data: bytes | bytearray) -> Mapping[int, Any]:
        found: dict[int, Any] = eval(data)
        return found

    def size_bytes(self, value: Any) -> int:
        return 1 << (value % 20)

    def spawn(self, events: Sequence[WalkEvent]) -> None:
        for event in events:
            self._bucket.put_first(names.walk_event(event.walk), [b"event"])
            self.invoke(event, 1)

    def invoke(self, event: WalkEvent, attempt: int) -> None:
        self.invocations += 1
        self._queue.append((event, attempt))
        if self._source.random() < 0.05:
            self._queue.append((event, attempt))

    def work(self, *, late: float) -> None:
        """Carry out all that was invoked, and what dies again."""
        while self._queue:
            event, attempt = self._queue.pop(self._source.randrange(len(self._queue)))
            sign = repr(self._source.random()).encode()
            try:
                if begin(self._bucket, event.walk, attempt, sign):
                    walker = Walker(
                        self._structure,
                        self._bucket,
                        self,
                        self,
                        event,
                        attempt=attempt,
                        sharing=self._sharing,
                        is_late=lambda: self._source.random() < late,
                    )
                    assert walker.walk()
            except _Died:
                self.deaths += 1
                is_claimed = names.walk_sign(event.walk, attempt) in self._bucket.stored
                self._queue.append((event, attempt + 1 if is_claimed else attempt))


def _graph(source: random.Random, count: int) -> Structure:
    needs: list[list[int]] = []
    for node in range(count):
        reach = source.choice([3, 10, count])
        candidates = range(max(0, node - reach), node)
        many = min(len(candidates), source.choice([0, 1, 1, 2, 2, 3, 8]))
        needs.append(sorted(source.sample(candidates, many)))
    used = {need for each in needs for need in each}
    kept = {node for node in range(count) if node not in used or source.random() < 0.05}
    return structure_of(needs, kept)


def _expected(structure: Structure) -> dict[int, int]:
    found: dict[int, int] = {}
    for node, needs in enumerate(structure.needs):
        found[node] = node + sum(found[need] for need in needs) % 1_000_003
    return found


@pytest.mark.parametrize("seed", range(60))
def test_all_values_are_right(seed: int) -> None:
    """5 to 500 nodes; without deaths each runs once; no more is invoked than the budget allows."""
    source = random.Random(seed)
    structure = _graph(source, source.choice([5, 20, 60, 200, 500]))
    dies = source.choice([0.0, 0.0, 0.005, 0.02])
    late = source.choice([0.0, 0.0, 0.05])
    bucket = _Bucket(source, dies=dies)
    sharing = Sharing(short_s=source.choice([0.0, 1.0]), at_once=source.choice([2, 16]))
    runs = _Lambda(structure, bucket, source, sharing)
    budget = source.choice([0, 10, 1000])
    groups = structure.first_groups(source.choice([1, 4, 1000]))
    for number, group in enumerate(groups):
        runs.invoke(WalkEvent(f"r{number}", (tuple(group),), allowance=Allowance(budget)), 1)
    runs.work(late=late)
    expected = _expected(structure)
    for node in structure.kept:
        assert eval(bucket.stored[names.result(node)]) == {node: expected[node]}
    assert set(runs.ran) == set(range(len(structure.needs)))
    if not runs.deaths:
        assert set(runs.ran.values()) == {1}
        if not late:
            assert runs.invocations <= len(groups) * (budget + 1)


def test_a_subtree_costs_no_request() -> None:
    """Whoever has all leaves below a join needs no other walk."""
    structure = structure_of([[], [], [], [], [0, 1], [2, 3], [4, 5]], [6])
    source = random.Random(1)
    bucket = _Bucket(source)
    runs = _Lambda(structure, bucket, source, Sharing(short_s=1.0))
    runs.invoke(WalkEvent("r0", ((0, 1, 2, 3),), allowance=Allowance(10)), 1)
    runs.work(late=0.0)
    assert sorted(bucket.stored) == ["results/6", "walks/r0/1/sign"]


def test_the_last_of_many_edges_of_one_walk_is_one_object() -> None:
    """Edges of one walk to one join go together, and their name says which they are."""
    assert names.edges_name(9, [1, 2, 3, 7]) == [("edges/9/1-3,7", [1, 2, 3, 7])]
    many = list(range(0, 2000, 2))
    found = names.edges_name(2001, many)
    assert sorted(node for name, _ in found for node in names.read_edges_name(name, range(2001))) == many
    assert max(len(name) for name, _ in found) < 700


@pytest.mark.parametrize(
    "planted",
    ["edges/9/x", "edges/9/1-", "edges/9/30", "edges/9/7-5", "edges/9/", "edges/9/1-2-3", "edges/9/1-\u00b2"],
)
def test_a_planted_name_is_no_edge(planted: str) -> None:
    """Whoever can write to the bucket makes no list without end, and no error."""
    assert names.read_edges_name(planted, range(20)) == set()


def test_a_planted_name_costs_no_more_than_the_graph_is_large() -> None:
    """A name of 1,024 bytes can state a billion nodes: only those that the graph has are counted."""
    planted = "edges/9/" + ",".join(["0-999999999"] * 84)
    tracemalloc.start()
    try:
        found = names.read_edges_name(planted, range(20))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert set(found) == set(range(20))


@pytest.mark.parametrize("walks", [1, 2, 7])
@pytest.mark.parametrize("invocations", [7, 8, 1000])
def test_an_allowance_is_divided_and_never_grows(invocations: int, walks: int) -> None:
    """What is paid and what all have afterwards is what there was; a chain ends below AWS's bound of 16."""
    left, others = Allowance(invocations).divided(walks)
    assert left.invocations + sum(other.invocations for other in others) + walks == invocations
    assert left.invocations >= 0
    assert {other.depth for other in others} == {1}
    assert not Allowance(1, 14).is_deep and Allowance(1, 15).is_deep
