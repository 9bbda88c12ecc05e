"""Identities of classes on both sides."""

from __future__ import annotations

import gc

import pytest

from lambdamagic.codec.home import Home
from tests.codec.conversations import Conversation, encode_once


def test_a_token_is_kept_while_the_class_lives():
    """And forgotten with it: nothing is kept alive."""
    home = Home({})
    made = type("A", (), {})
    token = home.token_of(made)
    assert home.token_of(made) == token
    assert home.known(token) is made
    del made
    gc.collect()
    assert home.known(token) is None


def test_a_class_that_was_redefined_here():
    """The new one is meant, and it is reported once."""
    talk = Conversation("class A:\n    v = 1")
    talk.ask()
    made = type("A", (), {"__module__": "__main__", "v": 2})
    old = talk.here["A"]
    talk.here["A"] = made
    token = talk.home.token_of(old)
    assert talk.home.resolve(token, "A") is made
    assert talk.home.resolve(token, "A") is made
    assert talk.home.take_notices() == [
        "class A was redefined in the notebook while the job ran: returned objects use the new definition"
    ]
    assert talk.home.take_notices() == []


def test_a_class_that_is_gone():
    """Said by name."""
    with pytest.raises(LookupError, match="the class B of a result is not defined in this session any more"):
        Home({}).resolve("unknown", "B")


def test_metaclasses_that_compare_as_they_like():
    """Classes are distinguished by identity."""

    class Same(type):
        def __eq__(cls, other):
            return True

        def __hash__(cls):
            return 1

    home = Home({})
    one, two = Same("A", (), {}), Same("A", (), {})
    assert home.token_of(one) != home.token_of(two)


def test_a_payload_read_by_hand_is_refused():
    """pickle.loads alone knows no home."""
    import pickle

    talk = Conversation("def f(): pass")
    with pytest.raises(RuntimeError, match=r"payloads are read by lambdamagic\.codec"):
        pickle.loads(bytes(encode_once(talk.home, talk.here["f"]).segments[0]))


def test_pickle_finds_what_has_no_name_here():
    """A class by its qualified name among those that came, then a function; nothing for other names."""

    def function() -> None: ...

    def make(name: str) -> type:
        return type(name, (), {"__qualname__": name})

    home, first, second = Home({}), make("A"), make("B")
    home.adopt("1", first)
    home.adopt("2", second)
    home.defined["B"] = home.defined["f"] = function
    assert home.find("A") is first
    assert home.find("B") is second
    assert home.find("f") is function
    assert home.find("Z") is None
    del second
    gc.collect()
    assert home.find("B") is function
