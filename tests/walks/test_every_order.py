"""Walks explored in every order in which their requests can meet, with deliveries doubled, killed, and answers lost.

Each delivery is the real code (`begin`, then `Walker`, then its record), run again from its beginning with the answers
that it got so far, so that a state of the search is what is stored and what each delivery has heard.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambdamagic.walks import names
from lambdamagic.walks.fan_in import begin
from lambdamagic.walks.sharing import Allowance, Sharing
from lambdamagic.walks.structure import Structure, structure_of
from lambdamagic.walks.walk_event import WalkEvent
from lambdamagic.walks.walker import NodeFailure, Walker


@dataclass(frozen=True)
class _Request:
    """One request of a delivery: to store something first, to read, to list, or to invoke walks."""

    kind: str
    name: str = ""
    body: bytes = b""
    events: tuple[WalkEvent, ...] = ()


@dataclass(frozen=True, eq=False)
class _Delivery:
    """An invocation that was begun; there is one object of each, see `_delivery`.

    Attributes:
        event: What it was begun with.
        attempt: Which attempt.
        sign: What it signs its claim with; no other delivery has it.
        heard: The answers that it got so far.
        is_dead: Whether its environment died.
    """

    event: WalkEvent
    attempt: int
    sign: int
    heard: tuple[Any, ...] = ()
    is_dead: bool = False


@functools.cache
def _delivery(
    event: WalkEvent, attempt: int, sign: int, heard: tuple[Any, ...] = (), is_dead: bool = False
) -> _Delivery:
    return _Delivery(event, attempt, sign, heard, is_dead)


@dataclass(frozen=True)
class _World:
    """What is stored, who is under way, and what may still go wrong.

    Attributes:
        stored: The graph's objects.
        deliveries: All invocations that were begun.
        losses: How many more answers may be lost; the request is then carried out and sent again.
        kills: How many more environments may die.
        doubles: How many more events may be delivered twice.
        doubts: How many more walks may be taken for dead though they live.
    """

    stored: frozenset[tuple[str, bytes]]
    deliveries: tuple[_Delivery, ...]
    losses: int
    kills: int
    doubles: int
    doubts: int


class _Paused(BaseException):
    """A delivery waits for the answer to its next request."""


class _Replayed:
    """Answers from what a delivery has heard, and pauses it at its first new request; bucket, runner and spawner."""

    def __init__(self, heard: tuple[Any, ...], structure: Structure, *, stores_first: bool) -> None:
        self._heard, self._structure, self._stores_first = list(heard), structure, stores_first
        self.request: _Request | None = None
        self.ran: list[int] = []

    def put_first(self, name: str, body: Sequence[bytes]) -> bool:
        return bool(self._ask(_Request("put", name, b"".join(body))))

    def put_all(self, objects: Sequence[tuple[str, Sequence[Any]]]) -> list[bool]:
        return [self.put_first(*each) for each in objects]

    def get(self, name: str) -> bytearray:
        found = self._ask(_Request("get", name))
        assert found is not None, f"{name} is not there"
        return bytearray(found)

    def get_all(self, wanted: Sequence[str]) -> list[bytearray]:
        return [self.get(name) for name in wanted]

    def find(self, prefix: str) -> list[str]:
        return list(self._ask(_Request("list", prefix)))

    def find_all(self, prefixes: Sequence[str]) -> list[list[str]]:
        return [self.find(prefix) for prefix in prefixes]

    def spawn(self, events: Sequence[WalkEvent]) -> None:
        for event in events:  # it is stored and sent at once, in either order
            for is_first in (True, False):
                if is_first is self._stores_first:
                    self.put_first(names.walk_event(event.walk), [event.walk.encode()])
                else:
                    self._ask(_Request("invoke", events=(event,)))

    def run(self, node: int, values: Mapping[int, Any]) -> Any | NodeFailure:
        self.ran.append(node)
        return _value(self._structure, node, values)

    def pack(self, name: str, values: Mapping[int, Any]) -> list[bytes]:
        return [repr(dict(sorted(values.items()))).encode()]

    def pack_failure(self, name: str, failed: NodeFailure) -> list[bytes]:
        raise AssertionError

    def unpack(self, name: str, data: bytes | bytearray) -> Mapping[int, Any]:
        found: dict[int, Any] = eval(data)
        return found

    def size_bytes(self, value: Any) -> int:
        return 1

    def _ask(self, request: _Request) -> Any:
        if self._heard:
            return self._heard.pop(0)
        self.request = request
        raise _Paused


def _value(structure: Structure, node: int, values: Mapping[int, Any]) -> Any:
    assert set(values) == set(structure.needs[node])
    return (node, *(values[need] for need in structure.needs[node]))


def _expected(structure: Structure) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for node in range(len(structure.needs)):
        found[node] = _value(structure, node, {need: found[need] for need in structure.needs[node]})
    return found


class _Model:
    """The search.

    Args:
        structure: The graph.
        sharing: When walks hand nodes over.
        stores_first: Whether an event is stored before it is sent, or after.
    """

    def __init__(self, structure: Structure, sharing: Sharing, *, stores_first: bool) -> None:
        self._structure, self._sharing, self._stores_first = structure, sharing, stores_first
        self._looks: dict[_Delivery, _Replayed] = {}

    def look(self, delivery: _Delivery) -> _Replayed:
        """Return a delivery at its next request, or at its end, where it has none."""
        replayed = self._looks.get(delivery)
        if replayed is None:
            replayed = self._looks[delivery] = _Replayed(
                delivery.heard, self._structure, stores_first=self._stores_first
            )
            try:
                self._carry_out(delivery, replayed)
            except _Paused:
                pass
        return replayed

    def _carry_out(self, delivery: _Delivery, replayed: _Replayed) -> None:
        event, attempt = delivery.event, delivery.attempt
        if begin(replayed, event.walk, attempt, b"sign of %d" % delivery.sign):
            walker = Walker(
                self._structure, replayed, replayed, replayed, event, attempt=attempt, sharing=self._sharing
            )
            assert walker.walk()
            replayed.put_first(names.walk_record(event.walk, attempt), [b"record"])

    def following(self, world: _World) -> Iterator[_World]:
        """Yield what can happen next."""
        for number, delivery in enumerate(world.deliveries):
            if delivery.is_dead:
                yield from self._again(world, delivery)
                continue
            request = self.look(delivery).request
            if request is None:
                continue

            def answered(after: _World, answer: Any, number: int = number, delivery: _Delivery = delivery) -> _World:
                heard = _delivery(delivery.event, delivery.attempt, delivery.sign, (*delivery.heard, answer))
                return replace(after, deliveries=(*after.deliveries[:number], heard, *after.deliveries[number + 1 :]))

            after, answer = _carried_out(world, request)
            yield answered(after, answer)
            if world.losses and request.kind in ("put", "invoke"):
                # It was carried out and its answer was lost: it is sent again. A read is read again.
                yield replace(after, losses=world.losses - 1)
            if world.kills:
                dead = _delivery(delivery.event, delivery.attempt, delivery.sign, delivery.heard, True)
                deliveries = (*world.deliveries[:number], dead, *world.deliveries[number + 1 :])
                yield replace(world, deliveries=deliveries, kills=world.kills - 1)
            if world.doubles and not delivery.heard:
                yield replace(_with(world, delivery.event, delivery.attempt), doubles=world.doubles - 1)
            if world.doubts and delivery.heard[:1] == (True,) and delivery.attempt == 1:
                yield replace(_with(world, delivery.event, 2), doubts=world.doubts - 1)

    def _again(self, world: _World, dead: _Delivery) -> Iterator[_World]:
        """Yield what the client does about a death: the same attempt where it gave no sign, else the next.

        One that was taken for dead before it was, and claimed a join in between, is noticed when nothing runs any more.
        """
        stored = dict(world.stored)
        walk, attempt = dead.event.walk, dead.attempt
        if names.walk_record(walk, attempt) in stored:
            return
        running = [each for each in world.deliveries if not each.is_dead and self.look(each).request]
        others = [each for each in world.deliveries if each.event.walk == walk and each is not dead]
        latest = max((each.attempt for each in others), default=0)
        if latest > attempt and (running or self._is_whole(stored)):
            return
        if latest <= attempt and any(each.attempt == attempt for each in others if each in running):
            return
        is_claimed = names.walk_sign(walk, attempt) in stored
        yield _with(world, dead.event, max(attempt, latest) + 1 if is_claimed else attempt)

    def _is_whole(self, stored: dict[str, bytes]) -> bool:
        return all(names.result(node) in stored for node in self._structure.kept)


def _with(world: _World, event: WalkEvent, attempt: int) -> _World:
    """Return a world in which an event was delivered."""
    delivery = _delivery(event, attempt, len(world.deliveries))
    return replace(world, deliveries=(*world.deliveries, delivery))


def _carried_out(world: _World, request: _Request) -> tuple[_World, Any]:
    stored = dict(world.stored)
    if request.kind == "get":
        return world, stored.get(request.name)
    if request.kind == "list":
        return world, tuple(sorted(name for name in stored if name.startswith(request.name)))
    if request.kind == "invoke":
        return _with(world, request.events[0], 1), True
    if request.name in stored:
        return world, False
    return replace(world, stored=world.stored | {(request.name, request.body)}), True


#: Every fan-out is handed over, and every value is written.
_EAGER = Sharing(short_s=0.0)
#: The last to arrive does not write.
_LOOKING = Sharing(short_s=0.0, large_bytes=0)
_JOIN = structure_of([[], [], [0, 1]], [2])
_DIAMOND = structure_of([[], [0], [0], [1, 2]], [3])
_THREE = structure_of([[], [], [], [0, 1, 2]], [3])
_CROSSED = structure_of([[], [], [0, 1], [0, 1]], [2, 3])
_TREE = structure_of([[], [], [0, 1], [], [2, 3]], [4])


@pytest.mark.parametrize(
    ("structure", "sharing", "faults"),
    [
        (_JOIN, _EAGER, {"losses": 1, "kills": 1}),
        (_JOIN, _LOOKING, {"losses": 1, "kills": 1}),
        (_JOIN, _LOOKING, {"losses": 1, "doubles": 1}),
        (_JOIN, _EAGER, {"kills": 1, "doubts": 1}),
        (_DIAMOND, _EAGER, {"losses": 1, "doubles": 1}),
        (_DIAMOND, _LOOKING, {"kills": 1}),
        (_THREE, _LOOKING, {}),
        (_CROSSED, _EAGER, {"losses": 1}),
        (_CROSSED, _LOOKING, {}),
        (_TREE, _EAGER, {"kills": 1}),
    ],
)
def test_every_node_runs_once_and_every_result_is_stored(
    structure: Structure, sharing: Sharing, faults: dict[str, int]
) -> None:
    """In each order: all that was asked for is stored and right; without a death or a doubt each node ran once."""
    for stores_first in (True, False) if structure is _DIAMOND else (True,):
        model = _Model(structure, sharing, stores_first=stores_first)
        expected = _expected(structure)
        world = _World(frozenset(), (), **{"losses": 0, "kills": 0, "doubles": 0, "doubts": 0, **faults})
        for number, group in enumerate(structure.first_groups(10)):
            world = _with(world, WalkEvent(f"r{number}", (tuple(group),), allowance=Allowance(10)), 1)
        seen, waiting, ended = {world}, [world], 0
        while waiting:
            world = waiting.pop()
            following = list(model.following(world))
            for each in following:
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
            ran = [node for delivery in world.deliveries for node in model.look(delivery).ran]
            if not any(each.is_dead for each in world.deliveries) and world.doubts == faults.get("doubts", 0):
                assert len(ran) == len(set(ran)), world
            if not following or all(_is_over(model, each) for each in world.deliveries):
                ended += 1
                stored = dict(world.stored)
                assert set(ran) == set(range(len(structure.needs))), world
                for node in structure.kept:
                    assert eval(stored[names.result(node)]) == {node: expected[node]}
        assert ended
        assert len(seen) > 100


def _is_over(model: _Model, delivery: _Delivery) -> bool:
    return not delivery.is_dead and model.look(delivery).request is None
