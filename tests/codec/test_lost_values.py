"""What could not come back from Lambda: what is said of it, and what came back all the same."""

from __future__ import annotations

import concurrent.futures
import io
import multiprocessing.pool
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.codec.answer import Lost, _has_ended, _text
from lambdamagic.codec.failures import describe
from lambdamagic.codec.module_state import OwnChanges
from lambdamagic.codec.placeholder import Placeholder
from tests.codec.test_answer import PLACE, Own, read, written


def _end(*_: Any) -> Any:
    raise RuntimeError("it cannot be made")


class Broken(Own):
    """Cannot be made where it is read."""

    def __reduce__(self) -> Any:
        return _end, (self.value,)


class Frame(Own):
    """Cannot be written."""

    def __reduce__(self) -> Any:
        raise TypeError(self.value)


def test_an_error_whose_exception_cannot_be_sent_is_sent_without_it() -> None:
    """Its name, message and traceback are there; nothing is lost."""
    error = KeyError("k")
    error.frame = sys._getframe()  # type: ignore[attr-defined]  # one of a user's own
    answer = written({"a": 1}, error=describe(error, internal=()))
    (record,) = read(answer).error
    assert (record.exception, record.type_name, record.message) == (None, "KeyError", "'k'")
    assert answer.lost == []


def test_what_a_module_holds_and_cannot_be_sent_is_lost() -> None:
    """By its place, with its own type."""
    own: Any = types.SimpleNamespace(changes=lambda _: OwnChanges([(PLACE, Frame("why"))]))
    (lost,) = written({}, own=own).lost
    assert (lost.what, lost.type_name, lost.reason, lost.section) == ("own_module.x", "Frame", "why", "own")


def test_a_modules_object_is_not_sent_as_the_modules(own: Callable[..., Any]) -> None:
    """It is what the module is given, and lost if it cannot be written."""
    module = own("import sqlite3\nx = sqlite3.connect(':memory:')")
    changed = OwnChanges([(("own_one", ("attribute", "x")), module.x)])
    answer = written({"b": 1}, own=types.SimpleNamespace(changes=lambda _: changed))
    assert [(each.what, each.section) for each in answer.lost] == [("own_one.x", "own")]
    assert read(answer).bound == {"b": 1}
    module.x.close()


def test_values_that_cannot_be_sent_are_lost() -> None:
    """Each with its section, its type, one line of the reason and a short text; the rest is there."""
    answer = written({"a": Frame("one\ntwo"), "b": 1, "c": Frame("")}, value=Frame("three"))
    lost = [(each.what, each.type_name, each.reason, each.section, each.has_ended) for each in answer.lost]
    assert lost == [
        ("a", "Frame", "one", "bound", False), ("c", "Frame", "", "bound", False),
        ("the shown value", "Frame", "three", "value", False),
    ]  # fmt: skip
    assert answer.lost[0].text.startswith(f"<{__name__}.Frame object")
    effects = read(answer)
    assert effects.bound["b"] == 1
    assert effects.values == []
    assert effects.bound["a"].described()[:2] == ("Frame", "one")
    assert len(effects.lost) == 3
    assert Lost("a", "T", "r", "t").section == "bound"
    assert not Lost.has_ended
    assert not Lost("a", "T", "r", "t").has_ended


def test_objects_that_cannot_be_made_here_are_lost() -> None:
    """By their names, or as a part of what came back; other names are bound."""
    effects = read(written({"a": Broken(), "b": [Broken(1)], "c": 3}))
    assert effects.bound["c"] == 3
    lost = [(each.what, each.type_name, each.reason, each.section) for each in effects.lost]
    assert lost == [
        ("a", "_end", "RuntimeError: it cannot be made", "bound"),
        ("an object of _end inside what came back", "_end", "RuntimeError: it cannot be made", "part"),
    ]
    assert effects.bound["a"].described() == ("_end", "RuntimeError: it cannot be made", "an object of _end")
    assert repr(effects.bound["a"]).startswith("<a: _end that stayed on Lambda")
    assert isinstance(effects.bound["b"][0], Placeholder)


def _thread(*, starts: bool) -> threading.Thread:
    found = threading.Thread(target=int)
    if starts:
        found.start()
        found.join()
    return found


def _pool() -> Any:
    found = concurrent.futures.ThreadPoolExecutor()
    found.shutdown()
    return found


def _closed() -> io.StringIO:
    found = io.StringIO()
    found.close()
    return found


class _Raises:
    @property
    def closed(self) -> Any:
        raise KeyError


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: _thread(starts=False), False),
        (lambda: _thread(starts=True), True),
        (threading.current_thread, False),
        (_pool, True),
        (concurrent.futures.ThreadPoolExecutor, False),
        (_closed, True),
        (io.StringIO, False),
        (_Raises, False),
        (lambda: types.SimpleNamespace(closed=1), False),
        (lambda: types.SimpleNamespace(_closed=True), True),
        (lambda: types.SimpleNamespace(_shutdown_thread=True), True),
        (lambda: types.SimpleNamespace(_state=multiprocessing.pool.CLOSE), True),
        (lambda: types.SimpleNamespace(_state=multiprocessing.pool.TERMINATE), True),
        (lambda: types.SimpleNamespace(_state=multiprocessing.pool.RUN), False),
    ],
)  # fmt: skip
def test_what_has_ended_is_no_loss(make: Callable[[], Any], expected: bool) -> None:
    """A closed file, an executor that was shut down, a thread that ran; not what raises when it is asked."""
    assert _has_ended(make()) is expected


def test_a_text_is_short() -> None:
    """Of 200 characters at most, whatever an object's own raises."""

    class Odd:
        def __repr__(self) -> str:
            raise KeyError

    assert _text("x" * 198) == repr("x" * 198)
    assert _text("x" * 199) == "'" + "x" * 196 + "..."
    assert _text(Odd()) == "<its repr raised KeyError>"
