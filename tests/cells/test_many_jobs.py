"""Five hundred jobs in one kernel leave no threads, descriptors, processes or memory behind."""

from __future__ import annotations

import gc
import threading

import psutil


def test_nothing_grows(notebook):
    """After a warm-up, 500 cells change no count, and memory by a few MB at most."""
    process = psutil.Process()
    notebook.ok("data = list(range(100))\ndef f(x):\n    return x + len(data)")

    def counts():
        gc.collect()
        return (
            len(threading.enumerate()),
            process.num_fds(),
            len(process.children(recursive=True)),
        )

    def run(times):
        for number in range(times):
            assert notebook.shell.run_cell_magic("lambda", "", f"f({number})\n") == number + 100

    run(50)
    before, rss_before = counts(), process.memory_info().rss
    run(450)
    after, rss_after = counts(), process.memory_info().rss
    # Idle threads and connections may have ended meanwhile, and a busy machine may have begun one or two more: what a
    # job leaves behind would be there 450 times.
    assert [now <= then + 5 for now, then in zip(after, before, strict=True)] == [True, True, True]
    assert rss_after - rss_before < 16 * 1024 * 1024
