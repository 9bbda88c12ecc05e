"""Run by `benchmarks/map.py` in a process of its own: a map by Lithops in its local mode; prints its milliseconds."""

from __future__ import annotations

import sys
import time


def square(number: int) -> int:
    """Do as little as can be told from nothing."""
    return number * number


def main(tasks: int) -> None:
    """Map once beforehand, so that the runtime is known, and then with the clock on."""
    import lithops

    config = {"lithops": {"backend": "localhost", "storage": "localhost", "log_level": "ERROR", "telemetry": False}}
    with lithops.FunctionExecutor(config=config) as executor:
        executor.map(square, range(2))
        executor.get_result()
        began = time.perf_counter()
        executor.map(square, range(tasks))
        found = executor.get_result()
        taken = time.perf_counter() - began
    assert sorted(found) == [number * number for number in range(tasks)]
    print(f"\nmilliseconds: {taken * 1000}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
