"""An estimate of a graph before it runs: invocations, requests to S3, their price, and how it will run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambdamagic.graphs.graph import Graph, Key
from lambdamagic.jobs.prices import AS_OF, S3_READ_USD, S3_WRITE_USD, Prices
from lambdamagic.walks.choice import Estimate, Way, better, estimates
from lambdamagic.walks.structure import Structure, structure_of

#: What a node is taken to last where nothing like it has run yet.
EXPECTED_S = 0.1


@dataclass(frozen=True)
class GraphPlan:
    """An estimate of a graph before it runs. Nothing was sent, and nothing is billed.

    Attributes:
        tasks: How many tasks it has.
        nodes: How many are left when chains are one each.
        joins: How many of those need more than one other.
        ways: What each way takes, about: `client`, where this process sends each task when it is ready, and `walks`,
            where the graph runs without it.
        way: The one that takes less time.
        usd: What each way's invocations and requests to S3 cost at list price, without the time that code runs.
    """

    tasks: int
    nodes: int
    joins: int
    ways: dict[Way, Estimate]
    way: Way
    usd: dict[Way, float]

    def __str__(self) -> str:
        lines = [f"{self.tasks:,} tasks ({self.nodes:,} after joining chains), {self.joins:,} joins"]
        for way, what in (("client", "scheduled from here"), ("walks", "in walks, without this process (mode event)")):
            found: Estimate = self.ways[way]  # type: ignore[index]  # the two ways
            mark = "*" if way == self.way else " "
            lines.append(
                f"{mark} {what}: about {found.seconds:,.1f} s, {found.invocations:,} invocations, S3: {found.writes:,} "
                f"writes and {found.reads:,} reads, ${self.usd[way]:.2g} without compute time"  # type: ignore[index]
            )
        lines.append(
            f"Estimates; a task that has not run yet counts as {EXPECTED_S:g} s. List prices of {AS_OF}: "
            f"${S3_WRITE_USD * 1000:g} for 1,000 writes, ${S3_READ_USD * 1000:g} for 1,000 reads."
        )
        return "\n".join(lines)

    __repr__ = __str__


def plan_of(
    graph: Graph,
    *,
    tasks: int,
    workers: int,
    prices: Prices,
    expected_s: Callable[[Key], float | None] = lambda key: None,
    are_large: bool = False,
) -> GraphPlan:
    """Return a graph's estimate.

    Args:
        graph: The graph, its chains fused.
        tasks: How many tasks it had before.
        workers: How many invocations may run at once.
        prices: Of the region.
        expected_s: How long a node like this one took; None where that is not known.
        are_large: Whether values do not fit into an answer.
    """
    structure = structure_of_graph(graph)
    seconds = [
        expected if (expected := expected_s(node.key)) is not None else EXPECTED_S * len(node.members)
        for node in graph.nodes.values()
    ]
    ways = estimates(structure, seconds, workers=workers, are_large=are_large)
    usd = {
        way: found.invocations * prices.request_usd + found.writes * S3_WRITE_USD + found.reads * S3_READ_USD
        for way, found in ways.items()
    }
    return GraphPlan(tasks, len(graph.nodes), structure.joins, ways, better(ways), usd)


def structure_of_graph(graph: Graph) -> Structure:
    """Return a graph's structure, its nodes numbered in their order."""
    numbers = {key: number for number, key in enumerate(graph.nodes)}
    needs = [sorted(numbers[key] for key in node.needs if key in numbers) for node in graph.nodes.values()]
    return structure_of(needs, {numbers[key] for key in graph.kept})
