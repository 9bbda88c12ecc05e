"""`multiprocessing.Pool`, as its documentation has it."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import threading
import time

import pytest


def test_apply(pool):
    """Arguments by place and by keyword; what is raised is raised."""
    assert pool.apply(pow, (2, 3)) == 8
    assert pool.apply(int, ("11",), {"base": 2}) == 3
    with pytest.raises(ZeroDivisionError):
        pool.apply(divmod, (1, 0))


@pytest.mark.parametrize("items", [[], [1], range(50), (1, 2), {1: 2, 3: 4}, "abc"])
def test_map(pool, items):
    """Over whatever can be gone through, in its order."""
    assert pool.map(str, items) == list(map(str, items))
    assert pool.map(str, iter(items), 3) == list(map(str, items))


def test_starmap(pool):
    """The members of each item are the arguments."""
    pairs = [(n, 30 - n) for n in range(30)]
    assert pool.starmap(math.hypot, pairs) == list(itertools.starmap(math.hypot, pairs))
    assert pool.starmap(math.hypot, pairs, 4) == list(itertools.starmap(math.hypot, pairs))
    assert pool.starmap_async(math.hypot, pairs).get() == list(itertools.starmap(math.hypot, pairs))


def test_map_raises_what_a_task_raises(pool):
    """And the pool continues."""
    with pytest.raises(ValueError, match="invalid literal"):
        pool.map(int, ["1", "x", "3"])
    with pytest.raises(ValueError, match="invalid literal"):
        pool.map_async(int, ["x"]).get()
    assert pool.map(int, ["5"]) == [5]


def test_imap(pool):
    """In order, with any chunks; a failure in its place, and on behind it."""
    for chunksize in (1, 3, 100):
        assert list(pool.imap(str, range(20), chunksize)) == list(map(str, range(20)))
    results = pool.imap(int, ["1", "x", "3"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)
    assert next(results) == 3
    with pytest.raises(StopIteration):
        next(results)
    assert list(pool.imap(str, [])) == []


def test_imap_unordered(pool):
    """All results, in the order in which they come."""
    for chunksize in (1, 7):
        assert sorted(pool.imap_unordered(abs, range(30), chunksize)) == list(range(30))
    results = pool.imap_unordered(int, ["1", "x", "3"])
    found, raised = [], 0
    for _ in range(3):
        try:
            found.append(next(results))
        except ValueError:
            raised += 1
    assert (sorted(found), raised) == ([1, 3], 1)


def test_pending_results(pool):
    """`ready`, `successful`, `wait` and `get` with a timeout."""
    result = pool.apply_async(time.sleep, (0.4,))
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.01)
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    result.wait(0.01)
    assert not result.ready()
    result.wait()
    assert (result.ready(), result.successful(), result.get()) == (True, True, None)
    failed = pool.apply_async(divmod, (1, 0))
    failed.wait()
    assert not failed.successful()
    results = pool.imap(time.sleep, [0.3])
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(timeout=0.01)
    assert results.next() is None


def test_callbacks(pool):
    """With the result, or the exception, before `wait` returns."""
    called = []
    pool.apply_async(abs, (-1,), callback=called.append, error_callback=called.append).wait()
    pool.map_async(abs, [-1, -2], callback=called.append).wait()
    pool.starmap_async(pow, [(2, 2)], callback=called.append).wait()
    pool.apply_async(divmod, (1, 0), error_callback=lambda error: called.append(type(error))).wait()
    pool.map_async(int, ["x"], callback=called.append, error_callback=lambda error: called.append(type(error))).wait()
    deadline = time.monotonic() + 10
    while len(called) < 5 and time.monotonic() < deadline:  # the standard library sets its event first
        threading.Event().wait(0.01)
    assert called == [1, [1, 2], [4], ZeroDivisionError, ValueError]


def test_map_async_of_nothing(pool):
    """It is ready with an empty list."""
    assert pool.map_async(abs, []).get(30) == []


def test_a_task_that_exits(lambda_pool):
    """SystemExit is what it raised; in the standard library the call is waited for without end."""
    with pytest.raises(SystemExit):
        lambda_pool.apply(eval, ("(_ for _ in ()).throw(SystemExit(3))",))
    assert lambda_pool.apply(abs, (-1,)) == 1


def test_a_pool_cannot_be_pickled(pool):
    """Nor passed to another process."""
    import pickle

    with pytest.raises(NotImplementedError, match="cannot be passed between processes or pickled"):
        pickle.dumps(pool)


def test_an_iterable_that_ends_late(pool):
    """A generator is gone through."""
    assert pool.map(abs, (-n for n in range(100))) == list(range(100))
    assert list(pool.imap(abs, (-n for n in range(100)), 9)) == list(range(100))
