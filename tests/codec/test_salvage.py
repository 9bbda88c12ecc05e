"""A payload of which some part raises is read all the same: that part is a placeholder."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import OrderedDict
from typing import Any

import pytest

from lambdamagic.codec.placeholder import Placeholder, stand_in
from lambdamagic.codec.salvage import SalvagingUnpickler


class Fails:
    """Raises when it is made: by its reduction."""

    def __init__(self, *args: Any) -> None:
        raise OSError("no\nsuch file")

    def __reduce__(self) -> Any:
        return Fails, (1,)


class FailsInNew:
    """Raises when it is made: without arguments, or with some."""

    allowed = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if not FailsInNew.allowed:
            raise SystemExit(3)
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> Any:
        return self.__dict__.pop("arguments", ((), {}))


class Stated:
    """Takes no state."""

    def __getstate__(self) -> Any:
        return {"a": 1}

    def __setstate__(self, state: Any) -> None:
        raise ValueError(state["a"])


class Listed(list):  # type: ignore[type-arg]  # any items
    """Takes no items."""

    def append(self, item: Any) -> None:
        raise ValueError("item")

    def extend(self, items: Any) -> None:
        raise ValueError("items")


class Mapped(OrderedDict):  # type: ignore[type-arg]  # as above
    """Takes no keys."""

    taken = True

    def __setitem__(self, key: Any, value: Any) -> None:
        if not Mapped.taken:
            raise ValueError("key")
        super().__setitem__(key, value)


class Key:
    """Cannot be hashed where it is read."""

    hashed = True

    def __hash__(self) -> int:
        if not Key.hashed:
            raise ValueError("hash")
        return 1


class Given:
    """Is given its state by a function that raises."""

    def __init__(self) -> None:
        self.a = 1

    def __reduce__(self) -> Any:
        return Given, (), {"a": 1}, None, None, set_given


def set_given(target: Any, state: Any) -> None:
    """Refuse."""
    raise ValueError("state")


class Ends:
    """Ends the program, where it is read."""

    def __reduce__(self) -> Any:
        return _end, ()


def _end() -> None:
    raise KeyboardInterrupt


def _listed(*items: Any) -> Listed:
    found = Listed()
    list.extend(found, items)
    return found


@pytest.fixture(autouse=True)
def written() -> Any:
    """Let classes behave while values are made, and raise after `pickled`."""
    yield
    FailsInNew.allowed = Mapped.taken = Key.hashed = True


def _read(value: Any, missing: Any = None) -> tuple[Any, SalvagingUnpickler]:
    data = pickle.dumps(value, 5)
    FailsInNew.allowed = Mapped.taken = Key.hashed = False
    unpickler = SalvagingUnpickler(io.BytesIO(data), (), missing)
    return unpickler.load(), unpickler


def _named(*arguments: Any, **options: Any) -> Any:
    found = FailsInNew()
    if arguments or options:
        found.arguments = (arguments, options)
    return found


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (Fails.__new__, "Fails", "OSError: no\nsuch file"),
        (lambda _: _named(), "FailsInNew", "SystemExit: 3"),
        (lambda _: _named(1), "FailsInNew", "SystemExit: 3"),
        (lambda _: _named(1, k=2), "FailsInNew", "SystemExit: 3"),
        (lambda _: Stated(), "Stated", "ValueError: 1"),
        (lambda _: _listed(1), "Listed", "ValueError: item"),
        (lambda _: _listed(1, 2), "Listed", "ValueError: items"),
        (lambda _: Mapped(a=1), "Mapped", "ValueError: key"),
        (lambda _: Mapped(a=1, b=2), "Mapped", "ValueError: key"),
        (lambda _: {Key(): 1}, "dict", "ValueError: hash"),
        (lambda _: {Key(): 1, "a": 2}, "dict", "ValueError: hash"),
        (lambda _: {Key(), 1}, "set", "ValueError: hash"),
        (lambda _: Given(), "Given", "ValueError: state"),
    ],
)
def test_what_raises_is_a_placeholder(make: Any, name: str, reason: str) -> None:
    """Wherever it is referred to; what is before and after it is read."""
    value = make(Fails)
    (before, [found, again], after), unpickler = _read([["before"], [value, value], {"after": [1]}])
    assert (before, after) == (["before"], {"after": [1]})
    assert type(found) is Placeholder
    assert found is again
    assert repr(found) == f"<a {name}: {name} that stayed on Lambda: {reason}>"
    assert found.described() == (name, reason, f"an object of {name}")
    assert unpickler.broken == [found]
    assert f"{type(unpickler.failure).__name__}: {unpickler.failure}" == reason
    assert getattr(unpickler.failure, "__traceback__", 1) is None


@pytest.mark.parametrize("make", [Given, Stated, lambda: _listed(1, 2), lambda: Fails.__new__(Fails)])
def test_what_is_read_with_it_stays(make: Any) -> None:
    """In a tuple, whose parts are next to each other while it is read."""
    (one, two, found), _ = _read((complex(1, 2), complex(3, 4), make()))
    assert (one, two, type(found)) == (complex(1, 2), complex(3, 4), Placeholder)
    (found, again), _ = _read((make(), complex(1, 2)))
    assert (type(found), again) == (Placeholder, complex(1, 2))


@pytest.mark.parametrize("holder", [None, list, dict, types.SimpleNamespace])
def test_what_ends_the_program_is_not_the_objects_failure(holder: Any) -> None:
    """Also while another object is filled."""
    ends = Ends()  # not one of the module's: those are sent where tests of this process send modules
    value = ends if holder is None else [ends] if holder is list else holder(a=ends)
    with pytest.raises(KeyboardInterrupt):
        _read(value)


class _Interrupted:
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [b"(", b")\x81", b")}\x92", b"\x81b", b"]\x81K\x01a"])
def test_an_interruption_of_each_step(steps: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a class that is made, and of one that is given items or a state."""

    class Filled:
        def __setstate__(self, state: Any) -> None:
            raise KeyboardInterrupt

        append = __setstate__

    module = sys.modules[__name__]
    monkeypatch.setattr(module, "Made", _Interrupted, raising=False)
    monkeypatch.setattr(module, "Filled", Filled, raising=False)
    name = f"c{__name__}\n".encode()
    data = {
        b"(": name + b"Made\n)R", b")\x81": name + b"Made\n)\x81", b")}\x92": name + b"Made\n)}\x92",
        b"\x81b": name + b"Filled\n)\x81}b", b"]\x81K\x01a": name + b"Filled\n)\x81K\x01a",
    }[steps]  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        SalvagingUnpickler(io.BytesIO(b"\x80\x05" + data + b"."), (), None).load()


def test_a_placeholder_is_not_filled() -> None:
    """What follows it on the stack is dropped, whatever gives it: a state, items, keys."""

    class Reduced:
        def __init__(self, *parts: Any) -> None:
            self.parts = parts

        def __reduce__(self) -> Any:
            return Fails, (), *self.parts

    value = [
        Reduced({"a": 1}), Reduced(None, iter([1])), Reduced(None, iter([1, 2])), Reduced(None, None, iter([(1, 2)])),
        Reduced(None, None, iter([(1, 2), (3, 4)])), 5,
    ]  # fmt: skip
    found, unpickler = _read([value, 6])
    assert [type(each) for each in found[0]] == [Placeholder] * 5 + [int]
    assert (found[0][5], found[1]) == (5, 6)
    assert len(unpickler.broken) == 5


def test_the_first_failure_is_kept_until_it_is_taken() -> None:
    """Also where a placeholder of a part before is referred to."""
    broken, other = Stated(), Fails.__new__(Fails)
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 5)
    for part in ([broken, other], [1], [0, broken], [*map(str, range(300)), other], [0, *map(str, range(300)), broken]):
        pickler.dump(part)
    stream.seek(0)
    unpickler = SalvagingUnpickler(stream, (), None)
    failures = []
    for _ in range(5):
        unpickler.load()
        failures.append(type(unpickler.failure))
        unpickler.failure = None
    assert failures == [ValueError, type(None), ValueError, OSError, ValueError]
    assert len(unpickler.broken) == 2


def test_numbers_beyond_255_are_followed_too() -> None:
    """A placeholder with a large number is known again."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 5)
    value = Stated()
    pickler.dump([*map(str, range(300)), value])
    pickler.dump([0, value])
    stream.seek(0)
    unpickler = SalvagingUnpickler(stream, (), None)
    found = unpickler.load()[-1]
    unpickler.failure = None
    assert unpickler.load()[1] is found
    assert isinstance(unpickler.failure, ValueError)


def test_a_name_that_cannot_be_imported() -> None:
    """It has a stand-in, or is a placeholder by itself."""
    data = b"\x80\x05(cno_such_module\nname\ncmath\nno_such_name\ncmath\npi\nt."
    unpickler = SalvagingUnpickler(io.BytesIO(data), (), None)
    first, second, third = unpickler.load()
    assert third == 3.141592653589793
    assert first.described()[0] == "no_such_module.name"
    assert second.described()[0] == "math.no_such_name"
    assert first.described()[1] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert [type(each) for each in unpickler.broken] == [Placeholder] * 2
    unpickler = SalvagingUnpickler(io.BytesIO(data), (), stand_in)
    assert unpickler.load()[0].description[0] == "name"
    assert unpickler.broken == []
