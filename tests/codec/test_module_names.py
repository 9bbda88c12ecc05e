"""Which module an object belongs to, by its identity."""

from __future__ import annotations

import enum
import io
import linecache
import math
import os
import random
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.codec import module_names
from lambdamagic.codec.module_names import ModuleNames, is_own, name_of_nan
from tests.codec.conftest import Import


def _refreshed() -> ModuleNames:
    found = ModuleNames()
    found.refresh()
    return found


Make = Callable[..., Any]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Give a function that makes a module as if an import had, with what it holds; installed, if it has no source."""

    def make(name: str, source: str | None = None, **held: Any) -> Any:
        module = types.ModuleType(name)
        file = str(tmp_path / f"{name}.py") if source is not None else f"{sys.prefix}/{name}.so"
        vars(module).update(__spec__=1, __file__=file, **held)
        if source is not None:
            monkeypatch.setitem(linecache.cache, file, (len(source), None, source.splitlines(keepends=True), file))
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return make


def test_objects_of_installed_modules() -> None:
    """A bound method of a hidden instance, a dictionary, a registry: by the module's name for it."""
    names = _refreshed()
    assert names.of(random.random) == ("random", "random")
    assert names.of(os.environ) == ("os", "environ")
    assert names.of(sys.modules) == ("sys", "modules")
    for other in (math.pi, math, len, dict, "a", (), None, os.path.join, [].append, random.Random, object()):
        assert names.of(other) is None, other


def test_streams_are_those_of_sys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is there now, each by its name; no stream is none."""
    names = ModuleNames()
    for name in ("stdout", "stderr", "stdin"):
        stream = io.StringIO()
        monkeypatch.setattr(sys, name, stream)
        assert names.of(stream) == ("sys", name)
    monkeypatch.setattr(sys, "stdin", None)
    assert names.of(None) is None


def test_an_object_that_a_module_holds_no_more(loaded: Make) -> None:
    """It is forgotten, also when the module is gone; another object is not taken for it."""
    value = types.SimpleNamespace()
    module = loaded("installed_a", value=value)
    names = _refreshed()
    assert names.of(value) == ("installed_a", "value")
    module.value = 1
    assert names.of(value) is None
    module.value = value
    assert names.of(value) is None
    names = _refreshed()
    del sys.modules["installed_a"]
    assert names.of(value) is None


def test_which_of_several_modules_it_is(loaded: Make) -> None:
    """Its class's or its own before others, public before private, fewer parts before more, shorter before longer."""
    kind = type("Kind", (), {"__module__": "installed_of_the_class"})
    names_in_order = [
        "installed_named", "installed_of_the_class", "installed", "installed_bb", "installed.a", "installed_x.b",
        "installed.a.b", "_installed", "installed._a",
    ]  # fmt: skip
    for place, after in enumerate(names_in_order[1:]):
        value = kind()
        value.__module__ = "installed_named"
        before = names_in_order[place]
        for order in ((before, after), (after, before)):
            for name in order:
                sys.modules.pop(name, None)
                loaded(name, value=value)
            assert _refreshed().of(value) == (before, "value"), order
            for name in order:
                del sys.modules[name]


def _local() -> Any:
    return lambda: None


class _Error(Exception):
    pass


class _Kind(enum.Enum):
    ONE = 1


class _MyDType:
    pass


def test_what_has_no_identity(loaded: Make) -> None:
    """Numbers and texts, values, classes, exceptions, members, functions by their own names, and what loading puts."""
    import datetime
    import decimal
    import re

    none = {
        "number": 12345678, "text": "some text", "items": (1, 2), "cls": _Error, "error": _Error(), "member": _Kind.ONE,
        "day": datetime.date(2020, 1, 2), "money": decimal.Decimal(1), "pattern": re.compile("a"), "kind": _MyDType(),
        "__path__": ["a"], "__all__": ["b"], "function": _local, "builtin": math.sin, "method": str.upper,
        "__annotations__": {"a": int},
    }  # fmt: skip
    hidden = {"made": _local(), "bound": [].append, "mapping": {"a": 1}, "names": {1}, "thing": types.SimpleNamespace()}
    loaded("installed_a", **none, **hidden)
    names = _refreshed()
    for name, value in none.items():
        assert names.of(value) is None, name
    for name, value in hidden.items():
        assert names.of(value) == ("installed_a", name) or name == "bound", name


def test_hidden_functions(loaded: Make) -> None:
    """What their own names do not lead to; those of the notebook, and of code without a name, are none."""
    of_notebook, unnamed = _local(), types.FunctionType(_local().__code__, {})
    of_notebook.__module__ = "__main__"
    unnamed.__qualname__ = "a.<locals>.b"
    plain = types.FunctionType((lambda: None).__code__, {"__name__": "x"}, "plain")
    plain.__qualname__ = "plain"
    method = random.Random().random
    loaded("installed_a", of_notebook=of_notebook, unnamed=unnamed, plain=plain, method=method, len=len)
    names = _refreshed()
    assert [names.of(each) for each in (of_notebook, unnamed, plain, len)] == [None] * 4
    assert names.of(method) == ("installed_a", "method")


def test_modules_that_are_not_looked_through(loaded: Make) -> None:
    """Our own, those of tests and shells, and what code has made without a loader."""
    values = {name: types.SimpleNamespace() for name in ("lambdamagic.x", "IPython", "tests.y", "own_made", "other")}
    for name, value in values.items():
        loaded(name, value=value)
    sys.modules["own_made"].__spec__ = None
    names = _refreshed()
    assert {name for name, value in values.items() if names.of(value)} == {"other"}


class _Lazy(types.ModuleType):
    pass


def test_modules_that_came_later(loaded: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked through, and a module that took another's place; one of another kind is not."""
    names = _refreshed()
    first, second, third = (types.SimpleNamespace() for _ in range(3))
    loaded("installed_a", value=first)
    names.refresh()
    assert names.of(first) == ("installed_a", "value")
    loaded("installed_a", value=second)
    lazy = _Lazy("installed_c")
    vars(lazy).update(__spec__=1, value=third)
    monkeypatch.setitem(sys.modules, "installed_c", lazy)
    names.refresh()
    assert names.of(second) == ("installed_a", "value")
    assert (names.of(first), names.of(third)) == (None, None)


def test_objects_of_the_users_modules_come_and_go(own: Import, loaded: Make) -> None:
    """They are looked through at each payload; an installed one is once."""
    module, installed = own("items = [1]\nlater = None\n"), loaded("installed_a", later=None)
    names = _refreshed()
    assert names.of(module.items) == ("own_one", "items")
    module.later, installed.later = {"a": 1}, {"b": 1}
    assert names.of(module.later) is None
    names.refresh()
    assert names.of(module.later) == ("own_one", "later")
    assert names.of(installed.later) is None
    del sys.modules["own_one"]
    loaded("installed_b")
    names.refresh()
    assert names.of(module.later) is None
    del sys.modules["installed_b"]
    loaded("installed_c")
    names.refresh()


@pytest.mark.parametrize(
    ("source", "expected"),
    [("value = 1", True), ("from x import *", True), ("  from x import *", True), ("values = 1", False), ("", True),
     ("x = a.value", True), ("import star *", False), ("from x import values", False)],
)  # fmt: skip
def test_what_the_source_of_a_module_does_not_name_is_not_its_own(loaded: Make, source: str, expected: bool) -> None:
    """Another process may have put it there; without a source nothing is known."""
    value = types.SimpleNamespace()
    loaded(f"own_{abs(hash(source))}", source, value=value)
    module_names._bound.clear()
    names = _refreshed()
    for _ in range(2):
        assert (names.of(value) is not None) is expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/home/me/project/a.py", True), (None, False), (f"{sys.prefix}/lib/a.py", False), ("/opt/python/a.py", False),
        (f"{Path(types.__file__).parent}/a.py", False), ("/home/me/site-packages/a.py", False),
        ("/home/opt/a.py", True),
        ("/usr/lib/python3/dist-packages/a.py", False), (f"{sys.base_prefix}/x/a.py", False), (5, False),
    ],
)  # fmt: skip
def test_modules_of_the_users_project(file: Any, expected: bool) -> None:
    """They have a source that is neither Python's nor installed."""
    module = types.ModuleType("own_x")
    module.__file__ = file
    assert is_own(module) is expected
    assert not is_own(types.ModuleType("made"))


def test_the_functions_own_folder_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Lambda, where the environment says which it is."""
    monkeypatch.setattr(module_names, "_folders", [])
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    module = types.ModuleType("x")
    module.__file__ = "/var/task/x.py"
    assert not is_own(module)
    monkeypatch.delenv("LAMBDA_TASK_ROOT")
    assert not is_own(module)
    monkeypatch.setattr(module_names, "_folders", [])
    assert is_own(module)


def test_which_nan_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a module, if it is that one; a number is none."""
    import numpy as np

    assert name_of_nan(np.nan) == ("numpy", "nan")
    assert name_of_nan(math.nan) == ("math", "nan")
    assert (name_of_nan(float("nan")), name_of_nan(1.5)) == (None, None)
    monkeypatch.delitem(sys.modules, "numpy")
    assert name_of_nan(np.nan) is None
