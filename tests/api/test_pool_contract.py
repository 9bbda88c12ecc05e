"""What the standard library documents of `multiprocessing.Pool`, for its own and for ours."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
import zlib
from pathlib import Path

import pytest

from lambdamagic import LambdaFunctionError, LambdaPool, LambdaPoolError
from lambdamagic.errors import ConfigError, CredentialsError, JobCancelledError


def test_apply(pool):
    """The result of the call, or its exception."""
    assert pool.apply(pow, (2, 5)) == 32
    assert pool.apply(int, ("ff",), {"base": 16}) == 255
    with pytest.raises(ZeroDivisionError):
        pool.apply(operator.truediv, (1, 0))


def test_apply_async(pool):
    """ready, wait, successful and get; each result has its own callback."""
    found, failed = [], []
    good = pool.apply_async(abs, (-3,), callback=found.append, error_callback=failed.append)
    bad = pool.apply_async(int, ("x",), callback=found.append, error_callback=failed.append)
    good.wait(30)
    bad.wait(30)
    assert (good.ready(), good.successful(), bad.successful()) == (True, True, False)
    assert good.get() == 3
    with pytest.raises(ValueError, match="x"):
        bad.get()
    assert found == [3]
    assert [type(error) for error in failed] == [ValueError]


def test_results_that_do_not_come_in_time(pool, gate):
    """get and next raise multiprocessing.TimeoutError; successful is unknown yet."""
    result = pool.apply_async(Path.read_text, (gate.path,))
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(0.01)
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    assert not result.ready()
    gate.open()
    assert result.get(30) == "opened"
    results = pool.imap(Path.read_text, [gate.path])
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(timeout=0.01)
    gate.open()
    assert results.next(timeout=30) == "opened"


def test_map(pool):
    """Results in order; any iterable; any chunksize."""
    assert pool.map(abs, range(-50, 0)) == list(range(50, 0, -1))
    assert pool.map(abs, iter([-1, -2, -3]), chunksize=2) == [1, 2, 3]
    assert pool.map(abs, []) == []


def test_map_raises_what_a_task_raised(pool):
    """Once all have ended."""
    with pytest.raises(ValueError, match="x"):
        pool.map(int, ["1", "x", "3"])


def test_map_async(pool):
    """One result for all, with callbacks."""
    found, failed = [], []
    good = pool.map_async(abs, [-1, -2], callback=found.append, error_callback=failed.append)
    bad = pool.map_async(int, ["x"], callback=found.append, error_callback=failed.append)
    assert good.get(30) == [1, 2]
    bad.wait(30)
    assert not bad.successful()
    assert found == [[1, 2]]
    assert [type(error) for error in failed] == [ValueError]


def test_starmap(pool):
    """Each item is the arguments."""
    assert pool.starmap(pow, [(2, 3), (3, 2)]) == [8, 9]
    assert pool.starmap_async(pow, iter([(2, 4)])).get(30) == [16]


def test_imap(pool):
    """Results in order, one by one; a failure is in its place and the rest still comes."""
    results = pool.imap(int, ["1", "x", "3"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="x"):
        next(results)
    assert list(results) == [3]


def test_imap_unordered(pool):
    """All results, in any order."""
    assert sorted(pool.imap_unordered(abs, range(-30, 0))) == list(range(1, 31))


def test_a_pool_cannot_be_pickled(pool):
    """It is of this process."""
    with pytest.raises(NotImplementedError):
        pickle.dumps(pool)


def test_a_running_pool_cannot_be_joined(pool):
    """It must be closed or terminated before."""
    with pytest.raises(ValueError, match="still running"):
        pool.join()


def test_a_closed_pool_takes_no_more():
    """What it was given is done."""
    pool = LambdaPool(1)
    results = [pool.apply_async(abs, (-n,)) for n in range(5)]
    lazy = pool.imap(abs, [-1, -2])
    pool.close()
    with pytest.raises(ValueError, match="not running"):
        pool.apply_async(abs, (1,))
    pool.join()
    assert [result.get(0) for result in results] == [0, 1, 2, 3, 4]
    assert list(lazy) == [1, 2]


def test_leaving_the_context_terminates(gate):
    """What waits is dropped; its results say so instead of waiting for ever."""
    with LambdaPool(1) as pool:
        running = pool.apply_async(Path.read_text, (gate.path,))
        waiting = pool.apply_async(abs, (-1,))
        mapped = pool.map_async(Path.read_text, [gate.path] * 3)
        lazy = pool.imap(Path.read_text, [gate.path])
    for result in (running, waiting, mapped):
        with pytest.raises(JobCancelledError):
            result.get(30)
    with pytest.raises(JobCancelledError):
        next(lazy)
    pool.join()


def test_arguments_of_the_constructor():
    """At least one worker; both names of their number."""
    with pytest.raises(ValueError, match="at least 1"):
        LambdaPool(0)
    with pytest.raises(TypeError, match="give one of them"):
        LambdaPool(2, processes=3)
    with LambdaPool(processes=1) as pool:
        assert pool.apply(abs, (-1,)) == 1


def test_its_errors(lambda_pool, define):
    """What AWS raised is a LambdaFunctionError, and what cannot be rebuilt here a LambdaPoolError."""
    import os

    with pytest.raises(LambdaFunctionError):
        lambda_pool.apply(os._exit, (1,))
    fail = define(
        "class Odd(Exception):\n    def __reduce__(self):\n        raise TypeError\ndef fail():\n    raise Odd('x')"
    )
    with pytest.raises(LambdaPoolError, match="Odd: x"):
        lambda_pool.apply(fail)


def test_an_item_that_cannot_be_sent(lambda_pool):
    """Fails the map, as it does in the standard library."""
    with pytest.raises(Exception, match="item 0 cannot be sent"):
        lambda_pool.map(str, [zlib.compressobj()])


def test_a_deployed_function_with_explicit_keys(local_server, define):
    """The keys that are given are used, and no bucket is needed for what is small."""
    from lambdamagic.api import process
    from lambdamagic.api.options import Access
    from lambdamagic.config import load_settings
    from lambdamagic.pythons import python_here
    from lambdamagic.targets.target import FunctionWish

    target = process.target(load_settings().settings, Access())
    function = target.function_for(FunctionWish(2048, 300, python_here()))
    there = local_server.connection
    options = {"lambda_function": function.name, "aws_region_name": there.region, "endpoint_url": there.endpoint_url}
    keys = {"aws_access_key_id": there.access_key_id, "aws_secret_access_key": there.secret_access_key}
    by_place = (2, function.name, *keys.values(), there.region)
    add = define("def add(x):\n    return x + 1")
    with LambdaPool(2, **options, **keys) as pool:
        assert pool.map(add, range(5)) == [1, 2, 3, 4, 5]
    with LambdaPool(*by_place, endpoint_url=there.endpoint_url) as pool:
        assert pool.apply(add, (1,)) == 2
    refused = LambdaPool(2, **options, **{**keys, "aws_secret_access_key": "another"})
    with pytest.raises(CredentialsError):
        refused.map(add, range(5))


def test_keywords_are_multiprocessings(pool):
    """A call by keyword works for both."""
    assert pool.apply(func=int, args=("11",), kwds={"base": 2}) == 3
    assert pool.map(func=abs, iterable=[-1], chunksize=1) == [1]
    assert pool.starmap(func=pow, iterable=[(2, 2)], chunksize=1) == [4]
    assert list(pool.imap(func=abs, iterable=[-1], chunksize=1)) == [1]
    assert pool.apply_async(func=abs, args=[-5], kwds={}).get(timeout=30) == 5


def test_an_iterable_that_fails(pool):
    """Its exception is raised by map, starmap and map_async themselves."""

    def items():
        yield (1, 2)
        raise LookupError("no more")

    for method in (pool.map, pool.starmap, pool.map_async):
        with pytest.raises(LookupError, match="no more"):
            method(pow, items())
    with pytest.raises(TypeError):
        pool.map(abs, 3)


def test_starmap_that_fails(pool):
    """By what a task raised, or by an item that is no arguments."""
    with pytest.raises(ZeroDivisionError):
        pool.starmap(divmod, [(1, 1), (1, 0)])
    failed = []
    result = pool.starmap_async(divmod, [(1, 0)], error_callback=failed.append)
    result.wait(30)
    assert (result.successful(), [type(error) for error in failed]) == (False, [ZeroDivisionError])


def test_waiting(pool, gate):
    """wait returns None whether or not the result came; get(0) does not wait."""
    result = pool.map_async(Path.read_text, [gate.path])
    assert result.wait(0.01) is None
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0)
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    gate.open()
    assert result.wait(timeout=30) is None
    assert (result.ready(), result.successful(), result.get(0)) == (True, True, ["opened"])


@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_imap_in_chunks(pool, method):
    """Any chunksize of 1 or more; a failure is one item's, and the iterator stays at its end."""
    assert sorted(getattr(pool, method)(abs, iter(range(-9, 0)), 4)) == list(range(1, 10))
    with pytest.raises(ValueError, match="Chunksize must be 1"):
        getattr(pool, method)(abs, [1], chunksize=0)
    results, found = getattr(pool, method)(int, ["1", "x", "3"]), []
    for _ in range(3):
        try:
            found.append(next(results))
        except ValueError:
            found.append(-1)
    assert sorted(found) == [-1, 1, 3]
    assert [next(results, "end"), next(results, "end")] == ["end", "end"]


def test_callbacks_come_before_get(pool):
    """Whoever has the result knows that its callback was called."""
    found = []
    for number in range(5):
        assert pool.apply_async(abs, (-number,), callback=found.append).get(30) == number
        assert found[-1] == number


@pytest.mark.parametrize("end", ["close", "terminate"])
@pytest.mark.parametrize("kind", ["processes", "lambda"])
def test_after_its_end(kind, end):
    """Each method raises ValueError, and so does a second with; ending and joining may be repeated."""
    pool = multiprocessing.get_context("spawn").Pool(1) if kind == "processes" else LambdaPool(1)
    getattr(pool, end)()
    for name in ("apply", "apply_async"):
        with pytest.raises(ValueError, match="Pool not running"):
            getattr(pool, name)(abs, (1,))
    for name in ("map", "map_async", "imap", "imap_unordered", "starmap", "starmap_async"):
        with pytest.raises(ValueError, match="Pool not running"):
            getattr(pool, name)(abs, [1])
    with pytest.raises(ValueError, match="Pool not running"):
        pool.__enter__()
    getattr(pool, end)()
    pool.terminate()
    pool.join()
    pool.join()


def test_arguments_that_are_refused():
    """Half a key, and processes of a certain kind."""
    with pytest.raises(ConfigError, match="go together"):
        LambdaPool(1, aws_access_key_id="alone")
    with pytest.raises(ConfigError, match="mp_context"):
        LambdaPool(1, context=multiprocessing.get_context("spawn"))
