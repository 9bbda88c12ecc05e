"""1,000 trivial tasks against a process pool and against one boto3 invoke per task; 100,000 tasks against 10,000."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import psutil

from benchmarks import lithops_run
from benchmarks.measure import Comparison, compare, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.jobs.prices import S3_READ_USD, S3_WRITE_USD, Prices
from lambdamagic.local.testing.faults import Faults
from lambdamagic.widgets.text import money

_TASKS = 1_000


def square(number: int) -> int:
    """Do as little as is known from nothing."""
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


def _lithops(book: Notebook) -> tuple[list[Comparison], list[str]]:
    if not lithops_run.is_installed():
        return [], ["Lithops is not installed (the dependency group bench): its line is left out"]
    try:
        timed, counted = lithops_run.timed(_TASKS), lithops_run.s3_requests(book.connection, book.s3)
    except RuntimeError as error:
        return [], [str(error)]
    lines, notes = [], []
    if timed is None:
        notes.append(f"Lithops in its local mode did not end {_TASKS // 10:,} tasks within its bound")
    else:
        tasks, theirs = timed
        if tasks < _TASKS:
            notes.append(f"Lithops: {_TASKS:,} tasks would not have ended within its bound of 300 s; {tasks:,} did")
        ours = statistics.median(_map(book, tasks) for _ in range(3))
        name = "Lithops' map in its local mode"
        lines.append(Comparison(f"{tasks:,} trivial tasks", name, ours, theirs, ours / theirs, 0.01))
    if counted is None:
        notes.append("Lithops with its objects in the embedded Lambda's S3 did not end within its bound")
    else:
        tasks, requests = counted
        reads = sum(count for name, count in requests.items() if name.startswith(("Get", "Head")))
        writes = sum(requests.values()) - reads
        cost = writes * S3_WRITE_USD + reads * S3_READ_USD
        notes.append(
            f"Lithops, {tasks} tasks, objects in the embedded Lambda's S3: {sum(requests.values())} S3 requests "
            f"({sum(requests.values()) / tasks:.1f} a task), {money(cost)} for S3 alone: {requests}"
        )
    return lines, notes


def _boto3_cost(book: Notebook) -> str:
    each = Prices.of(book.connection.region).invocation_usd(billed_ms=1, memory_mb=512)
    return money(each * _TASKS)


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
        with_lithops, shown = _lithops(book)
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
        price = _boto3_cost(book)
        grown = psutil.Process().memory_info().rss - before
    notes = [
        f"{_TASKS:,} tasks of ours: {sum(stats.get('s3', {}).values())} S3 requests, {stats}; "
        f"at list price {money(cost)}",
        f"a boto3 invoke per task: 0 S3 requests, {_TASKS:,} invocations; at list price at least {price} "
        "(1 ms of 512 MB each)",
        "ProcessPoolExecutor: no requests, no price",
        *shown,
        f"memory of the kernel after {4 * 110_000:,} more tasks: {grown / 1e6:+.1f} MB",
    ]
    show("Maps", lines, notes)
    return lines


if __name__ == "__main__":
    main()
