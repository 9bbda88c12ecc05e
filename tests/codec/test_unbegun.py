"""Generators that have not begun are calls, locks that are not held are new ones, and matches are found again."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lambdamagic.codec.unbegun import call_of, is_unlocked, progress, search_of


def _generator(a: Any, b: Any = 2, /, c: Any = 3, *rest: Any, d: Any = 4, e: Any = 5, **more: Any) -> Iterator[Any]:
    local = yield a
    yield local


def _few(a: Any) -> Iterator[Any]:
    other = yield a
    yield other


def _keywords(*, a: Any, **more: Any) -> Iterator[Any]:
    yield a


def _many(a: Any, *rest: Any) -> Iterator[Any]:
    yield a


async def _coroutine(a: Any) -> Any:
    await asyncio.sleep(0)
    return a


async def _asynchronous(a: Any) -> AsyncIterator[Any]:
    yield a
    yield a


def test_how_far_a_generator_is() -> None:
    """Not begun, begun or at its end; one that runs has begun."""
    seen: list[str] = []

    def running() -> Iterator[None]:
        seen.append(progress(value))
        yield

    value = running()
    seen.append(progress(value))
    next(value)
    seen.append(progress(value))
    next(value, None)
    assert [*seen, progress(value)] == ["created", "begun", "begun", "closed"]


def test_how_far_coroutines_are() -> None:
    """Asynchronous generators, too."""
    coroutine: Any = _coroutine(1)
    value: Any = _asynchronous(1)
    assert (progress(coroutine), progress(value)) == ("created", "created")
    coroutine.send(None)
    asyncio.run(anext(value))
    assert (progress(coroutine), progress(value)) == ("begun", "begun")
    coroutine.close()
    asyncio.run(value.aclose())
    assert (progress(coroutine), progress(value)) == ("closed", "closed")


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (_generator, (1,), {}, ((1, 2, 3), {"d": 4, "e": 5})),
        (_generator, (1, 6, 7, 8, 9), {"d": 10, "f": 11}, ((1, 6, 7, 8, 9), {"d": 10, "e": 5, "f": 11})),
        (_few, (1,), {}, ((1,), {})),
        (_keywords, (), {"a": 1, "b": 2}, ((), {"a": 1, "b": 2})),
        (_many, (1, 2, 3), {}, ((1, 2, 3), {})),
        (_asynchronous, (1,), {}, ((1,), {})),
    ],
)
def test_the_call_that_makes_a_generator(function: Any, args: Any, kwargs: Any, expected: Any) -> None:
    """Its function, and the arguments as it has them."""
    assert call_of(function(*args, **kwargs)) == (function, *expected)


def test_what_has_begun_cannot_be_made_again() -> None:
    """The message says whether it has ended, or that nothing leads to its function."""
    value: Any = _few(1)
    next(value)
    with pytest.raises(TypeError, match=r"^cannot pickle 'generator' object: it has begun$"):
        call_of(value)
    value.close()
    with pytest.raises(TypeError, match=r"^cannot pickle 'generator' object: it has ended$"):
        call_of(value)


def test_a_lock_that_is_held_is_seen() -> None:
    """Of both kinds."""
    for lock in (threading.Lock(), threading.RLock()):
        assert is_unlocked(lock)
        with lock:
            assert not is_unlocked(lock)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (re.compile("b").search("abcb"), ("search", 0)),
        (re.compile("b").search("abcb", 1), ("search", 1)),
        (re.compile("a").match("abca"), ("search", 0)),
        (re.compile("a*?").match("aa"), ("search", 0)),
        (re.compile("a*?").fullmatch("aa"), ("fullmatch", 0)),
        (re.compile("a*?").fullmatch("xaay", 1, 3), ("fullmatch", 1)),
        ([*re.finditer("b", "abcb")][1], ("search", 3)),
        (re.compile("^b|b$").search("abb", 0, 2), ("search", 0)),
    ],
)
def test_a_match_is_found_again(match: Any, expected: Any) -> None:
    """By the method and the position that give the same groups."""
    assert search_of(match) == expected
    found = getattr(match.re, expected[0])(match.string, expected[1], match.endpos)
    assert found.regs == match.regs


def test_a_match_that_no_search_finds_is_refused() -> None:
    """Such as one that another at the same place came before."""
    match = [*re.finditer("|a", "ab")][1]
    assert match.group() == "a"
    with pytest.raises(TypeError, match=r"^cannot pickle 're.Match' object: its match cannot be repeated$"):
        search_of(match)
