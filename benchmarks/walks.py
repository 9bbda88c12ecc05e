"""Graphs in virtual time, both ways: against what no scheduler can beat; the automatic choice against the better."""

from __future__ import annotations

from benchmarks.measure import Comparison, show
from benchmarks.simulated_walks import SimulatedWalks, Workload, client_way_s
from lambdamagic.walks.choice import better, estimates
from lambdamagic.walks.structure import structure_of

WORKERS = 1000
_LARGE_BYTES = 8 << 20


def tree(leaves: int, *, fan_in: int, leaf_s: float, sum_s: float, size_bytes: int = 100) -> Workload:
    """Return a reduction."""
    needs: list[list[int]] = [[] for _ in range(leaves)]
    seconds, level = [leaf_s] * leaves, list(range(leaves))
    while len(level) > 1:
        above = []
        for start in range(0, len(level), fan_in):
            above.append(len(needs))
            needs.append(level[start : start + fan_in])
            seconds.append(sum_s)
        level = above
    name = f"tree of {leaves:,} leaves of {leaf_s:g} s{', 8 MB each' if size_bytes >= _LARGE_BYTES else ''}"
    return Workload(name, structure_of(needs, level), tuple(seconds), size_bytes)


def product(tiles: int, *, multiply_s: float, load_s: float) -> Workload:
    """Return a matrix product of square matrices of so many tiles a side, of 8 MB each."""
    needs: list[list[int]] = [[] for _ in range(2 * tiles * tiles)]
    seconds, kept = [load_s] * len(needs), []
    for row in range(tiles):
        for column in range(tiles):
            parts = []
            for inner in range(tiles):
                parts.append(len(needs))
                needs.append([row * tiles + inner, tiles * tiles + inner * tiles + column])
                seconds.append(multiply_s)
            kept.append(len(needs))
            needs.append(parts)
            seconds.append(multiply_s / 4)
    return Workload(f"product of {tiles} x {tiles} tiles", structure_of(needs, kept), tuple(seconds), _LARGE_BYTES)


def chains(count: int, length: int, step_s: float) -> Workload:
    """Return independent chains; fused, each is one node."""
    return Workload(
        f"{count:,} chains of {length}", structure_of([[]] * count, range(count)), (step_s * length,) * count
    )


def shuffle(partitions: int, *, split_s: float, join_s: float) -> Workload:
    """Return a shuffle: each partition goes in parts to all others."""
    needs: list[list[int]] = [[] for _ in range(partitions)]
    kept = []
    for _ in range(partitions):
        kept.append(len(needs))
        needs.append(list(range(partitions)))
    seconds = [split_s] * partitions + [join_s] * partitions
    return Workload(f"shuffle of {partitions}", structure_of(needs, kept), tuple(seconds), 100_000)


WORKLOADS = (
    tree(128, fan_in=2, leaf_s=2.0, sum_s=0.5),
    tree(128, fan_in=2, leaf_s=0.1, sum_s=0.05),
    product(8, multiply_s=2.0, load_s=1.0),
    tree(20_000, fan_in=16, leaf_s=1.0, sum_s=0.2),
    tree(20_000, fan_in=16, leaf_s=0.1, sum_s=0.05, size_bytes=_LARGE_BYTES),
    chains(1_000, 10, 0.2),
    shuffle(64, split_s=2.0, join_s=2.0),
)


def compared(workload: Workload) -> tuple[float, float, float]:
    """Return the seconds of the client's way, of walks, and of the way that is chosen by itself."""
    by_client = client_way_s(workload, workers=WORKERS)
    in_walks = SimulatedWalks(workload, workers=WORKERS).run()
    found = estimates(workload.structure, workload.seconds, workers=WORKERS, are_large=workload.size_bytes > 64 * 1024)
    return by_client, in_walks, by_client if better(found) == "client" else in_walks


def main() -> list[Comparison]:
    """Run and print."""
    lines, notes = [], []
    for workload in WORKLOADS:
        by_client, in_walks, chosen = compared(workload)
        bound, best = workload.bound_s(WORKERS), min(by_client, in_walks)
        # Where tasks take as long as a request, no way that makes requests comes near the bound.
        goal = 1.3 if max(workload.seconds) >= 1.0 else None
        lines.append(Comparison(workload.name, "bound", best, bound, best / bound, goal, unit="s"))
        lines.append(Comparison("  chosen by itself", "the better way", chosen, best, chosen / best, 1.2, unit="s"))
        notes.append(f"{workload.name}: client {by_client:.2f} s, walks {in_walks:.2f} s, bound {bound:.2f} s")
    show(f"Graphs in virtual time, {WORKERS:,} workers", lines, notes)
    return lines


if __name__ == "__main__":
    main()
