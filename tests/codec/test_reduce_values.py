"""How locks, matches, caches, files and other objects of the standard library are sent."""

from __future__ import annotations

import contextvars
import dataclasses
import functools
import io
import itertools
import operator
import queue
import re
import struct
import threading
import types
import typing
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.codec import rebuild, rebuild_values
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_values import RULES, dataclass_sentinel, reduced_quietly, variable_content
from lambdamagic.codec.reducers import Reducers


def _reduced(value: Any, *, answers: bool = False) -> Any:
    reducers = Reducers(Home({}, answers=answers))
    return RULES[type(value)](reducers, value)


def _sent(value: Any, **home: Any) -> Any:
    encoder = Encoder(Home(home))
    encoder.dump(value)
    return Decoder(encoder.frames().segments, Home({}, answers=True)).load()


@functools.lru_cache
def importable(x: int) -> int:
    """Can be imported."""
    return x


def _cached(**options: Any) -> Any:
    decorate: Any = functools.lru_cache(**options)

    @decorate  # type: ignore[untyped-decorator]  # of any options
    def double(x: int) -> int:
        return 2 * x

    double.note = 5
    return double


def test_caches_of_functions() -> None:
    """With what they remember, their size, and attributes; an importable one is that one."""
    assert _reduced(importable) is NotImplemented
    for maxsize, typed in ((8, True), (None, False)):
        value = _cached(maxsize=maxsize, typed=typed)
        value.__module__ = "__main__"
        value.__wrapped__.__module__ = "__main__"
        assert len(_reduced(value)) == 2
        value(1), value(1), value(2)  # fills the cache
        found = _sent(value)
        assert found.cache_parameters() == {"maxsize": maxsize, "typed": typed}
        assert found.cache_info() == value.cache_info()
        assert (found.note, found(1), found.__wrapped__ is value.__wrapped__) == (5, 2, False)
        assert "cache_parameters" not in _reduced(value)[1][2]


def test_a_cached_property() -> None:
    """Its function, its name, and its words."""

    class A:
        @functools.cached_property
        def slow(self) -> int:
            """Says it."""
            return 1

    found: Any = rebuild.cached_property(*_reduced(vars(A)["slow"])[1])
    assert (found.func, found.attrname, found.__doc__) == (vars(A)["slow"].func, "slow", "Says it.")
    assert dataclass_sentinel(dataclasses.KW_ONLY) == (rebuild.dataclass_sentinel, ("KW_ONLY",))
    assert dataclass_sentinel(5) is None


T = typing.TypeVar("T")


@pytest.mark.parametrize(
    ("value", "looks"),
    [
        (typing.TypeVar("X", int, str), ["__constraints__", "__bound__", "__covariant__"]),
        (typing.TypeVar("X", bound=int), ["__constraints__", "__bound__"]),
        (typing.TypeVar("X", covariant=True), ["__covariant__", "__contravariant__"]),
        (typing.TypeVar("X", contravariant=True), ["__covariant__", "__contravariant__", "__bound__"]),
        (typing.ParamSpec("X"), []),
        (typing.TypeVarTuple("X"), []),
        (typing.NewType("X", int), ["__supertype__"]),
    ],
    ids=str,
)
def test_variables_of_types(value: Any, looks: list[str]) -> None:
    """Those of the notebook are made there, as what they were."""
    value.__module__ = "__main__"
    found = _sent(value)
    assert (type(found), found.__name__, found.__module__) == (type(value), "X", "__main__")
    assert [getattr(found, name) for name in looks] == [getattr(value, name) for name in looks]
    assert _reduced(T) is NotImplemented


def test_a_variable_whose_variance_is_inferred_or_that_has_a_default() -> None:
    """Since Python 3.12 and 3.13."""
    kind = type("TypeVar", (), {"__module__": "x"})
    value = kind()
    vars(value).update(
        __name__="X", __constraints__=(), __covariant__=False, __contravariant__=False, __bound__=int,
        __infer_variance__=True, __default__=str, has_default=lambda: True,
    )  # fmt: skip
    found = RULES[typing.TypeVar](Reducers(Home({})), value)
    assert found[1] == ("TypeVar", "X", (), {"bound": int, "infer_variance": True, "default": str})
    value.__infer_variance__, value.has_default = False, lambda: False
    found = RULES[typing.TypeVar](Reducers(Home({})), value)
    assert found[1][3] == {"covariant": False, "contravariant": False, "bound": int}


def test_unions_of_types() -> None:
    """`Optional[int]` is that very object; others as Python has them."""
    optional: Any = typing.Optional[int]  # noqa: UP045  # this very type
    assert _reduced(optional) == (operator.getitem, (typing.Optional, int))
    for other in (typing.Union[None, int], typing.Union[int, str], typing.Union[int, str, None]):  # noqa: UP007  # as above
        assert _reduced(other) is NotImplemented


def test_aliases_of_types() -> None:
    """Their value may lead back to them; with parameters, or another name, they are made at once."""
    alias = types.SimpleNamespace(__name__="X", __value__=[1], __type_params__=())
    rule = _alias_rule()
    assert rule(alias) == (rebuild.lazy_alias, ("X",), ([1],), None, None, rebuild.set_alias)
    alias.__type_params__ = (T,)
    assert rule(alias) == (rebuild.type_alias, ("X", [1], (T,)))
    alias.__type_params__, alias.__name__ = (), "not a name"
    assert rule(alias) == (rebuild.type_alias, ("not a name", [1], ()))


def test_an_alias_is_given_its_value_where_it_arrives() -> None:
    """Its scope has it under a name that the alias looks up."""
    alias, scope = object(), {}  # type: ignore[var-annotated]  # any names
    rebuild_values._aliases[id(alias)] = scope
    rebuild.set_alias(alias, ([1],))
    assert (scope, id(alias) in rebuild_values._aliases) == ({rebuild_values._VALUE_OF_ALIAS: [1]}, False)


def _alias_rule() -> Callable[[Any], Any]:
    from lambdamagic.codec import reduce_values

    return lambda value: reduce_values._type_alias(Reducers(Home({})), value)


class Node:
    """Can be referred to weakly."""


def test_weak_references() -> None:
    """With what they refer to; a dead one is dead there."""
    node = Node()
    found, held = _sent([weakref.ref(node), node])
    assert found() is held
    assert _sent(weakref.ref(Node()))() is None
    mapping: Any = weakref.WeakValueDictionary({"a": node})
    found, held = _sent([mapping, node])
    assert (dict(found), type(found)) == ({"a": held}, weakref.WeakValueDictionary)


def test_generators() -> None:
    """As the call that made them, or as one that has ended."""

    def generate(a: int, *, b: int = 2) -> Iterator[int]:
        yield a + b

    value: Any = generate(1)
    value.__name__ = "other"
    assert _reduced(value) == (rebuild.called, (generate, (1,), {"b": 2}, "other", generate.__qualname__))
    value.close()
    assert _reduced(value) == (rebuild.ended, ("generator", "other", generate.__qualname__))


def test_locks() -> None:
    """Unlocked ones of both kinds; one that is held is refused."""
    for lock, name in ((threading.Lock(), "lock"), (threading.RLock(), "RLock")):
        assert _reduced(lock) == (rebuild.lock, (name,))
        assert type(rebuild.lock(name)) is type(lock)
        with lock, pytest.raises(TypeError, match=rf"^cannot pickle '_thread.{name}' object: it is locked$"):
            _reduced(lock)


def test_matches() -> None:
    """They are found again."""
    value = re.compile("b(.)").search("abcbd", 2, 5)
    assert value is not None
    found = _sent(value)
    assert (found.regs, found.pos, found.endpos, found.string) == (value.regs, 2, 5, "abcbd")


def test_a_simple_queue_keeps_its_items() -> None:
    """Here, too."""
    value: queue.SimpleQueue[int] = queue.SimpleQueue()
    for item in range(3):
        value.put(item)
    found = _sent(value)
    assert [found.get() for _ in range(found.qsize())] == [0, 1, 2]
    assert [value.get() for _ in range(value.qsize())] == [0, 1, 2]


def test_files(tmp_path: Path) -> None:
    """Text over bytes in memory; the streams of the function; opened files."""
    text = io.TextIOWrapper(io.BytesIO(b"\xe4bc"), "latin-1", "ignore")
    text.read(1)
    found = _sent(text)
    assert (found.encoding, found.errors, found.read(), found.tell()) == ("latin-1", "ignore", "bc", 3)
    written = io.TextIOWrapper(io.BytesIO(), "utf-8")
    written.write("ab")
    assert _sent(written).buffer.getvalue() == b"ab"
    path = tmp_path / "x"
    path.write_text("abc")
    with path.open() as file:
        assert _reduced(file)[0] is rebuild.opened_file
    with pytest.raises(ValueError, match="closed"):
        _sent(file).read()


class Named(io.TextIOWrapper):
    """Has the name of a stream."""


def test_streams_of_the_function_are_the_notebooks_there() -> None:
    """Only in an answer."""
    for name in ("stdout", "stderr"):
        stream: Any = io.TextIOWrapper(io.BufferedWriter(io.BytesIO()))
        stream.buffer.raw.name = f"<{name}>"
        assert _reduced(stream, answers=True) == (rebuild.stream, (name,))
        with pytest.raises(TypeError, match="cannot pickle"):
            _reduced(stream)


variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")


def test_context_variables() -> None:
    """With the value that they have here, and their default."""
    for default, value in (((), ()), ((1,), (1,)), ((1,), (2,)), ((), (3,))):
        made: Any = rebuild.context_variable("x", default, ())
        if value and value != default:
            made.set(value[0])
        assert variable_content(made) == value
        found = _sent(made)
        assert found.name == "x"
        assert variable_content(found) == value
        assert variable_content(found, contextvars.Context()) == default


def _moved(iterator: Any, count: int = 1) -> Any:
    for _ in range(count):
        next(iterator)
    return iterator


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: _moved(itertools.count(3, 2)), [5, 7, 9]),
        (lambda: _moved(itertools.cycle([1, 2, 3])), [2, 3, 1]),
        (lambda: _moved(itertools.accumulate([1, 2, 3])), [3, 6]),
        (lambda: itertools.chain([1], [2]), [1, 2]),
        (lambda: _moved(itertools.chain([1, 4], [2])), [4, 2]),
        (lambda: itertools.islice([1, 2, 3], 1, None), [2, 3]),
        (lambda: itertools.repeat(1, 2), [1, 1]),
        (lambda: itertools.pairwise([1, 2, 3]), [(1, 2), (2, 3)]),
        (lambda: _moved(itertools.pairwise([1, 2, 3])), [(2, 3)]),
        (lambda: _moved(itertools.pairwise(iter([1, 2, 3])), 2), []),
        (lambda: itertools.pairwise(()), []),
        (lambda: _moved(itertools.permutations([1, 2])), [(2, 1)]),
        (lambda: itertools.product([1], [2]), [(1, 2)]),
        (lambda: _moved(itertools.takewhile(bool, [1, 2, 0])), [2]),
    ],
)
def test_objects_of_itertools(make: Callable[[], Any], expected: list[Any]) -> None:
    """They continue, without a warning that this ends with a release of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _sent(make())
    assert type(found) is type(make())
    assert [*itertools.islice(found, 3)] == expected


def test_what_itertools_objects_are_reduced_to() -> None:
    """A state is set quietly; without one there is none to set."""
    assert reduced_quietly(itertools.count(3))[0] is itertools.count
    assert _reduced(itertools.count(3)) == (itertools.count, (3,))
    assert _reduced(itertools.cycle([1]))[5] is rebuild.set_quietly
    assert _reduced(itertools.chain([1]))[0] is itertools.chain
    assert len(_reduced(itertools.product([1]))) in (2, 6)


def test_keys_of_comparisons_and_structures() -> None:
    """`cmp_to_key` by its function, a structure by its format."""

    def compare(a: int, b: int) -> int:
        return b - a

    key: Any = functools.cmp_to_key(compare)
    assert _reduced(key) == (functools.cmp_to_key, (compare,))
    assert _reduced(struct.Struct("<i")) == (struct.Struct, ("<i",))
