"""500 jobs in one kernel: what grows?"""

from __future__ import annotations

import gc
import threading

import psutil

from benchmarks.measure import Comparison, show
from benchmarks.notebook import Notebook, notebook

_JOBS = 500


def _picture() -> dict[str, float]:
    gc.collect()
    process = psutil.Process()
    return {
        "threads": threading.active_count(),
        "descriptors": process.num_fds(),
        "child processes": len(process.children(recursive=True)),
        "resident MB": process.memory_info().rss / 1e6,
    }


def _run(book: Notebook, count: int) -> None:
    for number in range(count):
        book.shell.user_ns["number"] = number
        book.run("%%lambda\ntotal = number * 2\ntotal")
        assert book.shell.user_ns["total"] == number * 2


def main() -> list[Comparison]:
    """Run and print."""
    with notebook() as book:
        _run(book, 250)  # the history is bounded to 200 jobs: filled before the first picture
        before = _picture()
        _run(book, _JOBS)
        after = _picture()
    lines = [
        Comparison(what, "before", after[what], before[what], after[what] / before[what], 1.05, "") for what in before
    ]
    show(f"After {_JOBS} more jobs in one kernel", lines)
    return lines


if __name__ == "__main__":
    main()
