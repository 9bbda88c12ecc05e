"""What a cell did, written there and applied here."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from lambdamagic.codec import kinds
from lambdamagic.codec.answer import NO_VALUE, Answer, _label, read_answer, write_answer
from lambdamagic.codec.earlier import InOrder
from lambdamagic.codec.failures import describe
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_state import OwnChanges
from lambdamagic.codec.tracking import Tracked, Tracker
from tests.codec.conversations import Conversation, run


class Own:
    """A value of a class that a library has."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


def _asked(setup: str) -> Conversation:
    found = Conversation(setup)
    found.ask()
    return found


def _tracker(asked: Conversation) -> Tracker:
    memo = asked._decoder.memo()
    return Tracker([*asked.captured.values()], memo=memo, home=asked.remote, pristine={})


def written(namespace: dict[str, Any], **options: Any) -> Answer:
    """Return the answer of a cell to which nothing was sent."""
    settings: dict[str, Any] = {"captured": {}, "ignored": (), "wanted": None, **options}
    return write_answer(Home(namespace, answers=True), settings.pop("tracker", None), **settings)


def read(answer: Answer, home: Home | None = None) -> Any:
    return read_answer(home or Home({}), InOrder([]), answer.numbers, answer.frames.segments)


def test_names_that_come_back() -> None:
    """Those that are new or mean another object; not those of the shell, and of wanted ones only."""
    same = [1]
    captured = {"same": same, "other": [2], "gone": 1, "hidden": 1}
    namespace = {"same": same, "other": [2], "new": 3, "_": 4}
    effects = read(written(namespace, captured=captured, ignored=["_"]))
    assert effects.bound == {"other": [2], "new": 3}
    assert sorted(effects.deleted) == ["gone", "hidden"]
    effects = read(written(namespace, captured=captured, ignored=["_"], wanted=["new", "gone", "same", "_"]))
    assert (effects.bound, effects.deleted) == ({"new": 3}, ["gone"])


def test_what_a_cell_shows() -> None:
    """None is a value; nothing is none."""
    for value, expected in ((None, [None]), (5, [5]), (NO_VALUE, [])):
        assert read(written({}, value=value)).values == expected


def test_nothing_is_an_answer() -> None:
    """Of a cell that did nothing."""
    answer = written({})
    assert (answer.numbers, answer.lost, answer.error_line, answer.error_kinds) == ([], [], "", ())
    assert answer.binds_only
    effects = read(answer)
    assert (effects.bound, effects.deleted, effects.values, effects.error, effects.lost) == ({}, [], [], [], [])
    assert (effects.unreturned, effects.settings, effects.own, effects.unset, effects.updates) == ([], {}, [], [], [])


PLACE = ("own_module", ("attribute", "x"))


@pytest.mark.parametrize(
    "options",
    [
        {"settings": {"a": 1}},
        {"error": describe(ValueError("v"), internal=())},
        {"captured": {"a": 1}},
        {"own": OwnChanges([(PLACE, 1)])},
        {"own": OwnChanges((), [PLACE])},
    ],
)
def test_an_answer_that_does_more_than_bind(options: dict[str, Any]) -> None:
    """It has to be applied at once; what was imported there changes nothing here."""
    if "own" in options:
        options = {"own": types.SimpleNamespace(changes=lambda _, found=options["own"]: found)}
    assert not written({"b": 1}, **options).binds_only
    imported = types.SimpleNamespace(changes=lambda _: OwnChanges((), (), ["m"]))
    assert written({"b": 1}, settings={}, error=[], own=imported).binds_only


def test_imports_come_back() -> None:
    """Without anything else of the modules."""
    home = Home({})
    own: Any = types.SimpleNamespace(changes=lambda _: OwnChanges((), (), ["m"]))
    read(written({}, own=own), home)
    assert home.imported_there == {"m"}


def test_settings_and_errors_come_back() -> None:
    """With a line for those who do not read the answer."""
    error = KeyError("k")
    error.__cause__ = ValueError("inner")
    records = describe(error, internal=())
    answer = written({}, settings={"a": 1}, error=records)
    assert answer.error_line == "KeyError: 'k'"
    assert answer.error_kinds[:2] == ("builtins.KeyError", "builtins.LookupError")
    effects = read(answer)
    assert effects.settings == {"a": 1}
    errors = [(type(each.exception), each.message) for each in effects.error]
    assert errors == [(KeyError, "'k'"), (ValueError, "inner")]


@pytest.fixture
def _own() -> Iterator[types.ModuleType]:
    module = sys.modules["own_module"] = types.ModuleType("own_module")
    yield module
    del sys.modules["own_module"]


def test_the_users_modules_come_back(_own: types.ModuleType) -> None:
    """What their places hold, what is gone, and which were imported; what stayed in the notebook is said."""
    asked: list[Any] = []
    found = OwnChanges([(PLACE, [1])], [("own_module", ("attribute", "y"))], ["own_module"])
    found.kept.append(("own_module.z", "m.T", "why"))

    def changes(gone: Any) -> OwnChanges:
        asked.append(gone)
        return found

    own: Any = types.SimpleNamespace(changes=changes)
    answer = written({}, own=own)
    assert asked == [set()]
    assert [(each.what, each.type_name, each.reason, each.text, each.section) for each in answer.lost] == [
        ("own_module.z", "m.T", "why", "", "kept")
    ]
    home = Home({})
    effects = read(answer, home)
    assert home.imported_there == {"own_module"}
    assert (effects.own, effects.unset) == ([(PLACE, [1])], [("own_module", ("attribute", "y"))])
    _own.y = 2  # type: ignore[attr-defined]  # of the test
    assert effects.apply_in_place() == []
    assert vars(_own)["x"] == [1]
    assert "y" not in vars(_own)
    effects = read(written({}, own=own, mutations=False))
    assert (effects.own, effects.unset) == ([], [])


def test_changes_of_builtins_are_names() -> None:
    """They are taken out of what is applied to modules."""
    put, gone, other = (("builtins", ("attribute", "x")), ("builtins", ("attribute", "y")), PLACE)
    own: Any = types.SimpleNamespace(changes=lambda _: OwnChanges([(put, 1), (other, 2)], [gone, other]))
    effects = read(written({}, own=own))
    assert effects.take_builtins() == ({"x": 1}, ["y"])
    assert (effects.own, effects.unset) == ([(other, 2)], [other])


class Prints(Own):
    """Prints where it is read."""

    def __reduce__(self) -> Any:
        return print, ("read",)


def test_reading_prints_in_the_function_only(capsys: pytest.CaptureFixture[str]) -> None:
    """What a module prints when it is imported was printed there once."""
    answer = written({"a": Prints()})
    assert read(answer).bound == {"a": None}
    assert capsys.readouterr().out == ""
    read(answer, Home({}, answers=True))
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
    asked = _asked("z = [[[[1]]]]\nx = z[0][0][0]")
    effects = asked.answer("x.append(2)\nn = z", mutations=False)
    assert effects.bound == {"n": [[[[1, 2]]]]}, "also where holders are met before what they hold"


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
    asked = _asked("import numpy\nx = numpy.zeros(8)\nclass A: pass")
    asked.answer("A.held = x[:4]")
    assert asked.here["A"].held.base is asked.here["x"]
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


def test_an_answer_refers_to_earlier_answers_by_their_numbers() -> None:
    """Only where it holds an object of theirs, in its pickles; its buffers are data."""
    held, other = [1], [2]
    home = Home({"y": [held], "a": numpy.zeros(1024)}, answers=True)
    memo = {(1 << 40) + 5: held, (1 << 40) + 6: other}
    tracker = Tracker([held, other], memo=memo, home=home, pristine={})
    answer = write_answer(home, tracker, captured={}, ignored=(), wanted=None)
    assert sorted(answer.numbers) == [0, (1 << 40) + 5]


def test_an_answer_refers_to_nothing_that_the_question_did_not_have() -> None:
    """Such as members of an Enum that an earlier cell has defined: they have no number."""
    asked = _asked("import enum\nclass E(enum.Enum):\n    A = 1\nx = [1]")
    del asked.here["E"], asked.here["enum"]
    asked.ask()
    asked.answer("E.A.mark = 1\nx.append(2)")
    assert asked.problems == []
    assert all(number >= 0 for number in asked.sent.numbers)
