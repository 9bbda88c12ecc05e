"""Which nodes go into one invocation, as a matter of what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

from lambdamagic.codec.frames import Frames
from lambdamagic.graphs.graph import Node
from lambdamagic.graphs.paces import Paces, name_of
from lambdamagic.graphs.ready import ReadyNodes
from lambdamagic.runs.sources import Sizing

_TREE: dict[str, list[str]] = {
    "leaf-0": [], "leaf-1": [], "sum-2": ["leaf-0", "leaf-1"],
    "leaf-3": [], "leaf-4": [], "sum-5": ["leaf-3", "leaf-4"],
    "sum-6": ["sum-2", "sum-5"],
}  # fmt: skip


def ready_nodes(
    needs: dict[str, list[str]], seconds: dict[str, float], *, held_most_bytes: float = 1e9, stayed_bytes: int = 0
) -> ReadyNodes:
    """Return what is ready of a graph, of whose kinds it is known how long they take."""
    paces = Paces()
    for name, each_s in seconds.items():
        paces.learn(name, each_s)
        if stayed_bytes:
            paces.learn_stayed(name, stayed_bytes)
    paces.learn_overhead(0.01)
    numbers = {key: number for number, key in enumerate(needs)}
    nodes = [Node((key.split("-")[0], number), [], lambda values: None) for key, number in numbers.items()]
    return ReadyNodes(
        nodes,
        [[numbers[need] for need in each] for each in needs.values()],
        lambda some: Frames(()),
        Sizing(60.0, 4_000_000),
        paces,
        held_most_bytes=held_most_bytes,
    )


def taken(ready: ReadyNodes, slots: int = 2) -> Sequence[int]:
    unit = ready.take(slots)
    return () if unit is None else unit.tasks


def test_successors_of_short_nodes_share_their_invocation() -> None:
    """A graph that takes no longer than an invocation is one."""
    ready = ready_nodes(_TREE, {"leaf": 1e-4, "sum": 1e-4})
    assert taken(ready) == (0, 1, 2, 3, 4, 5, 6)
    assert taken(ready) == ()


def test_nodes_of_which_nothing_is_known_go_alone() -> None:
    """They are followed by no other node."""
    ready = ready_nodes(_TREE, {"leaf": 1e-4})
    assert taken(ready, 1) == (0, 1, 3, 4)
    for number in (0, 1, 3, 4):
        ready.settle(number)
    assert [taken(ready), taken(ready), taken(ready)] == [(2,), (5,), ()]


def test_long_nodes_are_shared_out() -> None:
    """One invocation takes half of the leaves and their sum, and the rest goes where there is room."""
    ready = ready_nodes(_TREE, {"leaf": 0.1, "sum": 0.1})
    assert [taken(ready), taken(ready), taken(ready), taken(ready)] == [(0, 1, 2), (3,), (4,), ()]
    for number in (3, 4):
        ready.settle(number)
    assert taken(ready) == (5,)


def test_a_node_shares_an_invocation_if_moving_its_values_takes_longer() -> None:
    """Two tiles that two nodes need are computed where those are, though that is no fair share."""
    crossed = {"tile-0": [], "tile-1": [], "sum-2": ["tile-0", "tile-1"], "max-3": ["tile-0", "tile-1"]}
    seconds = {"tile": 0.02, "sum": 0.02, "max": 0.02}
    assert taken(ready_nodes(crossed, seconds)) == (0,)
    assert taken(ready_nodes(crossed, seconds, stayed_bytes=8_000_000)) == (0, 1, 2, 3)


def test_values_that_are_held_fit_into_memory() -> None:
    """No more of them are in one invocation than its memory takes."""
    seconds = {"leaf": 1e-4, "sum": 1e-4}
    ready = ready_nodes(_TREE, seconds, stayed_bytes=10_000, held_most_bytes=30_000)
    assert taken(ready, 4)[:3] == (0, 1, 2)
    assert 6 not in taken(ready_nodes(_TREE, seconds, stayed_bytes=10_000, held_most_bytes=60_000))


def test_only_ready_tasks_share_an_invocation_with_retries() -> None:
    """Without room for values in memory no node follows another in its invocation."""
    ready = ready_nodes(_TREE, {"leaf": 1e-4, "sum": 1e-4}, held_most_bytes=0)
    assert taken(ready) == (0, 1, 3, 4)


def test_a_part_of_a_batch_waits_for_what_the_other_part_makes() -> None:
    """An environment died: its nodes are sent in halves, and one half needs the other."""
    ready = ready_nodes(_TREE, {"leaf": 1e-4, "sum": 1e-4})
    unit = ready.take(2)
    assert unit is not None and unit.part is not None
    first, second = unit.part((0, 1, 2)), unit.part((3, 4, 5, 6))
    assert first.begin is not None and first.begin()
    assert second.begin is not None and not second.begin()
    assert taken(ready) == (3, 4, 5)
    for number in range(6):
        ready.settle(number)
    assert taken(ready) == (6,)


def test_known_nodes_are_not_taken() -> None:
    """Values of a graph that failed before make what needs them ready."""
    ready = ready_nodes(_TREE, {})
    for number in (0, 1):
        ready.settle(number)
    assert taken(ready) == (2,)
    ready.drop()
    assert ready.is_dry and taken(ready) == ()


def test_names_of_tasks() -> None:
    """The operation, and what distinguishes the task: its place, or a part of its key."""
    assert name_of(("sum-partial-3f2a91c0aa2233445566778899aabbcc", 0, 1)) == "sum-partial (0, 1)"
    assert name_of("neg-3f2a91c0-aaaa-bbbb-cccc-001122334455") == "neg-3f2a91"
    assert name_of("share-7") == "share-7"
    assert name_of(7) == "7"
    assert name_of(("load", 3), members=3) == "load (3) and 2 before it"
