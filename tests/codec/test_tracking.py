"""What code changes in place is found, and nothing else travels."""

from __future__ import annotations

import pytest

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


def test_an_answer_without_changes_is_small():
    """A hundred thousand untouched objects cost nothing on the way back."""
    talk = Conversation("x = [{'k': [i]} for i in range(20_000)]")
    talk.ask()
    effects = talk.answer("len(x)")
    assert effects.values == [20_000]
    assert talk.sent.frames.size_bytes < 400


def test_only_what_changed_travels():
    """One list of many."""
    talk = Conversation("x = [[i] * 10 for i in range(1000)]")
    talk.ask()
    talk.answer("x[500].append('new')")
    assert talk.here["x"][500] == [500] * 10 + ["new"]
    assert talk.sent.frames.size_bytes < 1000


def test_without_mutations_changed_objects_are_copies():
    """The notebook's own stay as they were, and the names are told."""
    talk = Conversation("x = [1]; y = {'x': x}; z = [0]")
    talk.ask()
    effects = talk.answer("x.append(2)\nn = y", mutations=False)
    assert talk.here["x"] == [1]
    assert talk.here["n"] == {"x": [1, 2]}
    assert effects.unreturned[0] == "x"
    assert "z" not in effects.unreturned


def test_wanted_names_only():
    """Others do not travel, deletes included."""
    talk = Conversation("a = 1; b = 2")
    talk.ask()
    effects = talk.answer("del a\nc = 3\nd = 4", wanted=["c"])
    assert effects.bound == {"c": 3}
    assert effects.deleted == []
    assert talk.here["a"] == 1


def test_deleted_names():
    """They are told by name."""
    talk = Conversation("a = 1; b = 2")
    talk.ask()
    assert talk.answer("del a").deleted == ["a"]


def test_what_no_pickler_carries_is_left_and_told():
    """The rest of the answer is as if it were not there."""
    talk = Conversation("box = {}")
    talk.ask()
    effects = talk.answer("g = (i for i in [1])\nok = 5\nbox['g'] = g")
    assert talk.here["ok"] == 5
    assert talk.here["box"] == {}
    assert {(lost.what, lost.type_name, lost.section) for lost in effects.lost} == {
        ("g", "generator", "bound"),
        ("box", "dict", "update"),
    }
    assert repr(talk.here["g"]) == "<g: generator that stayed on Lambda: cannot pickle 'generator' object>"
