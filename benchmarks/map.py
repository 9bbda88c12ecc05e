"""1,000 trivial tasks against a process pool and against one boto3 invoke per task; 100,000 tasks against 10,000."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks.measure import Comparison, compare, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.local.faults import Faults
from lambdamagic.widgets.text import money

_TASKS = 1_000
_LITHOPS_BOUND_S = 600


def square(number: int) -> int:
    """Do as little as can be told from nothing."""
    return number * number


def _map(book: Notebook, tasks: int) -> float:
    book.shell.user_ns["square"] = square
    began = time.perf_counter()
    found = book.run(f"%lambda_map square range({tasks})")
    taken = (time.perf_counter() - began) * 1000
    assert found == [number * number for number in range(tasks)]
    return taken


def _pool() -> float:
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(square, range(_TASKS)))
    assert len(found) == _TASKS
    return (time.perf_counter() - began) * 1000


def _boto3(book: Notebook) -> float:
    def one(number: int) -> bytes:
        reply = book.lambda_client.invoke(FunctionName="echo", Payload=str(number).encode())
        found: bytes = reply["Payload"].read()
        return found

    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(one, range(_TASKS)))) == _TASKS
    return (time.perf_counter() - began) * 1000


def _lithops() -> float:
    """Run Lithops in its local mode, in a home of its own.

    Not on the embedded Lambda: its task invocations ignore the setting of the endpoint.
    """
    with tempfile.TemporaryDirectory() as home:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # it starts `python`
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.lithops_map", str(_TASKS)],
            env={**os.environ, "PATH": path, "HOME": home, "TMPDIR": home},
            capture_output=True,
            text=True,
            timeout=_LITHOPS_BOUND_S,
            check=True,
        )
    return float(ended.stdout.rpartition("milliseconds: ")[2])


def _against_lithops(book: Notebook) -> tuple[list[Comparison], list[str]]:
    if importlib.util.find_spec("lithops") is None:
        return [], ["Lithops is not installed (the dependency group bench): its line is left out"]
    try:
        line = compare(
            f"{_TASKS:,} trivial tasks",
            lambda: _map(book, _TASKS),
            "Lithops' map in its local mode",
            _lithops,
            goal=0.01,
            rounds=1,
            warm_up=0,
        )
    except subprocess.TimeoutExpired:
        return [], [f"Lithops' map in its local mode had not ended after {_LITHOPS_BOUND_S} s, and was stopped"]
    except subprocess.CalledProcessError as error:
        return [], [f"Lithops could not run: {error.stderr.strip().splitlines()[-1:]}"]
    return [line], []


def main() -> list[Comparison]:
    """Run and print."""
    with notebook() as book:
        book.make_echo("echo")
        _map(book, _TASKS)  # environments are warm afterwards
        _boto3(book)
        lines = [
            compare(
                f"{_TASKS:,} trivial tasks",
                lambda: _map(book, _TASKS),
                "ProcessPoolExecutor(2).map, its start included",
                _pool,
                goal=3.0,
                rounds=5,
            ),
            compare(
                f"{_TASKS:,} trivial tasks",
                lambda: _map(book, _TASKS),
                "a boto3 invoke per task from 4 threads",
                lambda: _boto3(book),
                goal=0.15,
                rounds=3,
            ),
        ]
        with_lithops, told = _against_lithops(book)
        lines += with_lithops
        faults = Faults(book.connection)
        faults.stats(reset=True)
        _map(book, _TASKS)
        stats = faults.stats()["requests"]
        cost = book.magics.session.history[-1].progress.cost_usd
        before = psutil.Process().memory_info().rss
        lines.append(
            compare(
                "100,000 trivial tasks",
                lambda: _map(book, 100_000),
                "10,000 trivial tasks",
                lambda: _map(book, 10_000),
                goal=10.5,
                rounds=3,
                warm_up=1,
            )
        )
        grown = psutil.Process().memory_info().rss - before
    notes = [
        *told,
        f"requests of {_TASKS:,} tasks: {stats}; at list price {money(cost)}",
        f"memory of the kernel after {4 * 110_000:,} more tasks: {grown / 1e6:+.1f} MB",
    ]
    show("Maps", lines, notes)
    return lines


if __name__ == "__main__":
    main()
