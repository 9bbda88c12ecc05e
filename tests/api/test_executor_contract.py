"""What the standard library documents of executors and futures, for its own `ProcessPoolExecutor` and for ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import operator
import sys
import threading
import time
import zlib
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from pathlib import Path

import pytest

from lambdamagic import LambdaExecutor


def test_submit(executor):
    """The result of the call with its arguments."""
    assert executor.submit(pow, 3, 4).result() == 81
    assert executor.submit(int, "ff", base=16).result() == 255


def test_exceptions_keep_type_and_arguments(executor):
    """What the callable raised is raised by the future, as it was."""
    future = executor.submit(operator.getitem, {}, "missing")
    error = future.exception()
    assert type(error) is KeyError
    assert error.args == ("missing",)
    with pytest.raises(KeyError):
        future.result()


def test_system_exit_in_the_callable(executor):
    """It ends the call, not the worker and not the client."""
    error = executor.submit(sys.exit, 3).exception()
    assert type(error) is SystemExit
    assert error.code == 3
    assert executor.submit(abs, -1).result() == 1


def test_map_keeps_the_order(executor):
    """Results come in the order of the items."""
    assert list(executor.map(math.factorial, range(200))) == [math.factorial(n) for n in range(200)]


def test_map_over_several_iterables_ends_with_the_shortest(executor):
    """As the builtin map does."""
    assert list(executor.map(pow, [2, 3, 4], range(2))) == [1, 3]


def test_map_of_nothing(executor):
    """No items, no results."""
    assert list(executor.map(abs, [])) == []


def test_map_raises_at_the_failed_items_position(executor):
    """Results before it are given; then its exception; then nothing."""
    results = executor.map(int, ["1", "2", "x", "4"])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="x"):
        next(results)
    assert list(results) == []


def test_map_times_out(executor):
    """Taking a result after the timeout raises TimeoutError."""
    results = executor.map(time.sleep, [0.4], timeout=0.01)
    with pytest.raises(TimeoutError):
        list(results)


def test_map_takes_the_items_at_once(executor):
    """What happens to the list afterwards changes nothing."""
    items = [1, 2, 3]
    results = executor.map(abs, items)
    items.clear()
    assert list(results) == [1, 2, 3]


def test_map_refuses_a_chunksize_of_nothing(executor):
    """A chunk has at least one task."""
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=0)


def test_as_completed_and_wait(executor):
    """The standard library's own functions take the futures."""
    futures = [executor.submit(abs, -number) for number in range(6)]
    assert sorted(future.result() for future in as_completed(futures)) == [0, 1, 2, 3, 4, 5]
    done, waiting = wait([executor.submit(int, "x"), *futures], return_when=FIRST_EXCEPTION)
    assert len(done) >= 1
    assert len(done) + len(waiting) == 7


def test_callbacks(executor):
    """They are called with the future when it is done, also if they are added later."""
    called, event = [], threading.Event()
    future = executor.submit(abs, -2)
    future.add_done_callback(lambda done: (called.append(done), event.set()))
    assert event.wait(30)
    future.add_done_callback(called.append)
    assert called == [future, future]


def test_a_result_that_does_not_come_in_time(executor, gate):
    """result(timeout) raises TimeoutError; the call continues."""
    future = executor.submit(Path.read_text, gate.path)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    gate.open()
    assert future.result() == "opened"


def test_arguments_that_cannot_be_pickled(executor):
    """They are the future's failure, not submit's; the executor continues."""
    future = executor.submit(str, zlib.compressobj())
    assert "pickle" in str(future.exception())
    assert executor.submit(abs, -1).result() == 1


def test_results_that_cannot_be_pickled(executor):
    """They are the future's failure."""
    assert "pickle" in str(executor.submit(zlib.compressobj).exception())


def test_in_an_event_loop(executor):
    """run_in_executor and wrap_future await it."""

    async def main():
        loop = asyncio.get_running_loop()
        first = loop.run_in_executor(executor, pow, 2, 5)
        second = asyncio.wrap_future(executor.submit(pow, 2, 6))
        return await asyncio.gather(first, second)

    assert asyncio.run(main()) == [32, 64]


def test_running_and_cancelling(make_executor, gate):
    """A running call cannot be cancelled; a waiting one can, and never runs."""
    executor = make_executor()
    first = executor.submit(Path.read_text, gate.path)
    waiting = [executor.submit(abs, number) for number in range(6)]
    assert waiting[-1].cancel()
    assert waiting[-1].cancelled()
    with pytest.raises(CancelledError):
        waiting[-1].result()
    gate.open()
    assert first.result() == "opened"
    assert [future.result() for future in waiting[:-1]] == [0, 1, 2, 3, 4]
    assert not first.cancel()


def test_no_work_after_shutdown(make_executor):
    """submit and map raise RuntimeError; a second shutdown does nothing."""
    executor = make_executor()
    future = executor.submit(abs, -1)
    executor.shutdown()
    assert future.done()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(abs, [1])
    executor.shutdown()


def test_leaving_the_context_waits(make_executor):
    """All that was given is done; results can be taken afterwards."""
    with make_executor() as executor:
        future = executor.submit(abs, -1)
        results = executor.map(abs, range(-20, 0))
    assert future.done()
    assert list(results) == list(range(20, 0, -1))


def test_shutdown_that_cancels(make_executor, gate):
    """What has not started is cancelled, running calls end as they would have."""
    executor = make_executor()
    first = executor.submit(Path.read_text, gate.path)
    deadline = time.monotonic() + 30
    while not first.running():  # one that has not begun would be cancelled like the others
        wait([first], timeout=0.01)
        assert time.monotonic() < deadline
    waiting = [executor.submit(abs, number) for number in range(8)]
    executor.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(CancelledError):
        waiting[-1].result(timeout=30)
    gate.open()
    assert first.result() == "opened"
    executor.shutdown()
    # The standard library's second shutdown does not wait any more: its last future may end a moment later.
    for future in waiting:
        with contextlib.suppress(CancelledError):
            future.result(timeout=30)


def test_keyword_arguments_have_any_name(executor):
    """Also the names of submit's own parameters."""
    assert executor.submit(dict, fn=1, self=2, args=3, kwargs=4).result() == {
        "fn": 1,
        "self": 2,
        "args": 3,
        "kwargs": 4,
    }


@pytest.mark.parametrize("chunksize", [1, 7, 1000])
def test_map_in_chunks(executor, chunksize):
    """Whatever their size, the results are the same, and a failure is in its place."""
    assert list(executor.map(abs, range(-20, 0), chunksize=chunksize)) == list(range(20, 0, -1))


def test_map_over_iterables_that_fail(executor):
    """What an iterable raises is raised by map itself."""

    def items():
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        executor.map(abs, items())
    with pytest.raises(TypeError):
        executor.map(abs, 3)
    assert list(executor.map(abs, [-1])) == [1]


def test_map_over_no_iterables(executor):
    """Calls nothing."""
    assert list(executor.map(abs)) == []


def test_map_that_has_time(executor):
    """A timeout that does not pass changes nothing."""
    assert list(executor.map(abs, [-1, -2], timeout=60)) == [1, 2]


def test_a_map_that_ended_stays_at_its_end(executor):
    """Its iterator can be asked again."""
    results = executor.map(abs, [-1])
    assert [next(results), next(results, None), next(results, None)] == [1, None, None]


def test_waiting_for_a_time(executor, gate):
    """wait returns what is done and what is not; as_completed raises TimeoutError; the same future twice is one."""
    held, quick = executor.submit(Path.read_text, gate.path), executor.submit(abs, -1)
    assert wait([quick, held, quick], return_when=FIRST_COMPLETED) == ({quick}, {held})
    assert wait([quick, held], timeout=0.01) == ({quick}, {held})
    with pytest.raises(TimeoutError):
        held.exception(timeout=0.01)
    taken = as_completed([held, quick], timeout=0.05)
    assert next(taken) is quick
    with pytest.raises(TimeoutError):
        next(taken)
    gate.open()
    assert wait([quick, held], return_when=ALL_COMPLETED) == ({quick, held}, set())
    assert (held.exception(), held.done(), held.running(), held.cancelled()) == (None, True, False, False)


def test_a_callback_that_fails(executor, caplog):
    """It is logged; the others are called, in the order in which they were added, and the result is there."""
    called, event = [], threading.Event()
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        future = executor.submit(abs, -1)
        future.add_done_callback(lambda _: called.append("first"))
        future.add_done_callback(operator.methodcaller("no_such_method"))
        future.add_done_callback(lambda _: (called.append("last"), event.set()))
        assert event.wait(30)
    assert called == ["first", "last"]
    assert future.result() == 1
    assert "calling callback" in caplog.text


def test_a_callback_that_submits(executor):
    """A callback may use the executor that calls it."""
    found, event = [], threading.Event()

    def follow(done):
        executor.submit(abs, done.result() - 10).add_done_callback(lambda later: (found.append(later), event.set()))

    executor.submit(abs, -3).add_done_callback(follow)
    assert event.wait(30)
    assert found[0].result() == 7


def test_from_many_threads(executor):
    """submit and map may be called by any thread."""
    found = {}

    def use(number):
        found[number] = [executor.submit(abs, -number).result(), *executor.map(abs, [number])]

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: [number, number] for number in range(8)}


def test_an_awaited_call_that_fails_or_takes_too_long(executor, gate):
    """The exception is raised in the coroutine; a timeout there leaves the executor in order."""

    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(executor, operator.truediv, 1, 0)
        held = asyncio.wrap_future(executor.submit(Path.read_text, gate.path))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(held), 0.05)
        await asyncio.to_thread(gate.open)
        return await held

    assert asyncio.run(main()) == "opened"


def test_leaving_the_context_by_an_exception(make_executor):
    """It is raised, after what was given is done."""
    futures = []

    def use():
        with make_executor() as executor:
            futures.append(executor.submit(abs, -1))
            raise LookupError

    with pytest.raises(LookupError):
        use()
    assert futures[0].done()


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(workers):
    """Neither executor takes less than one."""
    for kind in (ProcessPoolExecutor, LambdaExecutor):
        with pytest.raises(ValueError, match="max_workers must be greater than 0"):
            kind(max_workers=workers)
