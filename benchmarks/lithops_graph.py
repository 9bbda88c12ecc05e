"""Run by `benchmarks/graphs.py` in a separate process: a tree by Dask through Lithops' executor; a line of JSON.

Lithops has no scheduler for graphs. Its published way is its executor of `concurrent.futures`, which Dask takes: Dask
schedules, and each task is a function of Lithops'. Its tasks run in its local mode, and its objects are files.
"""

from __future__ import annotations

import json
import sys
import time

import dask

from benchmarks.graphs import sum_of_tree, tree


def main(leaves: int) -> None:
    """Compute a tree, after a task that starts what Lithops needs."""
    from lithops.concurrent.futures import ProcessPoolExecutor

    config = {"lithops": {"backend": "localhost", "storage": "localhost", "log_level": "ERROR", "telemetry": False}}
    with ProcessPoolExecutor(config=config) as executor:
        executor.submit(abs, -1).result()
        made = tree(leaves)
        began = time.perf_counter()
        (found,) = dask.compute(*made, scheduler=executor)
        taken_s = time.perf_counter() - began
    assert found == sum_of_tree(leaves)
    print(json.dumps({"tasks": 2 * leaves - 1, "milliseconds": taken_s * 1000}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
