"""Which part of a value cannot be pickled, and why."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdamagic.codec import diagnose
from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.home import Home
from tests.codec.conversations import run

_REASON = "cannot pickle 'sqlite3.Connection' object (a sqlite3.Connection)"


@pytest.fixture(name="db", scope="module")
def _db() -> Iterator[sqlite3.Connection]:
    """Give something that no pickler takes."""
    found = sqlite3.connect(":memory:")
    yield found
    found.close()


def _explained(value: Any) -> tuple[str, str]:
    return explain_unpicklable("x", value, Home({}))


class Plain:
    """A library's class."""


class Stateful(Plain):
    """Says what is sent."""

    def __init__(self, state: Any) -> None:
        self._said = state

    def __getstate__(self) -> Any:
        return self._said


class Slotted:
    """Has a slot and a dictionary."""

    __slots__ = ("__dict__", "slot")


def _with(value: Any, **attributes: Any) -> Any:
    for name, each in attributes.items():
        setattr(value, name, each)
    return value


class Subclass(dict):
    """A library's dictionary."""


class Key:
    """A key that cannot be sent, and has a short text."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __repr__(self) -> str:
        return "k"


_PATHS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "itself": (lambda db: db, "x"),
    "list": (lambda db: [1, [2, db]], "x[1][1]"),
    "tuple": (lambda db: (1, db), "x[1]"),
    "the first of two": (lambda db: [[db], [db]], "x[0][0]"),
    "set": (lambda db: {Key(db)}, "x[0].held"),
    "dict": (lambda db: {"a": 1, "b": {2: db}}, "x['b'][2]"),
    "subclass of dict": (lambda db: Subclass(a=db), "x['a']"),
    "key": (lambda db: {Key(db): 1}, "x key k.held"),
    "attribute": (lambda db: _with(Plain(), a=1, b=db), "x.b"),
    "slot": (lambda db: _with(Slotted(), a=1, slot=db), "x.slot"),
    "attribute next to a slot": (lambda db: _with(Slotted(), a=db, slot=1), "x.a"),
    "state": (lambda db: Stateful({"said": db}), "x.said"),
    "state that is no attribute": (lambda db: Stateful([db]), "x"),
    "state of three": (lambda db: Stateful(({"a": db}, {"b": db}, 1)), "x"),
    "partial": (lambda db: functools.partial(int, 1, base=db), "x's part 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*_PATHS])
def test_the_path_leads_to_the_part(name: str, db: sqlite3.Connection) -> None:
    """The innermost one, with its type."""
    make, expected = _PATHS[name]
    path, reason = _explained(make(db))
    assert path == expected
    kind = "Stateful" if path == "x" and name != "itself" else ""
    assert reason == (_REASON.partition(" (")[0] + f" (a {__name__}.{kind})" if kind else _REASON)


_CLOSURE = """
def made(db):
    {}
    held = db
    def f():
        return gone, held
    return f
x = made(db)
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    return held\nx = f", None),
        (_CLOSURE.format("gone = 1"), "x's closure variable held"),
        (_CLOSURE.format("if 0: gone = 1"), "x's closure variable held"),
        ("def x(a=1, b=db): pass", "x's default argument 2"),
        ("class x:\n    a, held = 1, db", "x.held"),
        ("class A:\n    held = db\nx = A()", "x's class.held"),
        ("class A: pass\nx = A()\nx.a = db", "x.a"),
    ],
)
def test_the_notebooks_own(source: str, expected: str | None, db: sqlite3.Connection) -> None:
    """Functions and classes are looked into; a global that a function reads is another name."""
    namespace: dict[str, Any] = {"__name__": "__main__", "db": db}
    run(source, namespace)
    found = explain_unpicklable("x", namespace["x"], Home(namespace))
    if expected is None:
        reason = "it could not be pickled together with the other names (a builtins.function)"
        assert found == ("x", reason)
    else:
        assert found == (expected, _REASON)


class _Silent:
    def __reduce__(self) -> Any:
        raise ValueError


class _Wordy:
    def __reduce__(self) -> Any:
        raise ValueError("one line\nand another")


class _Unstated:
    def __getstate__(self) -> Any:
        raise KeyError("state")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (_Silent(), "ValueError"),
        (_Wordy(), "one line"),
        (_Unstated(), "'state'"),
        (5, "it could not be pickled together with the other names"),
    ],
)
def test_the_reason_is_one_line(value: Any, reason: str) -> None:
    """What the class raises, or its type."""
    kind = type(value)
    assert _explained(value) == ("x", f"{reason} (a {kind.__module__}.{kind.__qualname__})")


def test_data_that_are_too_deep_are_not_looked_into() -> None:
    """It is no part's doing."""
    value: Any = []
    for _ in range(200_000):
        value = [value]
    assert _explained(value) == ("x", "it is nested too deeply to be pickled")
    while value:
        value = value.pop()


def test_a_long_path_is_shortened(db: sqlite3.Connection) -> None:
    """To its beginning and its end; one of 160 characters is whole."""
    assert _explained({"k" * 155: db})[0] == f"x['{'k' * 155}']"
    assert _explained({"k" * 156: db})[0] == f"x['{'k' * 77} ... {'k' * 78}']"


def test_what_leads_to_itself_ends(db: sqlite3.Connection) -> None:
    """The part that was seen is not looked into again."""
    ring: list[Any] = []
    ring.append(ring)
    ring.append(db)
    assert _explained(ring) == ("x[1]", _REASON)
    assert _explained([_Held(db)])[0] == "x[0]"


class _Held:
    """Its state leads back to it, and it cannot be sent itself."""

    def __init__(self, db: Any) -> None:
        self.db = db

    def __reduce__(self) -> Any:
        return list, ([self.db],)

    def __getstate__(self) -> Any:
        return {"me": self}


def test_the_search_has_an_end(monkeypatch: pytest.MonkeyPatch, db: sqlite3.Connection) -> None:
    """A value of very many parts is named as far as was looked."""
    monkeypatch.setattr(diagnose, "_MAX_STEPS", 3)
    assert _explained([1, 2, db])[0] == "x[2]"
    path, reason = _explained([1, 2, 3, db])
    assert (path, reason) == ("x", _REASON.partition(" (")[0])
