"""Documented usage as type checkers see it; checked by `make lint`, never run.

`assert_type` says what must be inferred. A `type: ignore` marks what must be refused: both checkers report one that is
not needed.
"""

import asyncio
import concurrent.futures
from collections.abc import Iterator
from concurrent.futures import Future
from typing import assert_type

import lambdamagic
from lambdamagic import LambdaExecutor, LambdaPool, Reference, RemoteFunction


def score(x: int, *, scale: float = 1.0) -> float:
    """Stand for the user's function."""
    return x * scale


def pair(x: int, y: str) -> tuple[int, str]:
    """Stand for one of two arguments."""
    return x, y


def executors() -> None:
    """Futures and maps know the result's type; submit knows the callable's arguments."""
    with LambdaExecutor(max_workers=4, memory_mb=1024) as executor:
        assert_type(executor, LambdaExecutor)
        assert_type(executor.submit(score, 3, scale=2.0), Future[float])
        assert_type(executor.submit(score, 3).result(), float)
        assert_type(executor.map(score, range(3)), Iterator[float])
        assert_type(executor.map(pair, [1], ["a"], timeout=3, chunksize=1, buffersize=2), Iterator[tuple[int, str]])
        executor.submit(score, "3")  # type: ignore[arg-type]
        executor.submit(score, 3, size=2.0)  # type: ignore[call-arg]
        executor.submit(score)  # type: ignore[call-arg]
        executor.map(score, 3)  # type: ignore[arg-type]
        standard: concurrent.futures.Executor = executor
        assert_type(standard.submit(score, 3), Future[float])
        for future in concurrent.futures.as_completed([executor.submit(score, 1)]):
            assert_type(future, Future[float])


@lambdamagic.remote
def plain(x: int) -> str:
    """Stand for a decorated function without options."""
    return str(x)


@lambdamagic.remote(memory_mb=512)
def with_options(x: int, *, times: int = 1) -> str:
    """Stand for a decorated function with options."""
    return str(x) * times


async def remote_functions() -> None:
    """A decorated function keeps its signature, in each way of calling it."""
    kept: RemoteFunction[[int], str] = plain
    assert_type(kept(1), str)
    assert_type(plain(1), str)
    assert_type(with_options(1, times=2), str)
    assert_type(with_options.submit(1, times=2), Future[str])
    assert_type(with_options.local(1), str)
    assert_type(with_options.map([1, 2]), Iterator[str])
    assert_type(await with_options.aio(1), str)
    assert_type(await asyncio.wrap_future(plain.submit(1)), str)
    plain("1")  # type: ignore[arg-type]
    with_options.submit(1, time=2)  # type: ignore[call-arg]


def pools() -> None:
    """The pool's results are typed."""
    with LambdaPool(2) as pool:
        assert_type(pool.apply(score, (1,)), float)
        assert_type(pool.apply_async(score, (1,), {"scale": 2.0}).get(timeout=3), float)
        assert_type(pool.map(score, [1, 2]), list[float])
        assert_type(pool.map_async(score, [1, 2]).get(), list[float])
        assert_type(pool.starmap(pair, [(1, "a")]), list[tuple[int, str]])
        assert_type(next(pool.imap(score, [1])), float)
        assert_type(pool.imap_unordered(score, [1]).next(timeout=1), float)
        pool.map(3, [1])  # type: ignore[arg-type]


def references() -> None:
    """A reference knows what it refers to, and stands where the object would."""
    reference = lambdamagic.put([1, 2, 3])
    assert_type(reference, Reference[list[int]])
    assert_type(reference.get(), list[int])
    lambdamagic.put()  # type: ignore[call-arg]
