"""Both ways in virtual time: near what no scheduler can beat, and the automatic choice near the better way."""

from __future__ import annotations

import pytest

from benchmarks.simulated_walks import SimulatedWalks, Workload
from benchmarks.walks import WORKERS, compared, product, shuffle, tree

_LARGE_BYTES = 8 << 20


@pytest.mark.parametrize(
    "workload",
    [tree(128, fan_in=2, leaf_s=2.0, sum_s=0.5), product(4, multiply_s=2.0, load_s=1.0)],
    ids=["tree", "product"],
)
def test_the_better_way_is_near_the_bound(workload: Workload) -> None:
    """Within 1.3 of the critical path or the work bound, and walks alone within 1.5."""
    by_client, in_walks, chosen = compared(workload)
    bound, best = workload.bound_s(WORKERS), min(by_client, in_walks)
    assert best <= 1.3 * bound
    assert in_walks <= 1.5 * bound
    assert chosen <= 1.2 * best


@pytest.mark.parametrize(
    "workload",
    [
        tree(128, fan_in=2, leaf_s=0.1, sum_s=0.05),
        tree(4_000, fan_in=8, leaf_s=0.02, sum_s=0.02, size_bytes=_LARGE_BYTES),
        tree(1_000, fan_in=1_000, leaf_s=0.5, sum_s=0.5),
        shuffle(24, split_s=0.5, join_s=0.5),
    ],
    ids=["short", "many and large", "one wide join", "shuffle"],
)
def test_the_way_that_is_chosen_is_near_the_better_one(workload: Workload) -> None:
    """Also where the one is several times better than the other."""
    by_client, in_walks, chosen = compared(workload)
    assert chosen <= 1.2 * min(by_client, in_walks), (by_client, in_walks)


def test_a_wide_fan_out_is_a_tree_of_walks() -> None:
    """1,000 followers of one node are not sent one after the other by the walk that ran it."""
    from lambdamagic.walks.structure import structure_of

    structure = structure_of([[], *([[0]] * 1_000)], range(1, 1_001))
    workload = Workload("wide", structure, (0.5, *([1.0] * 1_000)))
    walks = SimulatedWalks(workload)
    assert walks.run() < 2.3
    assert 900 <= walks.invocations <= 1_001
