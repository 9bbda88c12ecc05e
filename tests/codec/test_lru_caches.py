"""What `functools.lru_cache` remembers: read, and given to another function."""

from __future__ import annotations

import enum
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdamagic.codec import lru_caches
from lambdamagic.codec.lru_caches import Remembered, give, remembered


class Key:
    """Is hashed by its identity."""

    def __init__(self, held: Any = None) -> None:
        self.held = held


class ByValue:
    """Is hashed by what it holds."""

    def __init__(self, held: int = 1) -> None:
        self.held = held

    def __hash__(self) -> int:
        return self.held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue)


class Slotted:
    """Has no dictionary of attributes."""

    __slots__ = ()


class Text(str):
    """A library's subclass."""


class Color(enum.Enum):
    """A class whose members are found by its name."""

    RED = 1


@pytest.fixture(autouse=True)
def _of_the_notebook() -> Iterator[None]:
    """Let classes here be those of a notebook."""
    kinds: list[type] = [Key, ByValue, Slotted, Text, Color]
    for kind in kinds:
        kind.__module__ = "__main__"
    yield
    for kind in kinds:
        kind.__module__ = __name__


def _cached(**options: Any) -> Any:
    return functools.lru_cache(**options)(lambda *args, **kwargs: ("result", args, sorted(kwargs.items())))


def _calls(function: Any, calls: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[Any]:
    return [function(*args, **kwargs) for args, kwargs in calls]


_CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    (("a",), {}),
    ((2, 3), {}),
    ((), {"k": 4}),
    ((5,), {"k": 6, "m": 7}),
    ((8.5, None), {"z": b"b"}),
    (((1, 2),), {}),
    ((), {}),
]


@pytest.mark.parametrize("options", [{}, {"maxsize": None}, {"typed": True}, {"maxsize": None, "typed": True}])
def test_calls_and_results_are_read(options: dict[str, Any]) -> None:
    """Oldest first, with the counters, whatever the arguments are and however the cache keeps them."""
    function = _cached(**options)
    results = _calls(function, _CALLS)
    _calls(function, _CALLS[-1:] * 2)
    found = remembered(function)
    assert found == Remembered(tuple(_CALLS), tuple(results), 2, len(_CALLS))


def test_the_order_is_that_of_the_last_use() -> None:
    """What was used last is the last to be forgotten there too."""
    function = _cached(maxsize=3)
    for number in (1, 2, 3, 4, 2):
        function(number)
    assert [args for args, _ in remembered(function).calls] == [(3,), (4,), (2,)]


@pytest.mark.parametrize("options", [{}, {"maxsize": 2}, {"maxsize": None}, {"typed": True}, {"maxsize": 0}])
def test_another_function_is_given_it(options: dict[str, Any]) -> None:
    """Its counters are the same, what is remembered is returned, and its code is its own afterwards."""
    function, other = _cached(**options), _cached(**options)
    other("forgotten")
    _calls(function, [*_CALLS, _CALLS[-1], _CALLS[-1]])
    found = remembered(function)
    code = other.__wrapped__.__code__
    give(other, Remembered(found.calls, tuple(["given", n] for n in range(len(found.calls))), found.hits, found.misses))
    assert other.cache_info() == function.cache_info()
    assert other.__wrapped__.__code__ is code
    assert remembered(other).calls == found.calls, "in the order of their last use"
    given = _calls(other, list(found.calls))
    assert given == [["given", n] for n in range(len(found.calls))]
    assert other("new")[0] == "result"


def test_what_was_forgotten_here_is_forgotten_there() -> None:
    """A cache that was cleared, or has not been used."""
    used, unused = _cached(), _cached()
    used(1)
    assert remembered(unused) == Remembered() == ((), (), 0, 0)
    give(used, remembered(unused))
    assert used.cache_info() == unused.cache_info()
    assert used(1)[0] == "result"


def test_what_is_not_python_code_is_not_filled() -> None:
    """A function in C cannot return what is to be remembered; its cache is empty there."""
    cached: Any = functools.lru_cache(abs)
    cached(-1)
    give(cached, Remembered((((-2,), {}),), (7,), 0, 1))
    assert cached.cache_info().currsize == 0
    assert cached(-2) == 2


def test_a_closure_keeps_its_variables() -> None:
    """While its cache is filled its code has them too."""

    def made(added: int) -> Any:
        return functools.lru_cache(lambda x: x + added)

    one, other = made(1), made(2)
    one(1)
    give(other, remembered(one))
    assert (other(1), other(2)) == (2, 4)


_PLAIN: list[Callable[[], Any]] = [
    lambda: [1, 2.5, 1j, True, "a", b"b", None],
    lambda: {"a": ({1}, frozenset({2}))},
    lambda: Key([1, Key()]),
    lambda: int,
    lambda: "x" * 100_000,
]
_OTHER: list[Callable[[], Any]] = [
    lambda: object(),
    lambda: [ByValue()],
    lambda: Slotted(),
    lambda: Text("a"),
    lambda: {1: sys},
    lambda: {sys: 1},
    lambda: Key(sys),
    lambda: "x" * 100_001,
    lambda: b"x" * 100_001,
]


@pytest.mark.parametrize(("make", "is_sent"), [*((each, True) for each in _PLAIN), *((each, False) for each in _OTHER)])
@pytest.mark.parametrize("is_argument", [False, True])
def test_what_is_remembered_is_plain(make: Callable[[], Any], is_sent: bool, is_argument: bool) -> None:
    """Numbers, texts, containers of them and the notebook's own; a cache with anything else, or much, is left out."""
    value = make()
    function = functools.lru_cache(lambda _: value)
    if is_argument:
        function = functools.lru_cache(lambda x: x.held is value)
    function(Key(value) if is_argument else 1)
    found = remembered(function)
    assert found.misses == is_sent
    assert len(found.calls) == len(found.results) == is_sent


@pytest.mark.parametrize(("size", "is_sent"), [(999, True), (1000, False)])
def test_a_result_of_many_parts_is_left_out(size: int, is_sent: bool) -> None:
    """The bound is 1,000, with the list itself."""
    value = list(range(size))
    function = functools.lru_cache(lambda _: value)
    function(1)
    assert bool(remembered(function).results) is is_sent


@pytest.mark.parametrize("options", [{}, {"maxsize": None}])
def test_a_dictionary_as_long_as_the_cache_is_a_result(options: dict[str, Any]) -> None:
    """It is not taken for the cache."""
    function = functools.lru_cache(**options)(lambda x: {x: 1, -x: 2})
    for number in (1, 2):
        function(number)
    assert remembered(function).results == ({1: 1, -1: 2}, {2: 1, -2: 2})


def test_what_cannot_be_paired_is_left_out() -> None:
    """A result that the collector lists as the cache's own."""
    function: Any = functools.lru_cache(lambda _: type(function))
    function(1)
    assert remembered(function) == Remembered()


def test_members_of_an_enum_are_no_plain_instances() -> None:
    """They are found by their class's name."""
    assert lru_caches._is_of_the_notebook(Key)
    assert not lru_caches._is_of_the_notebook(Color)
    assert not lru_caches._is_of_the_notebook(type(Color))


def test_a_large_cache_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entries can be computed again."""
    function = _cached(maxsize=None)
    monkeypatch.setattr(lru_caches, "_MAX_ENTRIES", 2)
    _calls(function, _CALLS[:2])
    assert len(remembered(function).calls) == 2
    function("third")
    assert remembered(function) == Remembered()


def test_very_many_hits_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are misses: the counters have a bound."""
    monkeypatch.setattr(lru_caches, "_MAX_HITS", 3)
    function = _cached()
    give(function, Remembered((((1,), {}),), ("a",), 10, 20))
    assert function.cache_info()[:2] == (3, 4)
