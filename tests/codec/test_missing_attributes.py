"""Objects whose class answers for attributes that they lack: it is not asked for what pickle looks up."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from typing import Any

import pytest

from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_instances import needs_rule


class Strict:
    """Raises what `getattr` with a default does not expect."""

    __slots__ = ("set", "unset")

    def __init__(self) -> None:
        self.set = 1

    def __getattr__(self, name: str) -> Any:
        raise NameError(name)


class Inventive(Strict):
    """Has an answer to everything."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return "made up"


class Delegating:
    """Asks an attribute that it does not have while it is read."""

    def __init__(self) -> None:
        self.inner = {"a": 1}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.inner[name]
        except KeyError:
            raise AttributeError(name) from None


def _sent(value: Any) -> Any:
    """Send it as an object of a library: its class has its name there."""
    encoder = Encoder(Home({}))
    encoder.dump(value)
    return Decoder(encoder.frames().segments, Home({})).load()


@pytest.mark.parametrize("kind", [Strict, Inventive])
def test_an_empty_slot_stays_empty(kind: type) -> None:
    """Nothing is asked for its value, nor for a dictionary that the object does not have."""
    found = _sent(kind())
    assert type(found) is kind
    assert found.set == 1
    with pytest.raises(AttributeError):
        object.__getattribute__(found, "unset")


def test_a_class_that_asks_its_own_attributes_is_read() -> None:
    """pickle would ask the bare object for `__setstate__`, without end."""
    found = _sent(Delegating())
    assert (found.a, vars(found)) == (1, {"inner": {"a": 1}})


class Registered(Delegating):
    """A registered function reduces it."""


class Stated(Delegating):
    """Says itself what is sent."""

    def __getstate__(self) -> Any:
        return {"inner": {"a": 2}}


@pytest.fixture
def registered() -> Iterator[None]:
    copyreg.pickle(Registered, lambda value: (Registered, ()))  # type: ignore[arg-type]  # typeshed's form is narrower
    yield
    del copyreg.dispatch_table[Registered]


def test_a_class_that_says_how_it_is_pickled_keeps_that(registered: None) -> None:
    """By a registration, or by pickle's methods."""
    changed = Registered()
    changed.inner = {"a": 3}
    assert needs_rule(Delegating)
    assert not needs_rule(Registered)
    assert _sent(changed).a == 1
    assert _sent(Stated()).a == 2
