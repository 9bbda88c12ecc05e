"""What a graph takes before it runs, and the way that is chosen."""

from __future__ import annotations

from typing import Any

from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.graph_plan import GraphPlan, plan_of
from lambdamagic.jobs.prices import Prices


def _tree(leaves: int, fan_in: int) -> Graph:
    def run(values: Any) -> int:
        return 0

    nodes = [Node(("leaf", number), [], run) for number in range(leaves)]
    level = [node.key for node in nodes]
    while len(level) > 1:
        above = []
        for start in range(0, len(level), fan_in):
            nodes.append(Node(("sum", len(nodes)), level[start : start + fan_in], run))
            above.append(nodes[-1].key)
        level = above
    return Graph.of(nodes, level)


def _plan(graph: Graph, *, seconds: float, are_large: bool = False) -> GraphPlan:
    return plan_of(
        graph,
        tasks=len(graph.nodes),
        workers=1000,
        prices=Prices.of("us-east-1"),
        expected_s=lambda key: seconds,
        are_large=are_large,
    )


def test_the_way_follows_from_shape_and_times() -> None:
    """Many short tasks, more so with large values, are for walks; few that are long in levels for the client."""
    assert _plan(_tree(8, 2), seconds=1.0).way == "client"
    assert _plan(_tree(20_000, 16), seconds=0.02, are_large=True).way == "walks"


def test_small_values_cost_the_client_no_request_to_s3() -> None:
    """And walks some, with their price."""
    plan = _plan(_tree(128, 2), seconds=1.0)
    assert (plan.ways["client"].writes, plan.ways["client"].reads) == (0, 0)
    assert plan.ways["walks"].writes > 128
    # A request costs 0.20 dollars a million, a write 5 ("AWS Lambda Pricing", "Amazon S3 pricing").
    walks = plan.ways["walks"]
    usd = walks.invocations * 0.2e-6 + walks.writes * 5e-6 + walks.reads * 0.4e-6
    assert abs(plan.usd["walks"] - usd) < 1e-9
    assert f"{walks.writes:,} writes and {walks.reads:,} reads" in str(plan)
