"""The client's peak memory where a thousand items fail, over what the standard library needs for the same."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

from benchmarks.measure import Comparison, show

_ITEMS = 1_000
_BYTES = 2_000_000
_WORKERS = 2
#: Growth that the items do not cause: what is imported at first use, and a thousand jobs' accounts.
_NOTHING_MB = 50.0


class Unsendable:
    """Holds bytes, and raises where it is pickled."""

    def __init__(self) -> None:
        self.bulk = b"x" * _BYTES  # zeros would take no memory

    def __reduce__(self) -> tuple[object, ...]:
        """Raise."""
        raise ValueError("not this one")


def same(value: object) -> object:
    """Return the argument."""
    return value


def unsendable(_: int) -> object:
    """Return what cannot come back."""
    return Unsendable()


def bulk(_: int) -> bytes:
    """Return what can."""
    return b"x" * _BYTES


def _items() -> Iterator[Unsendable]:
    return (Unsendable() for _ in range(_ITEMS))


def _map_of_items(executor: Executor) -> int:
    try:
        return len(list(executor.map(same, _items())))
    except ValueError:
        return 0


def _map_of_results(executor: Executor) -> int:
    try:
        return len(list(executor.map(unsendable, range(_ITEMS))))
    except Exception:  # noqa: BLE001  # theirs and ours are of different types
        return 0


def _calls_with_items(executor: Executor) -> int:
    futures = [executor.submit(same, item) for item in _items()]
    return sum(future.exception() is not None for future in futures)


def _calls_with_results(executor: Executor) -> int:
    futures = [executor.submit(unsendable, number) for number in range(_ITEMS)]
    return sum(future.exception() is not None for future in futures)


def _map_that_works(executor: Executor) -> int:
    return sum(len(each) == _BYTES for each in executor.map(bulk, range(_ITEMS)))


_CASES: dict[str, Callable[[Executor], int]] = {
    "map, pickling of each item fails": _map_of_items,
    "map, pickling of each result fails": _map_of_results,
    "submit, pickling of each argument fails": _calls_with_items,
    "submit, pickling of each result fails": _calls_with_results,
    "map, each result is taken once": _map_that_works,
}


def _run(what: str, whose: str) -> None:
    """Run one case, and print by how many MB this process grew at most, and how many items ended as they should."""
    if whose == "ours":
        from lambdamagic import LambdaExecutor

        executor: Executor = LambdaExecutor(_WORKERS, target="local")
    else:
        executor = ProcessPoolExecutor(_WORKERS, mp_context=multiprocessing.get_context("spawn"))
    with executor:
        executor.submit(abs, 1).result()
        before_mb = _peak_mb()
        count = _CASES[what](executor)
    print(_peak_mb() - before_mb, count)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _growth(what: str, whose: str) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.failing", what, whose]
    growth, count = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-2:]
    return float(growth), int(count)


def main() -> list[Comparison]:
    """Run each case in two separate processes, one after the other, and print."""
    lines, notes = [], []
    for what in _CASES:
        (ours, our_count), (theirs, their_count) = _growth(what, "ours"), _growth(what, "control")
        lines.append(
            Comparison(
                what, "ProcessPoolExecutor", ours, theirs, max(ours, _NOTHING_MB) / max(theirs, _NOTHING_MB), 1.05, "MB"
            )
        )
        notes.append(f"{what}: {our_count} here, {their_count} there")
    show(f"Growth of a client's peak memory, {_ITEMS:,} items with {_BYTES / 1e6:g} MB each", lines, notes)
    return lines


if __name__ == "__main__":
    _run(*sys.argv[1:]) if sys.argv[1:] else main()
