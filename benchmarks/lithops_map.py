"""Run by `benchmarks/map.py` in a separate process: maps by Lithops in its local mode; a line of JSON for each.

Its tasks run on this machine: its Lambda backend makes its clients without the setting of an endpoint. Its objects are
in files, or, with the argument `s3`, in the S3 that `AWS_ENDPOINT_URL` names, so that its requests can be counted.
"""

from __future__ import annotations

import json
import os
import sys
import time

#: Some seconds between the last map and the bound, for the start and the end.
_SPARE_S = 20.0


def square(number: int) -> int:
    """Do as little as is known from nothing."""
    return number * number


def main(storage: str, bound_s: float, counts: list[int]) -> None:
    """Map once beforehand, so that the runtime is known; then each number of tasks that is to end within the bound.

    Args:
        storage: `localhost` or `s3`.
        bound_s: Seconds for all of it.
        counts: Numbers of tasks, ascending; one that would take too long, by the pace of the last, is left out.
    """
    import lithops

    end = time.monotonic() + bound_s - _SPARE_S
    config: dict[str, dict[str, object]] = {
        "lithops": {"backend": "localhost", "storage": storage, "log_level": "ERROR", "telemetry": False}
    }
    if storage == "s3":
        config["lithops"]["storage"] = "aws_s3"
        config["aws_s3"] = {"region": os.environ["AWS_REGION"], "storage_bucket": os.environ["LITHOPS_BUCKET"]}
    with lithops.FunctionExecutor(config=config) as executor:
        executor.map(square, range(2))
        executor.get_result()
        pace_s = 0.0
        for tasks in counts:
            if time.monotonic() + tasks * pace_s > end:
                break
            print(json.dumps({"begun": tasks}), flush=True)
            began = time.perf_counter()
            # Without chunks, as a user would call it: each task is a process.
            futures = executor.map(square, range(tasks))
            found = executor.get_result(futures)
            taken_s = time.perf_counter() - began
            assert sorted(found) == [number * number for number in range(tasks)]
            print(json.dumps({"tasks": tasks, "milliseconds": taken_s * 1000}), flush=True)
            pace_s = taken_s / tasks


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), [int(each) for each in sys.argv[3:]])
