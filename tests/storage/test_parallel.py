"""Parts in threads: what a failure stops, and what is reported of it."""

from __future__ import annotations

import threading

import pytest

from lambdamagic.storage.parallel import Parallel


@pytest.fixture
def parallel():
    found = Parallel(2)
    yield found
    found.close()


def test_parts_are_done_in_order(parallel):
    """`done` is called for each, in the calling thread, whichever ends first."""
    first = threading.Event()
    seen = []

    def work(index: int) -> None:
        if index == 0:
            assert first.wait(20)
        elif index == 1:
            first.set()

    parallel.run(work, 3, lambda index: seen.append((index, threading.current_thread())))
    assert seen == [(index, threading.main_thread()) for index in range(3)]


def test_a_later_part_that_fails_first_is_a_failure(parallel):
    """The part before it ends well after that, and is not reported; those that had not begun do not begin."""
    failed = threading.Event()
    begun, done = [], []

    def work(index: int) -> None:
        begun.append(index)
        if index == 1:
            failed.set()
            raise ValueError("part 1")
        assert failed.wait(20)
        while not parallel_has_seen_it():
            pass

    def parallel_has_seen_it() -> bool:
        # The other thread is free again once its part's failure was noted.
        return pool._work_queue.empty()

    pool = parallel._threads()
    with pytest.raises(ValueError, match="part 1"):
        parallel.run(work, 9, done.append)
    assert sorted(begun) == [0, 1]
    assert done == []


def test_the_first_failure_in_order_is_raised(parallel):
    """Of two that fail at once, the one whose part comes first."""
    both = threading.Barrier(2)

    def work(index: int) -> None:
        both.wait(20)
        raise ValueError(f"part {index}")

    with pytest.raises(ValueError, match="part 0"):
        parallel.run(work, 2)
