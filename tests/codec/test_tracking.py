"""What code changes in place is found, and nothing else is sent."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from types import FunctionType

import pytest

from lambdamagic.codec.answer import NO_VALUE, write_answer
from lambdamagic.codec.failures import describe
from lambdamagic.codec.tracking import Tracker
from tests.cells.test_mutations import IN_PLACE, REBOUND
from tests.codec.conversations import KINDS, Conversation, run


@pytest.mark.parametrize("serializer", KINDS)
@pytest.mark.parametrize("name", IN_PLACE)
def test_a_change_in_place(name, serializer):
    """The very object is changed, under each of its names."""
    setup, body, check = IN_PLACE[name]
    talk = Conversation(setup + "\nalias = x\nholder = {'x': x}", serializer)
    before = talk.here["x"]
    talk.ask()
    talk.answer(body)
    assert talk.problems == []
    assert run(check, talk.here)
    assert talk.here["x"] is talk.here["alias"] is talk.here["holder"]["x"] is before


@pytest.mark.parametrize("serializer", KINDS)
@pytest.mark.parametrize("name", REBOUND)
def test_a_change_of_an_object_with_its_own_pickling(name, serializer):
    """Its names and its holder agree."""
    setup, body, check = REBOUND[name]
    talk = Conversation(setup + "\nholder = [x]", serializer)
    talk.ask()
    talk.answer(body)
    assert run(check, talk.here)
    assert talk.here["holder"][0] is talk.here["x"]


def test_an_answer_that_is_cut_off_changes_nothing():
    """It is read whole before any of it is applied, wherever it ends."""
    talk = Conversation("x, y = [1], {'k': 1}")
    talk.ask()
    x, y = talk.here["x"], talk.here["y"]
    talk.run_there("x.append(2)\ny['k'] = 2\nz = 3")
    whole = talk.sent.frames.segments
    for end in (1, len(whole[0]) // 2, len(whole[0]) - 2):
        with pytest.raises(Exception):  # noqa: B017  # whatever pickle says of a stream that ends
            talk.apply([bytearray(whole[0][:end]), *whole[1:]])
    assert (x, y, "z" in talk.here) == ([1], {"k": 1}, False)
    talk.apply([bytearray(segment) for segment in whole])
    assert (x, y, talk.here["z"]) == ([1, 2], {"k": 2}, 3)


def test_an_answer_without_changes_is_small():
    """A hundred thousand untouched objects cost nothing on the way back."""
    talk = Conversation("x = [{'k': [i]} for i in range(20_000)]")
    talk.ask()
    effects = talk.answer("len(x)")
    assert effects.values == [20_000]
    assert talk.sent.frames.size_bytes < 400


def test_only_changed_objects_are_sent():
    """One list of many."""
    talk = Conversation("x = [[i] * 10 for i in range(1000)]")
    talk.ask()
    talk.answer("x[500].append('new')")
    assert talk.here["x"][500] == [500] * 10 + ["new"]
    assert talk.sent.frames.size_bytes < 1000


def test_without_mutations_changed_objects_are_copies():
    """The notebook's own stay as they were, and the names are reported."""
    talk = Conversation("x = [1]; y = {'x': x}; z = [0]")
    talk.ask()
    effects = talk.answer("x.append(2)\nn = y", mutations=False)
    assert talk.here["x"] == [1]
    assert talk.here["n"] == {"x": [1, 2]}
    assert effects.unreturned[0] == "x"
    assert "z" not in effects.unreturned


def test_only_requested_names_come_back():
    """Others are not sent, deletes included."""
    talk = Conversation("a = 1; b = 2")
    talk.ask()
    effects = talk.answer("del a\nc = 3\nd = 4", wanted=["c"])
    assert effects.bound == {"c": 3}
    assert effects.deleted == []
    assert talk.here["a"] == 1


def test_deleted_names():
    """They are reported by name."""
    talk = Conversation("a = 1; b = 2")
    talk.ask()
    assert talk.answer("del a").deleted == ["a"]


def test_values_that_no_pickler_takes_are_left_out_and_reported():
    """The rest of the answer is as if it were not there."""
    talk = Conversation("box = {}")
    talk.ask()
    effects = talk.answer("import sqlite3\ng = sqlite3.connect(':memory:')\nok = 5\nbox['g'] = g")
    assert talk.here["ok"] == 5
    assert talk.here["box"] == {}
    assert {(lost.what, lost.type_name, lost.section) for lost in effects.lost} == {
        ("g", "Connection", "bound"),
        ("box", "dict", "update"),
    }
    assert repr(talk.here["g"]) == "<g: Connection that stayed on Lambda: cannot pickle 'sqlite3.Connection' object>"
    talk.there["g"].close()


def _asked(setup: str) -> Conversation:
    found = Conversation(setup)
    found.ask()
    return found


def _tracker(asked: Conversation, arrived: bytes, part: int) -> Tracker:
    """Return a tracker that has the bytes of the array `a` as they arrived, in parts, as the blob cache gives them."""
    value = asked.captured["a"]
    where = value.__array_interface__["data"][0], value.nbytes

    def parts() -> Iterator[bytes]:
        for start in range(0, len(arrived), part):
            yield arrived[start : start + part]

    return Tracker(
        list(asked.captured.values()), memo=asked._decoder.memo(), home=asked.remote, pristine={where: parts}
    )


@pytest.mark.parametrize("position", [0, 1, 499, 999])
def test_a_staged_array_that_was_changed_in_place_is_found(position: int) -> None:
    """It is compared with the bytes that arrived, part by part, to the last; no digest of it is made."""
    asked = _asked("import numpy\na = numpy.arange(1000.0)\nb = [a]")
    arrived = asked.captured["a"].tobytes()
    tracker = _tracker(asked, arrived, part=1000)
    assert tracker.changes() == ([], [])
    asked.captured["a"][position] += 1
    dirty, replaced = tracker.changes()
    assert [item.value is asked.captured["a"] for item in dirty] == [True]
    assert replaced == []


def test_a_staged_array_is_looked_at_when_the_cell_is_over() -> None:
    """Its picture is the blob, not what the array holds when the picture is taken."""
    asked = _asked("import numpy\na = numpy.zeros(1000)")
    tracker = _tracker(asked, b"\1" * 8000, part=4096)
    assert [item.value is asked.captured["a"] for item in tracker.changes()[0]] == [True]


@pytest.mark.parametrize(
    ("body", "binds_only"),
    [
        ("d = 1", True),
        ("d = c\nd", True),
        ("c", True),
        ("c.append(1)", False),
        ("del c", False),
        ("d = 1\nc.append(2)", False),
    ],
)
def test_a_cell_that_only_binds_names_has_no_changes(body: str, binds_only: bool) -> None:
    """Only such an answer may wait in the bucket until a cell reads the name: a change must not come late."""
    asked = _asked("c = [0]")
    asked.answer(body)
    assert asked.sent.binds_only is binds_only


def test_an_exception_is_no_binding() -> None:
    """It must be raised at once."""
    asked = _asked("c = [0]")
    tracker = Tracker([*asked.captured.values()], memo=asked._decoder.memo(), home=asked.remote, pristine={})
    records = describe(ValueError("x"), internal=())
    answer = write_answer(
        asked.remote, tracker, captured=asked.captured, ignored=(), wanted=None, value=NO_VALUE, error=records
    )
    assert answer.binds_only is False


_CELL = """
def made(a):
    def put(new):
        nonlocal a
        a = new
    return put
put = made([1])
x = put.__closure__[0]
"""
_STATE = "class A:\n    def __init__(self): self.n = 1\n    def __getstate__(self): return {'n': self.n}\nx = A()"
#: NumPy 2.5 warns of it.
_STILL_TAKEN = "import warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
#: One value of each kind of picture: how it is made, what changes it, and whether the object itself can be changed.
_EACH_KIND = {
    "list": ("x = [1]", "x[0] = 2", "dirty"),
    "dict": ("x = {'a': 1}", "x['a'] = 2", "dirty"),
    "dict in another order": ("x = {'a': 1, 'b': 2}", "x['a'] = x.pop('a')", "dirty"),
    "set": ("x = {1}", "x.add(2)", "dirty"),
    "bytearray": ("x = bytearray(b'ab')", "x[0] = 65", "dirty"),
    "longer bytearray": ("x = bytearray(b'ab')", "x += b'c'", "dirty"),
    "array": ("import numpy\nx = numpy.arange(6.0)", "x[5] = 0", "dirty"),
    "reshaped array": ("import numpy\nx = numpy.arange(6.0)", f"{_STILL_TAKEN}x.shape = 2, 3", "dirty"),
    "array of another type": ("import numpy\nx = numpy.arange(6.0)", f"{_STILL_TAKEN}x.dtype = 'i8'", "replaced"),
    "array of objects": ("import numpy\nx = numpy.array([[1], None], dtype=object)", "x[1] = 2", "dirty"),
    "instance": ("class A: pass\nx = A()", "x.a = 1", "dirty"),
    "equal but another object in an instance": ("class A: pass\nx = A()\nx.a = [1]", "x.a = [1]", "dirty"),
    "equal but another object in a list": ("x = [[1]]", "x[0] = [1]", "dirty"),
    "equal but another object in a dict": ("x = {'a': [1]}", "x['a'] = [1]", "dirty"),
    "class": ("class x:\n    a = 1", "x.a = 2", "dirty"),
    "class without an attribute": ("class x:\n    a = 1", "del x.a", "dirty"),
    "abstract class": ("import abc\nclass x(abc.ABC): pass", "x.register(int)", "dirty"),
    "function": ("def x(a=[]): pass", "x.mark = 1", "dirty"),
    "function without defaults": ("def x(a): pass", "x.__defaults__ = (1,)", "dirty"),
    "cell": (_CELL, "put([2])", "dirty"),
    "True that is 1 in a cell": (_CELL.replace("[1]", "True"), "put(1)", "dirty"),
    "equal but another object in a cell": (_CELL.replace("[1]", "{}"), "put({})", "dirty"),
    "variable": ("import contextvars\nx = contextvars.ContextVar('x')", "x.set(1)", "dirty"),
    "file": (
        "from lambdamagic.codec.opened_files import opened\nx = opened(b'ab', 'n', 'rb', '', '', 0)",
        "x.read(1)",
        "dirty",
    ),
    "every second element": ("import numpy\nx = numpy.arange(6.0)[::2]", "x[2] = 0", "dirty"),
    "read-only array of Fortran's": (
        "import numpy\nx = numpy.zeros((2, 3), order='F')",
        "x.flags.writeable = False",
        "dirty",
    ),
    "cache": ("import functools\n@functools.lru_cache\ndef x(a): return a\nx(1)", "x(1)", "dirty"),
    "generator": ("def made():\n    yield 1\n    yield 2\nx = made()", "next(x)", "dirty"),
    "random": ("import random\nx = random.Random(1)", "x.random()", "dirty"),
    "counter of its own pickling": ("import itertools\nx = itertools.count()", "next(x)", "replaced"),
    "what is made anew and has a state": ("import itertools\nx = itertools.cycle([1, 2])", "next(x)", "replaced"),
    "iterator": ("x = iter([1, 2])", "next(x)", "dirty"),
    "iterator at its end": ("x = iter([1])", "list(x)", "dirty"),
    "own state": (_STATE, "x.n = 2", "dirty"),
    "own state that becomes unpicklable": (_STATE, "import sys\nx.n = sys._getframe()", "dirty"),
}


@pytest.mark.parametrize("name", [*_EACH_KIND])
def test_a_change_is_found_and_nothing_else(name: str) -> None:
    """What was not touched is no change, what was is one, and whether the object itself can be given it."""
    setup, body, verdict = _EACH_KIND[name]
    for touched in (False, True):
        asked = _asked(setup)
        tracker = Tracker([*asked.captured.values()], memo=asked._decoder.memo(), home=asked.remote, pristine={})
        if touched:
            run(body, asked.there)
        dirty, replaced = (
            len([each for each in found if each.value is asked.there["x"]]) for found in tracker.changes()
        )
        expected = (touched and verdict == "dirty", touched and verdict == "replaced")
        assert (dirty, replaced) == expected, touched


@pytest.mark.parametrize("made", ["'x' * 1000", "b'x' * 1000", "(1, 'a')", "frozenset({1})"])
def test_a_new_name_of_an_object_is_not_a_copy(made: str) -> None:
    """Also where the object cannot change: `b is a` holds afterwards, as in the plain kernel."""
    talk = _asked(f"a = {made}")
    talk.answer("b = a")
    assert talk.here["b"] is talk.here["a"]


@pytest.mark.parametrize(
    ("made", "change", "check"),
    [
        ("[1]", "append(2)", "== [1, 2]"),
        ("random.Random(1)", "seed(2)", ".random() == random.Random(2).random()"),
        ("numpy.zeros(3)", "fill(1)", ".sum() == 3"),
        ("types.SimpleNamespace(a=1)", "__setattr__('a', 2)", ".a == 2"),
    ],
)
def test_what_a_class_holds_is_changed_in_place(made: str, change: str, check: str) -> None:
    """The attributes of the notebook's classes are looked into."""
    talk = _asked(f"import numpy, random, types\nclass A:\n    held = {made}")
    before = talk.here["A"].held
    talk.answer(f"A.held.{change}")
    assert talk.here["A"].held is before
    assert run(f"A.held{check}" if check[0] == "." else f"A.held {check}", talk.here)


def test_who_holds_what_is_exchanged_has_the_new_one() -> None:
    """A list is the same list with the new object; what cannot change, or has its own pickling, is exchanged too."""
    talk = _asked(
        """
        import itertools
        class Box:
            def __init__(self, held): self.held = held
            def __reduce__(self): return Box, (self.held,)
        deep = None  # the first name, and the last to hold what is new
        x = itertools.count()
        box, listed, fixed, other = Box(x), [x], (x, 1), [0]
        again, deep = itertools.repeat(x), (fixed, 2)
        """
    )
    listed, other = talk.here["listed"], talk.here["other"]
    talk.answer("next(x)")
    x = talk.here["x"]
    assert talk.here["listed"] is listed
    assert talk.here["other"] is other
    assert talk.here["box"].held is listed[0] is talk.here["fixed"][0] is next(talk.here["again"]) is x
    assert talk.here["deep"][0] is talk.here["fixed"]
    assert next(x) == 1


def test_what_other_jobs_see_too_has_no_picture() -> None:
    """No change of it comes back, but a new name of it is no copy."""
    asked = _asked("x = [[1]]")
    x = asked.captured["x"]
    tracker = Tracker([x], memo=asked._decoder.memo(), home=asked.remote, pristine={}, shared=[x])
    x.append(2)
    assert tracker.changes() == ([], [])
    assert [item.value is x for item in tracker.tracked.values()][:1] == [True]


@pytest.mark.parametrize(
    ("made", "change", "expected"),
    [("[1]", "next(x).append(2)", [1, 2]), ("memoryview(bytearray(b'ab'))", "next(x)[0] = 65", b"Ab")],
)
def test_what_only_the_payload_leads_to_is_changed_in_place(made: str, change: str, expected: object) -> None:
    """Code reaches it through an object that is not looked into, which stays the same."""
    talk = _asked(f"import itertools\nx = itertools.repeat({made})")
    x, held = talk.here["x"], next(talk.here["x"])
    talk.answer(change)
    assert talk.here["x"] is x
    assert next(x) is held
    assert held == expected


def test_tuples_of_numbers_and_strings_are_not_looked_at() -> None:
    """There may be a million of them; one that holds what can change is. Nor are the codec's own functions."""
    asked = _asked("def f(): pass\nx = [(1, 'a'), (2, [3])]\ny = [[[[(4,), [5], (6, 'b')]]]]")
    tracker = Tracker([*asked.captured.values()], memo=asked._decoder.memo(), home=asked.remote, pristine={})
    tuples = [item.value for item in tracker.tracked.values() if type(item.value) is tuple]
    assert tuples == [(2, [3])]
    functions = [item.value for item in tracker.tracked.values() if type(item.value) is FunctionType]
    assert functions == [asked.captured["f"]]


def test_what_is_not_in_the_payload_is_no_object_of_it() -> None:
    """A class of an earlier cell is looked at too, but its members have no number in this payload."""
    talk = _asked("import enum\nclass E(enum.Enum):\n    A = 1\nx = [1]")
    del talk.here["E"], talk.here["enum"]
    talk.ask()
    talk.answer("E.A.mark = 1\nx.append(2)")
    assert talk.problems == []
    assert talk.here["x"] == [1, 2]


def test_classes_of_libraries_have_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are known by name on both sides, and what libraries do to their own is theirs."""
    asked = _asked("import argparse\nx, y = argparse.Namespace, int")
    tracker = Tracker([*asked.captured.values()], memo=asked._decoder.memo(), home=asked.remote, pristine={})
    monkeypatch.setattr(argparse.Namespace, "mark", 1, raising=False)
    assert tracker.changes() == ([], [])
    assert asked.remote.find("Namespace") is None, "a name that pickle looks for is none of theirs"


def test_an_array_in_the_order_of_fortran_is_compared_in_the_order_in_memory() -> None:
    """As its bytes arrived."""
    asked = _asked("import numpy\na = numpy.arange(6.0).reshape(2, 3).copy(order='F')")
    tracker = _tracker(asked, asked.captured["a"].tobytes(order="A"), part=16)
    assert tracker.changes() == ([], [])
