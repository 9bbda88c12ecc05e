"""Choose how a graph runs, by an estimate from its shape alone. Pure.

Two ways: the client sends each node when it is ready, and values that stay are named in the next event; or walks, which
meet in the bucket. The first pays a round trip for each level of the graph, and the client's own time for each node;
the second pays requests to S3 where walks meet, and nothing along a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lambdamagic.walks.structure import Structure

Way = Literal["client", "walks"]


@dataclass(frozen=True)
class Latencies:
    """Seconds that requests take.

    Attributes:
        put_s: PUT, and LIST.
        get_s: GET.
        invoke_s: Invoke, up to the first line of the handler.
        send_s: The client's own time for an invocation.
    """

    put_s: float = 0.030
    get_s: float = 0.020
    invoke_s: float = 0.025
    send_s: float = 0.0004


@dataclass(frozen=True)
class Estimate:
    """The estimate of one way.

    Attributes:
        seconds: How long, at best.
        invocations: How many, about.
        writes: PUT and LIST requests, about.
        reads: GET requests, about.
    """

    seconds: float
    invocations: int
    writes: int
    reads: int


def estimates(
    structure: Structure,
    seconds: Sequence[float],
    *,
    workers: int,
    are_large: bool = False,
    latencies: Latencies | None = None,
) -> dict[Way, Estimate]:
    """Return what each way takes.

    Args:
        structure: The graph.
        seconds: How long each node's code is expected to take.
        workers: How many invocations may run at once.
        are_large: Whether values are too large for an answer or an event.
        latencies: What requests take.
    """
    times = latencies or Latencies()
    nodes, needs = len(structure.needs), structure.needs
    work_s = sum(seconds) / max(1, workers)
    stay_s = times.put_s + times.get_s if are_large else 0.0
    to_client = [each + times.invoke_s + stay_s for each in seconds]
    first = structure.first_groups(workers)
    owner = _owners(structure, first)
    meets = [len({owner[need] for need in each}) > 1 or -1 in {owner[need] for need in each} for each in needs]
    meet_s = 3 * times.put_s + times.get_s
    in_walks = [each + (meet_s if meets[node] else 0.0) for node, each in enumerate(seconds)]
    begin_s = times.invoke_s + times.put_s + 2 * times.get_s
    spread = sum(max(0, len(each) - 1) for each in structure.dependents)
    edges = sum(len(needs[node]) for node in range(nodes) if meets[node])
    joins = sum(meets)
    walks = len(first) + min(spread, nodes)
    client_s = max(_longest(needs, to_client), work_s + nodes * (times.send_s + (stay_s / workers)))
    walks_s = begin_s + max(_longest(needs, in_walks), work_s + edges * 2 * times.put_s / max(1, workers))
    large = nodes if are_large else 0
    return {
        "client": Estimate(client_s, nodes, large, sum(map(len, needs)) if are_large else 0),
        "walks": Estimate(
            walks_s, walks, 3 * walks + 2 * edges + joins + len(structure.kept) + 4, 3 * len(first) + edges
        ),
    }


def better(found: dict[Way, Estimate]) -> Way:
    """Return the way that takes less time."""
    return min(found, key=lambda way: found[way].seconds)


def _longest(needs: Sequence[Sequence[int]], seconds: Sequence[float]) -> float:
    ends: list[float] = []
    for node, each in enumerate(needs):
        ends.append(seconds[node] + max((ends[need] for need in each), default=0.0))
    return max(ends, default=0.0)


def _owners(structure: Structure, groups: Sequence[Sequence[int]]) -> list[int]:
    """Return which first walk runs each node for certain; -1 where several meet."""
    owner = [-1] * len(structure.needs)
    for number, group in enumerate(groups):
        for node in group:
            owner[node] = number
    for node, needs in enumerate(structure.needs):
        if needs:
            found = {owner[need] for need in needs}
            owner[node] = found.pop() if len(found) == 1 else -1
    return owner
