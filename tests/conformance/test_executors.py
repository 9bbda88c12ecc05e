"""`concurrent.futures`, as its documentation of Python 3.11 to 3.14 has it."""

from __future__ import annotations

import concurrent.futures as cf
import itertools
import operator
import sys
import threading
import time

import pytest

_SLEEP = 0.3


def test_submit_gives_a_future_of_the_result(executor):
    """With arguments by place and by keyword, also those named like the executor's own."""
    assert executor.submit(pow, 2, 5).result() == 32
    assert executor.submit(int, "11", base=2).result() == 3
    assert executor.submit(dict, self=1, fn=2).result() == {"self": 1, "fn": 2}
    assert isinstance(executor.submit(abs, -1), cf.Future)


@pytest.mark.parametrize("arguments", [(), ("fn",)])
def test_submit_needs_a_callable_by_place(executor, arguments):
    """As a method without it does."""
    with pytest.raises(TypeError):
        executor.submit(*(), **dict.fromkeys(arguments, abs))


def test_an_exception_is_raised_by_result_and_given_by_exception(executor):
    """It is the one that was raised, with its arguments."""
    future = executor.submit(operator.truediv, 1, 0)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        future.result()
    assert isinstance(future.exception(), ZeroDivisionError)
    assert executor.submit(abs, -1).exception() is None


def test_a_future_that_is_done(executor):
    """It can no longer be cancelled, and says so."""
    future = executor.submit(abs, -1)
    future.result()
    assert (future.done(), future.running(), future.cancelled(), future.cancel()) == (True, False, False, False)


def test_waiting_for_a_result_times_out(executor):
    """TimeoutError, the builtin one; the call continues."""
    future = executor.submit(time.sleep, _SLEEP)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    with pytest.raises(cf.TimeoutError):
        future.exception(timeout=0.01)
    assert future.result() is None


def test_callbacks_are_called_in_the_order_in_which_they_were_added(executor):
    """With the future, once; one that raises is logged; one that is added later is called at once."""
    future, called, ended = executor.submit(time.sleep, 0.05), [], threading.Event()
    future.add_done_callback(lambda done: called.append((1, done)))
    future.add_done_callback(lambda done: 1 / 0)
    future.add_done_callback(lambda done: (called.append((2, done)), ended.set()))
    assert ended.wait(30)
    future.add_done_callback(lambda done: called.append((3, done)))
    assert called == [(1, future), (2, future), (3, future)]


def test_map_is_ordered_and_ends_with_the_shortest(executor):
    """Side by side, like the builtin."""
    assert list(executor.map(pow, [2, 3, 4], [3, 2])) == [8, 9]
    assert list(executor.map(abs, [])) == []
    assert list(executor.map(pow, range(40), itertools.repeat(2, 50), chunksize=7)) == [n * n for n in range(40)]


def test_map_begins_at_once(executor):
    """Before its results are asked for."""
    results = executor.map(time.sleep, [0.01])
    deadline = time.monotonic() + 30
    assert next(results) is None
    assert time.monotonic() < deadline


def test_map_raises_where_the_result_would_come(executor):
    """And ends there."""
    results = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert [next(results), next(results)] == [(0, 1), (0, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_map_with_a_timeout(executor):
    """It counts from the call of map."""
    with pytest.raises(TimeoutError):
        list(executor.map(time.sleep, [0, _SLEEP * 4], timeout=0.1))


@pytest.mark.parametrize("chunksize", [0, -1])
def test_map_with_chunks_of_nothing(executor, chunksize):
    """ValueError, at the call."""
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=chunksize)


@pytest.mark.parametrize(("size", "error"), [("x", TypeError), (2.0, TypeError), (0, ValueError), (-1, ValueError)])
def test_map_with_a_buffersize_that_is_none(request, executor, size, error):
    """Python 3.14's parameter, refused at the call."""
    if sys.version_info < (3, 14) and "[processes" in request.node.nodeid:
        pytest.skip("new in Python 3.14")
    with pytest.raises(error):
        executor.map(abs, [1], buffersize=size)


def test_map_with_a_buffersize_pulls_no_more(request, executor):
    """As many items as are ahead of the results that were taken."""
    if sys.version_info < (3, 14) and "[processes" in request.node.nodeid:
        pytest.skip("new in Python 3.14")
    numbers = itertools.count()
    results = executor.map(str, numbers, buffersize=3)
    assert next(numbers) == 3
    assert [next(results), next(results)] == ["0", "1"]
    results.close()


def test_as_completed(executor):
    """Each future once, those that are done first, also if one is given twice."""
    slow, fast = executor.submit(time.sleep, _SLEEP), executor.submit(abs, -1)
    assert list(cf.as_completed([slow, fast, fast])) == [fast, slow]
    assert set(cf.as_completed([slow, fast], timeout=0)) == {slow, fast}
    assert list(cf.as_completed([])) == []


def test_as_completed_times_out(executor):
    """TimeoutError, behind those that are done."""
    fast, slow = executor.submit(abs, -1), executor.submit(time.sleep, _SLEEP * 3)
    fast.result()
    found = cf.as_completed([fast, slow], timeout=0.05)
    assert next(found) is fast
    with pytest.raises(TimeoutError):
        next(found)


def test_wait_for_the_first(executor):
    """Whatever its outcome."""
    slow, fast = executor.submit(time.sleep, _SLEEP * 2), executor.submit(abs, -1)
    done, left = cf.wait([slow, fast], return_when=cf.FIRST_COMPLETED)
    assert (done, left) == ({fast}, {slow})


def test_wait_for_the_first_exception(executor):
    """Or for all, where none is raised."""
    good, slow = executor.submit(abs, -1), executor.submit(time.sleep, _SLEEP * 3)
    bad = executor.submit(operator.truediv, 1, 0)
    done, left = cf.wait([good, slow, bad], return_when=cf.FIRST_EXCEPTION)
    assert bad in done
    assert left <= {slow, good}
    assert cf.wait([good, bad]).not_done == set()


def test_wait_with_a_timeout(executor):
    """What is not done by then is returned as such."""
    fast, slow = executor.submit(abs, -1), executor.submit(time.sleep, _SLEEP * 3)
    fast.result()
    assert cf.wait([fast, slow], timeout=0.01) == ({fast}, {slow})


def test_shutdown_waits_and_takes_no_more(make_executor):
    """What was given is done."""
    executor = make_executor()
    futures = [executor.submit(abs, -n) for n in range(3)]
    results = executor.map(abs, [-7, -8])
    executor.shutdown()
    executor.shutdown()
    assert [future.result() for future in futures] == [0, 1, 2]
    assert list(results) == [7, 8]
    for use in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="shutdown"):
            use()


def test_shutdown_that_does_not_wait(make_executor):
    """What was given is done all the same."""
    executor = make_executor()
    future = executor.submit(time.sleep, 0.1)
    executor.shutdown(wait=False)
    assert future.result() is None


def test_shutdown_that_cancels(make_executor):
    """What has not begun is cancelled, what has is not, and all waiting ends."""
    executor = make_executor()
    futures = [executor.submit(time.sleep, 0.3) for _ in range(12)]
    futures[0].result()
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert futures[-1].cancelled()
    with pytest.raises(cf.CancelledError):
        futures[-1].result()


@pytest.mark.parametrize("method", ["terminate_workers", "kill_workers"])
def test_running_calls_are_stopped(request, make_executor, method):
    """Python 3.14's: calls that run or wait come to an end without a result, and no more are taken."""
    if sys.version_info < (3, 14) and "[processes" in request.node.nodeid:
        pytest.skip("new in Python 3.14")
    executor = make_executor()
    executor.submit(abs, -1).result()
    futures = [executor.submit(time.sleep, 30) for _ in range(3)]
    getattr(executor, method)()
    done, left = cf.wait(futures, timeout=20)
    assert not left
    assert all(future.cancelled() or future.exception() is not None for future in done)
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


def test_an_executor_as_a_context(make_executor):
    """Its end waits, and an exception inside goes through."""
    with pytest.raises(KeyError), make_executor() as executor:
        future = executor.submit(abs, -1)
        raise KeyError
    assert future.result() == 1
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


@pytest.mark.parametrize("many", [100])
def test_more_calls_than_workers(executor, many):
    """All of them end."""
    futures = [executor.submit(divmod, n, 7) for n in range(many)]
    assert [future.result() for future in futures] == [divmod(n, 7) for n in range(many)]


def test_calls_from_many_threads(executor):
    """An executor can be used by all threads at once."""
    with cf.ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda n: executor.submit(pow, n, 2).result(), range(24))
        assert list(found) == [n * n for n in range(24)]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, StopAsyncIteration])
def test_a_call_that_raises_what_no_call_should(executor, error):
    """It is the future's exception; the executor continues."""
    raising = f"(_ for _ in ()).throw({error.__name__}(7))"
    with pytest.raises((error, RuntimeError)) as here:  # how a generator handles StopIteration depends on the Python
        eval(raising)
    assert type(executor.submit(eval, raising).exception()) is here.type
    assert executor.submit(abs, -1).result() == 1


def test_large_arguments_and_results(executor):
    """They go both ways."""
    data = bytes(range(256)) * 20_000
    assert executor.submit(bytes.upper, data).result() == data.upper()
