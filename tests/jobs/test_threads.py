"""Daemon threads for blocking calls."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from lambdamagic.jobs.threads import DaemonThreads


def test_calls_run_and_give_results():
    """Also their exceptions."""
    threads = DaemonThreads(2, "lm-test-a")
    assert threads.submit(lambda: 6 * 7).result(10) == 42
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(10)
    threads.close()


def test_no_more_threads_than_the_limit_and_they_are_used_again():
    """More calls wait for their turn."""
    threads = DaemonThreads(3, "lm-test-b")
    barrier = threading.Barrier(3, timeout=20)
    futures = [threads.submit(barrier.wait) for _ in range(9)]
    assert sorted(future.result(20) for future in futures) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert sum(thread.name.startswith("lm-test-b") for thread in threading.enumerate()) == 3
    threads.close()


def test_threads_end_when_idle_and_when_closed():
    """Nothing stays behind."""
    threads = DaemonThreads(2, "lm-test-c", idle_s=0.01)
    for _ in range(2):
        threads.submit(threading.current_thread).result(10).join(10)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("lm-test-c")]
    worker = threads.submit(threading.current_thread).result(10)
    assert worker.daemon
    threads.close()
    worker.join(10)
    assert not worker.is_alive()
    with pytest.raises(RuntimeError, match="closed"):
        threads.submit(int)


def test_one_thread_can_be_made_to_stay():
    """So that work can still be done when the interpreter ends and starts no thread any more."""
    threads = DaemonThreads(2, "lm-test-f", idle_s=0.0)
    threads.keep_one()
    threads.keep_one()
    (kept,) = [thread for thread in threading.enumerate() if thread.name.startswith("lm-test-f")]
    kept.join(0.05)
    assert kept.is_alive()
    assert (kept.name, threads.submit(threading.current_thread).result(10)) == ("lm-test-f-1", kept)
    threads.close()
    kept.join(10)
    assert not kept.is_alive()


def test_a_call_submitted_while_a_thread_ends_is_run():
    """Many short lives, no lost call."""
    threads = DaemonThreads(4, "lm-test-d", idle_s=0.0)
    assert [threads.submit(lambda n=n: n).result(10) for n in range(500)] == list(range(500))
    threads.close()


def test_a_cancelled_future_is_not_run():
    """If its turn had not come."""
    threads = DaemonThreads(1, "lm-test-e")
    release = threading.Event()
    first = threads.submit(lambda: release.wait(20))
    ran = []
    second = threads.submit(lambda: ran.append(1))
    assert second.cancel()
    release.set()
    assert first.result(20) is True
    threads.submit(int).result(20)
    assert ran == []
    threads.close()


class _SlowToWake(queue.SimpleQueue):
    """A queue whose reader has the call for a while before it continues: what any thread may do after a wait."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def get(self, block=True, timeout=None):
        item = super().get(block, timeout)
        self.go_on.wait(20)
        return item


def test_a_thread_that_was_woken_for_a_call_is_not_counted_on_for_the_next():
    """Two calls that wait for each other run at once, however slowly the thread of the first wakes."""
    threads = DaemonThreads(2, "lm-test-g")
    threads._calls = calls = _SlowToWake()
    threads.keep_one()
    together = threading.Barrier(2, timeout=20)
    first = threads.submit(together.wait)
    while not calls.empty():
        time.sleep(0.001)  # until the idle thread has taken it
    second = threads.submit(together.wait)
    calls.go_on.set()
    assert sorted((first.result(20), second.result(20))) == [0, 1]
    threads.close()


def test_without_memory_for_another_thread_those_that_exist_do_the_work(monkeypatch):
    """If there is none, who submits is shown that; later it works again."""
    threads = DaemonThreads(3, "lm-test-h")
    start, may_start = threading.Thread.start, [False]

    def refusing(thread):
        if thread.name.startswith("lm-test-h") and not may_start[0]:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    ran = []
    for number in range(2):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threads.submit(lambda n=number: ran.append(n))
    may_start[0] = True
    together = threading.Barrier(3, timeout=20)
    assert sorted(each.result(20) for each in [threads.submit(together.wait) for _ in range(3)]) == [0, 1, 2]
    may_start[0] = False
    release = threading.Event()
    first = threads.submit(lambda: release.wait(20))
    others = [threads.submit(lambda n=n: n) for n in range(3)]
    release.set()
    assert [first.result(20), *(each.result(20) for each in others)] == [True, 0, 1, 2]
    assert ran == [], "its owner was shown that it failed, and may have submitted it again"
    threads.close()


class _LateToGiveUp(queue.SimpleQueue):
    """A queue whose first reader waited without success until just before something came."""

    def __init__(self) -> None:
        self.go_on, self.is_first = threading.Event(), True

    def get(self, block=True, timeout=None):
        if self.is_first:
            self.is_first = False
            self.go_on.wait(20)
            raise queue.Empty
        return super().get(block, timeout)


@pytest.mark.parametrize("count", [1, 2])
def test_a_thread_does_not_end_under_a_call_that_counts_on_it(count):
    """However many were queued while it ended."""
    threads = DaemonThreads(1, "lm-test-i", idle_s=1.0)
    threads._calls = calls = _LateToGiveUp()
    futures = [threads.submit(lambda n=n: n) for n in range(count)]
    calls.go_on.set()
    assert [future.result(20) for future in futures] == list(range(count))
    threads.close()


def test_threads_that_ended_make_room_for_as_many():
    """Not for more."""
    threads, release = DaemonThreads(1, "lm-test-j", idle_s=0.01), threading.Event()
    threads.submit(threading.current_thread).result(10).join(10)
    futures = [threads.submit(lambda: release.wait(20)) for _ in range(2)]
    assert sum(thread.name.startswith("lm-test-j") for thread in threading.enumerate()) == 1
    release.set()
    assert [future.result(20) for future in futures] == [True, True]
    threads.close()


def test_a_thread_that_could_not_be_started_is_not_counted(monkeypatch):
    """The one that did its work ends when it is idle."""
    threads, release = DaemonThreads(2, "lm-test-k", idle_s=0.01), threading.Event()
    first = threads.submit(lambda: release.wait(20) and threading.current_thread())

    def refusing(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refusing)
        second = threads.submit(threading.current_thread)
    release.set()
    worker = first.result(20)
    assert second.result(20) is worker
    worker.join(10)
    assert not worker.is_alive()
