"""1,000 trivial tasks against a process pool and against one boto3 invoke per task; 100,000 tasks against 10,000."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import psutil

from benchmarks.measure import Comparison, compare, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.local.faults import Faults
from lambdamagic.widgets.text import money

_TASKS = 1_000


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
        f"requests of {_TASKS:,} tasks: {stats}; at list price {money(cost)}",
        f"memory of the kernel after {4 * 110_000:,} more tasks: {grown / 1e6:+.1f} MB",
    ]
    show("Maps", lines, notes)
    return lines


if __name__ == "__main__":
    main()
