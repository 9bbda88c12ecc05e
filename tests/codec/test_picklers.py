"""Which pickler writes what: the order in which they are tried, and what dill may not carry."""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.codec import picklers
from lambdamagic.codec.deep_pickler import DeepPickler
from lambdamagic.codec.home import Home
from lambdamagic.codec.picklers import CPickler, first_that_can, make_pickler
from lambdamagic.codec.reducers import Reducers


def _made(kind: Any) -> tuple[Any, io.BytesIO]:
    file = io.BytesIO()
    return make_pickler(kind, file, Reducers(Home(vars(sys.modules[__name__]), __name__)), None), file


def _function(x: int) -> int:
    return x + 1


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("c", "picklers"),
        ("deep", "deep_pickler"),
        ("dill", "dill"),
        ("dill-forced", "dill"),
        ("cloudpickle", "cloudpickle"),
    ],
)
def test_each_pickler_has_the_rules(kind: str, module: str) -> None:
    """It is the one that was asked for, and writes the notebook's functions by our rules."""
    pickler, file = _made(kind)
    assert isinstance(pickler, CPickler) is (kind == "c")
    assert isinstance(pickler, DeepPickler) is (kind == "deep")
    assert any(module in base.__module__ for base in type(pickler).__mro__)
    pickler.dump([_function, {1: {2}}, (3,)])
    with Home({}, __name__).loading():
        read = pickle.loads(file.getvalue())
    assert read[1:] == [{1: {2}}, (3,)]
    assert read[0](1) == 2
    assert b"rebuild" in file.getvalue()


def _generator() -> Iterator[int]:
    yield 1


class _File(io.StringIO):
    pass


@pytest.mark.parametrize(
    ("value", "name"),
    [(threading.Lock(), "_thread.lock"), (threading.RLock(), "_thread.RLock"), (sys.__stdin__, "_io.TextIOWrapper"),
     (_generator(), "generator")],
    ids=["lock", "lock that is entered again", "file", "generator"],
)  # fmt: skip
def test_dill_refuses_what_another_machine_cannot_have(value: Any, name: str) -> None:
    """In the words of pickle; files in memory are data."""
    with pytest.raises(TypeError, match=rf"^cannot pickle '{name}' object$"):
        picklers._refuse_live_resources(value)
    for data in (io.StringIO(), io.BytesIO(), _File(), 5, len):
        picklers._refuse_live_resources(data)


def test_only_dill_that_is_asked_for_takes_live_resources() -> None:
    """As the fallback of `auto` it would hide a mistake: it makes another file of the same name there."""
    with Path(os.devnull).open("rb", buffering=0) as file:
        with pytest.raises(TypeError, match=r"^cannot pickle '_io.FileIO' object$"):
            _made("dill")[0].dump(file)
        _made("dill-forced")[0].dump(file)
        _made("dill")[0].dump([len, Home])


class _Attempts:
    """Fails as a test says, and notes with which picklers it was tried."""

    def __init__(self, **failures: Exception) -> None:
        self.kinds: list[str] = []
        self._failures = failures

    def __call__(self, kind: str) -> str:
        self.kinds.append(kind)
        if kind in self._failures:
            raise self._failures[kind]
        return kind


def _caused(error: Exception) -> Exception:
    found = ValueError("outer")
    found.__cause__ = error
    return found


@pytest.mark.parametrize(
    ("failure", "kinds"),
    [
        (None, ["c"]),
        (ValueError(), ["c", "dill"]),
        (RecursionError(), ["c", "deep"]),
        (_caused(RecursionError()), ["c", "deep"]),
        (_caused(ValueError()), ["c", "dill"]),
    ],
)
def test_the_slow_pickler_is_for_deep_data_only(failure: Exception | None, kinds: list[str]) -> None:
    """And dill for what neither C nor it can do."""
    attempts = _Attempts(**({} if failure is None else {"c": failure}))
    assert first_that_can("auto", attempts) == kinds[-1]
    assert attempts.kinds == kinds


def test_the_last_failure_is_raised() -> None:
    """After all picklers of a setting; a named one is the only one."""
    attempts = _Attempts(c=RecursionError("1"), deep=ValueError("2"), dill=KeyError("3"))
    with pytest.raises(KeyError, match="3"):
        first_that_can("auto", attempts)
    assert attempts.kinds == ["c", "deep", "dill"]
    for setting, kind in (("dill", "dill-forced"), ("cloudpickle", "cloudpickle")):
        attempts = _Attempts(**{kind: RecursionError("x")})
        with pytest.raises(RecursionError):
            first_that_can(setting, attempts)
        assert attempts.kinds == [kind]


@pytest.mark.parametrize(("frames", "is_deep"), [(50, True), (400, False)])
def test_code_that_calls_itself_is_not_deep_data(frames: int, is_deep: bool) -> None:
    """Its own calls are in the traceback; those of the C pickler are not."""

    def fall(left: int) -> None:
        if left:
            fall(left - 1)
        raise RecursionError

    def attempt(kind: str) -> str:
        if kind == "c":
            fall(frames)
        return kind

    assert first_that_can("auto", attempt) == ("deep" if is_deep else "dill")


def test_versions_are_those_of_what_was_used() -> None:
    """dill and cloudpickle as they were imported, and nothing else."""
    import cloudpickle
    import dill

    assert picklers.serializer_versions() == {"dill": dill.__version__, "cloudpickle": cloudpickle.__version__}
