"""Settings of the process that cells rely on: taken on one side, set on the other, and brought back."""

from __future__ import annotations

import csv
import decimal
import locale
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lambdamagic.codec import process_settings
from lambdamagic.codec.process_settings import (
    brought_back,
    changed,
    environment_changes,
    give,
    joined,
    path_changes,
    taken,
    those_that_can,
)

_USED = ("random", "numpy", "decimal", "pandas", "csv.x", "locale")


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """Leave this process as it was."""
    before = taken([*_USED, "matplotlib"], with_defaults=True)
    at_first, filters = [*process_settings._at_first], [*warnings.filters]
    path, environ = [*sys.path], dict(os.environ)
    process_settings._at_first[:] = warnings.filters
    yield
    process_settings._at_first[:] = at_first
    give(before)
    warnings.filters[:] = filters  # type: ignore[index]  # it is a list
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environ)
    process_settings._of_cells.clear()
    process_settings._paths.clear()


def _kinds(*modules: str) -> set[str]:
    return set(taken(modules, with_defaults=True))


def test_which_kinds_are_looked_at() -> None:
    """Some always; others where code uses their modules, and those are loaded."""
    always = _kinds()
    assert {"recursion", "warnings", "environment", "path", "logging"} == always
    assert _kinds("random") - always == {"random"}
    assert _kinds("networkx.x") - always >= {"random"}
    assert _kinds("csv.y", "locale") - always == {"csv", "locale"}
    assert _kinds("decimal") - always == {"decimal"}
    numeric = {"numpy.random", "numpy.errors", "numpy.print"}
    for name in ("numpy", "scipy", "sklearn", "statsmodels", "seaborn", "xgboost", "lightgbm"):
        assert numeric <= _kinds(f"{name}.part"), name
    assert {*numeric, "figures"} <= _kinds("pandas")
    for name in ("matplotlib", "seaborn", "pylab", "xarray", "networkx"):
        assert "figures" in _kinds(name), name
    assert "random" in taken(["random"])
    assert "decimal" not in taken(["decimal"])


def test_a_library_without_its_settings_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release of it, or one that is not loaded."""
    state = random.getstate()
    monkeypatch.setitem(sys.modules, "csv", SimpleNamespace())
    found = _kinds("csv", "random")
    assert ("csv" in found, "random" in found) == (False, True)
    random.random()
    give({"csv": {"mine": {}}, "random": state})
    assert random.getstate() == state
    monkeypatch.delitem(sys.modules, "decimal")
    assert "decimal" not in _kinds("decimal")


def _set(name: str) -> None:
    if name == "recursion":
        sys.setrecursionlimit(sys.getrecursionlimit() + 7)
    elif name == "random":
        random.seed(5)
        random.gauss(0, 1)
    elif name == "numpy.random":
        np.random.seed(3)  # the stream that is meant
        np.random.randn()  # as above
    elif name == "numpy.errors":
        np.seterr(under="raise", divide="ignore")
    elif name == "numpy.print":
        np.set_printoptions(precision=3, nanstr="none")
    elif name == "decimal":
        context = decimal.getcontext()
        context.prec, context.rounding, context.Emin, context.capitals = 5, decimal.ROUND_UP, -7, 0
        context.traps[decimal.Rounded], context.traps[decimal.Overflow] = True, False
    elif name == "csv":
        csv.register_dialect("mine", delimiter=";", strict=True)
    elif name == "locale":
        locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")


@pytest.mark.parametrize(
    "name", ["recursion", "random", "numpy.random", "numpy.errors", "numpy.print", "decimal", "csv", "locale"]
)
def test_what_is_set_is_set_there(name: str) -> None:
    """It can be sent as data; what was set there before is as it was, and defaults are, where nothing is set."""
    before = taken(_USED, with_defaults=True)[name]
    _set(name)
    wanted = taken(_USED)[name]
    assert wanted != before
    give({name: before})
    assert taken(_USED, with_defaults=True)[name] == before
    give({name: wanted})
    assert taken(_USED)[name] == wanted
    assert not isinstance(wanted, np.ndarray)


def test_what_is_known_to_be_set_is_not_set_again() -> None:
    """A stream of random numbers continues."""
    state = random.getstate()
    random.random()
    decimal.getcontext().prec = 9
    give({"random": state, "decimal": ()}, {"random": state})
    assert random.getstate() != state
    assert decimal.getcontext().prec == 28
    give({"random": state}, {"random": 1, "decimal": ()})
    assert random.getstate() == state


def test_modules_that_are_not_loaded_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something of them is to be set."""
    monkeypatch.delitem(sys.modules, "csv")
    give({"csv": {}})
    assert "csv" in sys.modules


def test_what_numpy_shows_by_default_is_no_setting() -> None:
    """Each option is compared with numpy's own default."""
    options: Any = np.get_printoptions()
    assert {name: options[name] for name in process_settings._PRINT_DEFAULTS} == process_settings._PRINT_DEFAULTS
    assert process_settings._print_options(np) == {}


def test_numpys_newer_streams_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their state has another form."""
    fake = SimpleNamespace(random=SimpleNamespace(get_state=lambda: ("PCG64", np.zeros(2), 0, 0, 0.0)))
    assert process_settings._numpy_state(fake) is None


@pytest.mark.parametrize(("limit", "expected"), [(999, 3333), (1000, 1000), (4000, 4000)])
def test_a_limit_of_recursion_leaves_room_for_the_kernel(limit: int, expected: int) -> None:
    """A lower one is not set."""
    found = [3333]
    process_settings._set_recursion_limit(SimpleNamespace(setrecursionlimit=lambda new: found.append(new)), limit)
    assert found[-1] == expected


def test_only_other_locales_are_sent() -> None:
    """Those that are not set there are Python's default."""
    found = dict.fromkeys((locale.LC_COLLATE, locale.LC_MONETARY, locale.LC_NUMERIC, locale.LC_TIME), "C")

    def setlocale(category: int, value: str | None = None) -> str:
        found[category] = found[category] if value is None else value
        return found[category]

    fake: Any = SimpleNamespace(
        setlocale=setlocale, **{name: getattr(locale, name) for name in process_settings._CATEGORIES}
    )
    assert process_settings._locale(fake) == {}
    process_settings._set_locale(fake, {"LC_TIME": "de_DE"})
    assert process_settings._locale(fake) == {"LC_TIME": "de_DE"}
    process_settings._set_locale(fake, {"LC_NUMERIC": "fr_FR"})
    assert process_settings._locale(fake) == {"LC_NUMERIC": "fr_FR"}


def test_dialects_of_csv() -> None:
    """Python's own are there; what is not set is taken back."""
    csv.register_dialect("b", delimiter=";")
    csv.register_dialect("a", delimiter="|", quoting=csv.QUOTE_ALL)
    found = process_settings._dialects(csv)
    assert [*found] == ["a", "b"]
    assert (found["a"]["delimiter"], found["a"]["quoting"]) == ("|", csv.QUOTE_ALL)
    process_settings._set_dialects(csv, {"a": {**found["a"], "delimiter": "+"}})
    assert csv.get_dialect("a").delimiter == "+"
    assert {*csv.list_dialects()} >= {"a", "excel", "excel-tab", "unix"}
    assert "b" not in csv.list_dialects()


_Filter = tuple[Any, ...]


def _filter(action: str, category: Any = UserWarning) -> _Filter:
    return (action, None, category, None, 0)


class _Foreign(UserWarning):
    """A warning of a library's."""


def _module(*filters: _Filter) -> Any:
    return SimpleNamespace(filters=[*filters], _filters_mutated=lambda: None)


_FIRST = [_filter("default", DeprecationWarning), _filter("ignore", ImportWarning), _filter("ignore", ResourceWarning)]
_ONE, _TWO = _filter("error"), _filter("ignore", SyntaxWarning)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (_FIRST, []),
        ([_ONE, *_FIRST], [_ONE]),
        ([_ONE, _TWO, *_FIRST], [_ONE, _TWO]),
        ([_ONE, *_FIRST, _TWO], [_ONE]),
        ([_ONE, _FIRST[0], _TWO, *_FIRST[1:]], [_ONE, _FIRST[0], _TWO]),
        ([_FIRST[0], _ONE, *_FIRST], [_FIRST[0], _ONE]),
        ([_ONE], [_ONE]),
        ([], []),
        ([_ONE, _FIRST[2]], [_ONE]),
        ([_ONE, _FIRST[1]], [_ONE]),
        ([_ONE, *_FIRST[1:]], [_ONE]),
        ([_FIRST[2], _FIRST[1], _FIRST[0]], [_FIRST[2], _FIRST[1]]),
        ([_filter("error", _Foreign), _ONE, *_FIRST], [_ONE]),
        ([_FIRST[1], *_FIRST], [_FIRST[1]]),
    ],
)
def test_filters_that_code_has_added(filters: list[_Filter], expected: list[_Filter]) -> None:
    """Before the initial ones, as Python appends and removes them; those of a library's own warnings are its own."""
    process_settings._at_first[:] = _FIRST
    found = process_settings._filters(_module(*filters))
    assert found == expected
    there = _module(*_FIRST)
    process_settings._set_filters(there, found)
    assert there.filters == [*expected, *_FIRST]


def test_filters_are_in_force_where_they_are_set() -> None:
    """Python is notified, as each of its releases has it."""
    calls: list[str] = []
    process_settings._at_first[:] = []
    there = SimpleNamespace(filters=[], _filters_mutated=lambda: calls.append("old"))
    process_settings._set_filters(there, [_ONE])
    newer = SimpleNamespace(filters=[], _filters_mutated_lock_held=lambda: calls.append("new"))
    process_settings._set_filters(newer, [_ONE])
    assert calls == ["old", "new"]
    process_settings.note_first_filters()
    assert process_settings._at_first == warnings.filters


def test_the_environment_of_cells() -> None:
    """What they have added, and changed of that; not what Lambda and the place mean by a name."""
    before = {**os.environ, "OLD": "1", "GONE": "2", "MINE": "3"}
    os.environ.update(OLD="1", MINE="4", NEW="5", AWS_X="6", LAMBDA_X="7", _HANDLER="8", OTHER="9")
    found = environment_changes(before, ["MINE", "GONE", "OLD"])
    assert found == {"GONE": None, "MINE": "4", "NEW": "5", "OTHER": "9"}
    assert [*found] == sorted(found)
    assert environment_changes(dict(os.environ), []) == {}


def test_variables_of_cells_are_those_of_later_cells() -> None:
    """Also that one is gone; others of this process stay here."""
    brought_back({"environment": {"MINE": "1", "GONE": None}, "path": [("/mine", True)]})
    assert os.environ["MINE"] == "1"
    os.environ["GONE"] = "2"
    found = taken([])
    assert found["environment"] == {"GONE": "2", "MINE": "1"}
    assert found["path"] == [("/mine", True)]
    give({"environment": {"GONE": None, "MINE": "3"}})
    assert ("GONE" in os.environ, os.environ["MINE"]) == (False, "3")
    give({"environment": {"GONE": None}})


def test_entries_of_the_path() -> None:
    """In front of all others, or behind them; a present one is not added again."""
    before = [*sys.path]
    assert path_changes(before) == []
    sys.path.insert(0, "/front")
    sys.path.append("/behind")
    sys.path.insert(2, "/between")
    assert path_changes(before) == [("/front", True), ("/between", False), ("/behind", False)]
    sys.path[:] = ["/only"]
    assert path_changes(before) == [("/only", False)]
    sys.path[:] = before
    give({"path": [("/front", True), ("/behind", False), (before[0], True)]})
    assert sys.path == ["/front", *before, "/behind"]


def test_what_a_cell_has_changed() -> None:
    """And what it has set where nothing was; the environment and the path are looked at otherwise."""
    before = {"a": 1, "b": 2, "environment": {}, "c": ()}
    now = {"a": 1, "b": 3, "environment": {"x": "1"}, "path": [1], "c": (), "d": 4, "e": ()}
    assert changed(before, now) == {"b": 3, "d": 4}


def test_loggers_are_joined_with_those_of_the_process() -> None:
    """The notebook's hold; other settings are the notebook's alone."""
    state: Any = (10, True, False, [])
    own: Any = (20, True, False, [])
    assert joined({"logging": {"loggers": {"a": own}}, "x": 1}, {"y": 2}) == {"y": 2}
    found = joined({"logging": {"loggers": {"a": own, "b": own}}}, {"y": 2, "logging": {"loggers": {"a": state}}})
    assert (found["y"], found["logging"]["loggers"]) == (2, {"a": state, "b": own})
    assert joined({}, {"logging": {"loggers": {"a": state}}})["logging"]["loggers"] == {"a": state}


def test_loggers_come_back_with_the_rest() -> None:
    """Other settings are set as they are."""
    name = "tests.codec.of_a_cell"
    brought_back({"logging": {"loggers": {name: (10, True, False, [])}}, "recursion": sys.getrecursionlimit() + 3})
    assert logging.getLogger(name).level == 10
    limit = sys.getrecursionlimit()
    brought_back({"recursion": limit + 1})
    assert (sys.getrecursionlimit(), logging.getLogger(name).level) == (limit + 1, 10)


def test_parts_that_cannot_be_sent_are_left_out() -> None:
    """Handlers of loggers, and functions that format numbers."""
    handler = logging.StreamHandler(sys.stderr)
    loggers = {"a": (10, True, False, [handler])}
    states = {"pandas": {"a": 1, "b": len, "c": None}, "logging": {"loggers": loggers}, "x": len}
    found = those_that_can(states, lambda value: False)
    assert found == {"pandas": {"a": 1, "c": None}, "logging": {"loggers": {"a": (10, True, False, [])}}, "x": len}
    assert those_that_can(states, lambda value: True)["pandas"] == states["pandas"]
    assert those_that_can({"x": 1}, lambda value: False) == {"x": 1}


def _option(default: Any) -> Any:
    return SimpleNamespace(defval=default)


class _Pandas:
    """What is asked of pandas."""

    def __init__(self) -> None:
        registered = {
            "a": _option(1),
            "b": _option("x"),
            "c": _option(None),
            "mode.d": _option(1),
            "future.e": _option(1),
        }
        self._config = SimpleNamespace(config=SimpleNamespace(_registered_options=registered))
        self.values = {name: each.defval for name, each in registered.items()}

    def get_option(self, key: str) -> Any:
        warnings.warn(key, FutureWarning, stacklevel=1)
        return self.values[key]

    def set_option(self, key: str, value: Any) -> None:
        self.values[key] = value

    def reset_option(self, key: str) -> None:
        self.values[key] = self._config.config._registered_options[key].defval


def test_options_of_pandas() -> None:
    """Plain ones and functions that differ from the defaults; modes stay where they are."""
    pandas = _Pandas()
    assert process_settings._pandas(pandas) == {}
    pandas.values.update({"a": 2, "b": len, "c": [1], "mode.d": 2, "future.e": 2})
    assert process_settings._pandas(pandas) == {"a": 2, "b": len}
    process_settings._set_pandas(pandas, {"b": "y"})
    assert pandas.values == {"a": 1, "b": "y", "c": [1], "mode.d": 2, "future.e": 2}


def test_parameters_of_matplotlib() -> None:
    """Those that differ from the defaults, but for the place's own."""

    class Parameters(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise AssertionError

        get = items = __getitem__  # type: ignore[assignment]

    fake: Any = SimpleNamespace(
        rcParams=Parameters(a=1, b=3, backend="agg", c=None), rcParamsDefault=Parameters(a=1, b=2, backend="x")
    )
    assert process_settings._parameters(fake) == {"b": 3}
    process_settings._set_parameters(fake, {"a": 5})
    assert dict.copy(fake.rcParams) == {"a": 5, "b": 2, "backend": "agg", "c": None}


def test_the_configuration_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs from its defaults; what is not set there is its default again."""
    config = {"a": 1, "b": 2, "new": 3}
    monkeypatch.setitem(
        sys.modules,
        "sklearn._config",
        SimpleNamespace(_global_config={"a": 1, "b": 1}),
    )
    fake: Any = SimpleNamespace(get_config=lambda: config, set_config=lambda **new: config.update(new))
    assert process_settings._sklearn(fake) == {"b": 2}
    process_settings._set_sklearn(fake, {"a": 4})
    assert config == {"a": 4, "b": 1, "new": 3}
