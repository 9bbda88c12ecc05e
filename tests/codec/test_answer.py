"""What a cell did, written there and applied here."""

from __future__ import annotations

import concurrent.futures
import io
import multiprocessing.pool
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest

from lambdamagic.codec import kinds
from lambdamagic.codec.answer import NO_VALUE, Answer, Lost, _has_ended, _label, _text, read_answer, write_answer
from lambdamagic.codec.earlier import InOrder
from lambdamagic.codec.failures import describe
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_state import OwnChanges
from lambdamagic.codec.placeholder import Placeholder
from lambdamagic.codec.tracking import Tracked, Tracker
from tests.codec.conversations import Conversation, run


class Own:
    """A value of a class that a library has."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


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


def _asked(setup: str) -> Conversation:
    found = Conversation(setup)
    found.ask()
    return found


def _tracker(asked: Conversation) -> Tracker:
    memo = asked._decoder.memo()
    return Tracker([*asked.captured.values()], memo=memo, home=asked.remote, pristine={})


def _written(namespace: dict[str, Any], **options: Any) -> Answer:
    """Return the answer of a cell to which nothing was sent."""
    settings: dict[str, Any] = {"captured": {}, "ignored": (), "wanted": None, **options}
    return write_answer(Home(namespace, answers=True), settings.pop("tracker", None), **settings)


def _read(answer: Answer, home: Home | None = None) -> Any:
    return read_answer(home or Home({}), InOrder([]), answer.numbers, answer.frames.segments)


def test_names_that_come_back() -> None:
    """Those that are new or mean another object; not those of the shell, and of wanted ones only."""
    same = [1]
    captured = {"same": same, "other": [2], "gone": 1, "hidden": 1}
    namespace = {"same": same, "other": [2], "new": 3, "_": 4}
    effects = _read(_written(namespace, captured=captured, ignored=["_"]))
    assert effects.bound == {"other": [2], "new": 3}
    assert sorted(effects.deleted) == ["gone", "hidden"]
    effects = _read(_written(namespace, captured=captured, ignored=["_"], wanted=["new", "gone", "same", "_"]))
    assert (effects.bound, effects.deleted) == ({"new": 3}, ["gone"])


def test_what_a_cell_shows() -> None:
    """None is a value; nothing is none."""
    for value, expected in ((None, [None]), (5, [5]), (NO_VALUE, [])):
        assert _read(_written({}, value=value)).values == expected


def test_nothing_is_an_answer() -> None:
    """Of a cell that did nothing."""
    answer = _written({})
    assert (answer.numbers, answer.lost, answer.error_line, answer.error_kinds) == ([], [], "", ())
    assert answer.binds_only
    effects = _read(answer)
    assert (effects.bound, effects.deleted, effects.values, effects.error, effects.lost) == ({}, [], [], [], [])
    assert (effects.unreturned, effects.settings, effects.own, effects.unset, effects.updates) == ([], {}, [], [], [])


_PLACE = ("own_module", ("attribute", "x"))


@pytest.mark.parametrize(
    "options",
    [
        {"settings": {"a": 1}},
        {"error": describe(ValueError("v"), internal=())},
        {"captured": {"a": 1}},
        {"own": OwnChanges([(_PLACE, 1)])},
        {"own": OwnChanges((), [_PLACE])},
    ],
)
def test_an_answer_that_does_more_than_bind(options: dict[str, Any]) -> None:
    """It has to be applied at once; what was imported there changes nothing here."""
    if "own" in options:
        options = {"own": types.SimpleNamespace(changes=lambda _, found=options["own"]: found)}
    assert not _written({"b": 1}, **options).binds_only
    imported = types.SimpleNamespace(changes=lambda _: OwnChanges((), (), ["m"]))
    assert _written({"b": 1}, settings={}, error=[], own=imported).binds_only


def test_settings_and_errors_come_back() -> None:
    """With a line for those who do not read the answer."""
    records = describe(KeyError("k"), internal=())
    answer = _written({}, settings={"a": 1}, error=records)
    assert answer.error_line == "KeyError: 'k'"
    assert answer.error_kinds[:2] == ("builtins.KeyError", "builtins.LookupError")
    effects = _read(answer)
    assert effects.settings == {"a": 1}
    assert [(type(each.exception), each.message) for each in effects.error] == [(KeyError, "'k'")]


def test_an_error_whose_exception_cannot_be_sent_is_sent_without_it() -> None:
    """Its name, message and traceback are there; nothing is lost."""
    error = KeyError("k")
    error.frame = sys._getframe()  # type: ignore[attr-defined]  # one of a user's own
    answer = _written({"a": 1}, error=describe(error, internal=()))
    (record,) = _read(answer).error
    assert (record.exception, record.type_name, record.message) == (None, "KeyError", "'k'")
    assert answer.lost == []


@pytest.fixture
def _own() -> Iterator[types.ModuleType]:
    module = sys.modules["own_module"] = types.ModuleType("own_module")
    yield module
    del sys.modules["own_module"]


def test_the_users_modules_come_back(_own: types.ModuleType) -> None:
    """What their places hold, what is gone, and which were imported; what stayed in the notebook is said."""
    asked: list[Any] = []
    found = OwnChanges([(_PLACE, [1])], [("own_module", ("attribute", "y"))], ["own_module"])
    found.kept.append(("own_module.z", "m.T", "why"))

    def changes(gone: Any) -> OwnChanges:
        asked.append(gone)
        return found

    own: Any = types.SimpleNamespace(changes=changes)
    answer = _written({}, own=own)
    assert asked == [set()]
    assert [(each.what, each.type_name, each.reason, each.text, each.section) for each in answer.lost] == [
        ("own_module.z", "m.T", "why", "", "kept")
    ]
    home = Home({})
    effects = _read(answer, home)
    assert home.imported_there == {"own_module"}
    assert (effects.own, effects.unset) == ([(_PLACE, [1])], [("own_module", ("attribute", "y"))])
    _own.y = 2  # type: ignore[attr-defined]  # of the test
    assert effects.apply_in_place() == []
    assert vars(_own)["x"] == [1]
    assert "y" not in vars(_own)
    effects = _read(_written({}, own=own, mutations=False))
    assert (effects.own, effects.unset) == ([], [])


def test_what_a_module_holds_and_cannot_be_sent_is_lost() -> None:
    """By its place, with its own type."""
    own: Any = types.SimpleNamespace(changes=lambda _: OwnChanges([(_PLACE, Frame("why"))]))
    (lost,) = _written({}, own=own).lost
    assert (lost.what, lost.type_name, lost.reason, lost.section) == ("own_module.x", "Frame", "why", "own")


def test_changes_of_builtins_are_names() -> None:
    """They are taken out of what is applied to modules."""
    put, gone, other = (("builtins", ("attribute", "x")), ("builtins", ("attribute", "y")), _PLACE)
    own: Any = types.SimpleNamespace(changes=lambda _: OwnChanges([(put, 1), (other, 2)], [gone, other]))
    effects = _read(_written({}, own=own))
    assert effects.take_builtins() == ({"x": 1}, ["y"])
    assert (effects.own, effects.unset) == ([(other, 2)], [other])


def test_values_that_cannot_be_sent_are_lost() -> None:
    """Each with its section, its type, one line of the reason and a short text; the rest is there."""
    answer = _written({"a": Frame("one\ntwo"), "b": 1, "c": Frame("")}, value=Frame("three"))
    lost = [(each.what, each.type_name, each.reason, each.section, each.has_ended) for each in answer.lost]
    assert lost == [
        ("a", "Frame", "one", "bound", False), ("c", "Frame", "", "bound", False),
        ("the shown value", "Frame", "three", "value", False),
    ]  # fmt: skip
    assert answer.lost[0].text.startswith(f"<{__name__}.Frame object")
    effects = _read(answer)
    assert effects.bound["b"] == 1
    assert effects.values == []
    assert effects.bound["a"].described()[:2] == ("Frame", "one")
    assert len(effects.lost) == 3
    assert Lost("a", "T", "r", "t").section == "bound"
    assert not Lost.has_ended


def test_objects_that_cannot_be_made_here_are_lost() -> None:
    """By their names, or as a part of what came back; other names are bound."""
    effects = _read(_written({"a": Broken(), "b": [Broken(1)], "c": 3}))
    assert effects.bound["c"] == 3
    lost = [(each.what, each.type_name, each.reason, each.section) for each in effects.lost]
    assert lost == [
        ("a", "_end", "RuntimeError: it cannot be made", "bound"),
        ("an object of _end inside what came back", "_end", "RuntimeError: it cannot be made", "part"),
    ]
    assert effects.bound["a"].described() == ("_end", "RuntimeError: it cannot be made", "an object of _end")
    assert repr(effects.bound["a"]).startswith("<a: _end that stayed on Lambda")
    assert isinstance(effects.bound["b"][0], Placeholder)


class Prints(Own):
    """Prints where it is read."""

    def __reduce__(self) -> Any:
        return print, ("read",)


def test_reading_prints_in_the_function_only(capsys: pytest.CaptureFixture[str]) -> None:
    """What a module prints when it is imported was printed there once."""
    answer = _written({"a": Prints()})
    assert _read(answer).bound == {"a": None}
    assert capsys.readouterr().out == ""
    _read(answer, Home({}, answers=True))
    assert capsys.readouterr().out == "read\n"


def test_a_name_is_bound_to_what_was_changed_if_that_is_sent_whole() -> None:
    """Without changes in place the notebook's object stays as it was."""
    asked = _asked("import itertools\nx = itertools.count()\ny = [x]\nz = [0]")
    before = asked.here["x"]
    effects = asked.answer("next(x)")
    assert [*effects.bound] == ["x"]
    assert asked.here["x"] is not before
    assert asked.here["y"][0] is asked.here["x"]
    assert effects.unreturned == ["y", "x"]
    asked = _asked("x = [1]\nclass A: held = x\ny = [x]\nz = [y]\nother = [0]")
    effects = asked.answer("x.append(2)\nA.mark = 1", mutations=False)
    assert (effects.bound, effects.updates) == ({}, [])
    assert sorted(effects.unreturned) == ["x", "y", "z"]
    asked = _asked("x = [1]\nclass A: held = x\ny = [x]\nz = [y]")
    effects = asked.answer("x.append(2)\nn = z", mutations=False)
    assert effects.bound == {"n": [[[1, 2]]]}
    assert asked.here["z"] == [[[1]]]


def test_changes_are_called_by_their_names() -> None:
    """Of what has none its type is said."""
    x, y = [1], [1]
    captured = {"a": x, "b": y}
    assert _label(Tracked(y, kinds.LIST, 0), captured) == "b"
    assert _label(Tracked([1], kinds.LIST, 0), captured) == "a list inside the captured values"


def test_an_update_that_fails_is_said() -> None:
    """The others are made, and nothing is raised."""
    asked = _asked("x, y, z = [1], {'a': 1}, {1}")
    asked.run_there("x.append(2); y['b'] = 2; z.add(2)")
    effects = read_answer(asked.home, asked._encoder, asked.sent.numbers, asked.sent.frames.segments)
    kind, target, (how, _) = effects.updates[1]
    effects.updates[1] = kind, target, (how, 5)
    (problem,) = effects.apply_in_place()
    assert problem.startswith("a dict that the cell changed could not be updated: 'int' object is not iterable")
    assert (asked.here["x"], asked.here["z"]) == ([1, 2], {1, 2})


def test_a_changed_class_is_the_notebooks() -> None:
    """Found by its token; one that is gone is a problem."""
    asked = _asked("class A: n = 1\nx = A()")
    cls = asked.here["A"]
    asked.answer("A.n = 2")
    assert asked.problems == []
    assert (asked.here["A"], cls.n) == (cls, 2)
    asked.run_there("A.n = 3")
    effects = read_answer(asked.home, asked._encoder, asked.sent.numbers, asked.sent.frames.segments)
    effects.updates[0] = "class", ("no token", "B"), {}
    assert "could not be updated: the class B of a result is not defined" in effects.apply_in_place()[0]


def test_arrays_share_their_memory_here_too() -> None:
    """A new view of the notebook's array is a view of it; what holds one is changed with it."""
    asked = _asked("import numpy\nx = numpy.zeros(8)\nheld = []")
    asked.answer("y = x[:4]\nheld.append(x[4:])\nz, w = numpy.ones(6), None\nw = z[2:]\nx[0] = 1")
    here = asked.here
    assert here["y"].base is here["x"]
    assert here["held"][0].base is here["x"]
    assert here["w"].base is here["z"]
    assert here["x"][0] == here["y"][0] == 1
    asked = _asked("import numpy\nx = numpy.zeros((4, 4))[:, ::2]")
    asked.answer("y = x[:2]\nx[0] = 1")
    assert numpy.shares_memory(asked.here["x"], asked.here["y"]) is False, "it has another layout there"
    assert asked.here["x"].tolist()[0] == [1, 1]


def test_what_a_cell_runs_code_in_is_one_namespace() -> None:
    """Functions that were made in a dictionary belong to it."""
    asked = _asked("x = 1")
    asked.answer("scope = {}\nexec('def f(): return a', scope)\nscope['a'] = 5")
    scope = asked.here["scope"]
    assert scope["f"].__globals__ is scope
    assert scope["f"]() == 5


def test_attributes_of_an_instance_are_its_own() -> None:
    """Of an old one, and of a new one."""
    asked = _asked("class A: pass\nx = A()\nx.a = 1")
    asked.answer("y = A()\nold, new = vars(x), vars(y)\nlisted = [1]")
    assert asked.here["old"] is vars(asked.here["x"])
    assert asked.here["new"] is vars(asked.here["y"])


def test_what_belongs_to_a_module_is_that_modules() -> None:
    """A dictionary that it holds, bound or shown."""
    asked = _asked("import sys")
    effects = asked.answer("path = sys.path\n[sys.modules]")
    assert effects.bound["path"] is sys.path
    effects = _asked("import sys").answer("sys.path")
    assert effects.values[0] is sys.path


def test_names_are_bound_while_the_answer_is_read() -> None:
    """Code of the user's may look them up; the notebook's are there again afterwards."""
    asked = _asked("limit = 1")
    source = (
        "limit = 2\n"
        "class A:\n    def __reduce__(self): return make, ()\n"
        "def make():\n    found = [limit]\n    return found\n"
        "x = [A()]"
    )
    asked.answer(source)
    assert asked.here["x"] == [[2]]
    asked = _asked("limit = 1")
    asked.run_there("limit = 2\n" + source)
    read_answer(asked.home, asked._encoder, asked.sent.numbers, asked.sent.frames.segments)
    assert asked.here["limit"] == 1


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


def test_an_answer_says_which_objects_it_refers_to() -> None:
    """By the numbers that the question has for them; classes have tokens, and what is exchanged is new."""
    asked = _asked("import itertools\nclass A: pass\nx, y = [1], itertools.count()")
    tracker = _tracker(asked)
    run("next(y)", asked.there)
    answer = write_answer(asked.remote, tracker, captured=asked.captured, ignored=asked.there, wanted=None)
    memo = asked._decoder.memo()
    found = [memo[number] for number in answer.numbers]
    assert asked.captured["x"] in found
    assert not any(each is asked.captured["A"] or each is asked.captured["y"] for each in found)
