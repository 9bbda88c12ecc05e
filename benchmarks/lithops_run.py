"""Lithops next to our own maps and graphs: its time in its local mode, and the requests that it sends to S3."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from lambdamagic.local.testing.faults import Faults

_BOUND_S = 300.0
_COUNTING_BOUND_S = 90.0
_COUNTED_TASKS = 20
_GRAPH_BOUND_S = 90.0


def is_installed() -> bool:
    """Return whether the dependency group `bench` is there."""
    return importlib.util.find_spec("lithops") is not None


def timed(wanted: int) -> tuple[int, float] | None:
    """Map in its local mode, within 300 s.

    Args:
        wanted: How many tasks; a tenth of them if so many would not end in time.

    Returns:
        The number of tasks and the milliseconds that they took; None if not even the tenth ended.
    """
    ended = [line for line in _mapped("localhost", _BOUND_S, [wanted // 10, wanted]) if "tasks" in line]
    return (ended[-1]["tasks"], ended[-1]["milliseconds"]) if ended else None


def s3_requests(connection: Any, s3: Any) -> tuple[int, dict[str, int]] | None:
    """Map with its objects in the embedded Lambda's S3 and count what it asks there, from its start to its end.

    Args:
        connection: The embedded Lambda's.
        s3: A client of boto3's for it.

    Returns:
        The number of tasks, with the two that warm it up, and its requests by operation; None if it did not end in
        time.
    """
    bucket = "lithops-of-the-benchmark"
    s3.create_bucket(Bucket=bucket)
    faults = Faults(connection)
    faults.stats(reset=True)
    access = {
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_ACCESS_KEY_ID": connection.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.secret_access_key,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        "LITHOPS_BUCKET": bucket,
    }
    lines = _mapped("s3", _COUNTING_BOUND_S, [_COUNTED_TASKS], **access)
    if not any("tasks" in line for line in lines):
        return None
    return _COUNTED_TASKS + 2, faults.stats()["requests"].get("s3", {})


def timed_tree(leaves: int) -> float | None:
    """Compute a tree by Dask through its executor, within 90 s.

    Returns:
        The milliseconds that it took; None if it did not end in time.
    """
    ended = _run("benchmarks.lithops_graph", [leaves], _GRAPH_BOUND_S)
    return float(ended[-1]["milliseconds"]) if ended else None


def _mapped(storage: str, bound_s: float, counts: list[int], **variables: str) -> list[dict[str, Any]]:
    return _run("benchmarks.lithops_map", [storage, bound_s, *counts], bound_s, **variables)


def _run(module: str, arguments: Sequence[object], bound_s: float, **variables: str) -> list[dict[str, Any]]:
    """Run it in a process and a separate home; return what it printed until it ended or was stopped."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # it starts `python`
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "PATH": path, "HOME": home, "TMPDIR": home, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            out, shown = process.communicate(timeout=bound_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            out, shown = process.communicate(timeout=30)
        else:
            if process.returncode != 0:
                raise RuntimeError(f"Lithops could not run: {' '.join(shown.strip().splitlines()[-1:])}")
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _stop(process: subprocess.Popen[str]) -> None:
    # Its workers are processes in their own sessions: they do not end with it.
    found = psutil.Process(process.pid)
    for each in (*found.children(recursive=True), found):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
