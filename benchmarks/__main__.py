"""Run all benchmarks: `make bench`, or some of them: `python -m benchmarks cell encode`."""

from __future__ import annotations

import importlib
import sys

from lambdamagic.api import process

ALL = (
    "imports",
    "capture",
    "encode",
    "cell",
    "embedded",
    "growth",
    "memory",
    "failing",
    "map",
    "graphs",
    "faults",
    "simulate",
    "walks",
    "concurrency",
    "cost",
    "invoker",
    "views",
    "covalent",
)


def main(names: list[str]) -> int:
    """Run and return 1 if a goal was missed."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are {', '.join(ALL)}")
        return 2
    missed = 0
    for name in names or ALL:
        lines = importlib.import_module(f"benchmarks.{name}").main()
        process.close()  # the next one starts its embedded Lambda itself
        missed += sum(not line.is_met for line in lines)
    print(f"{missed} goals missed" if missed else "all goals met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
