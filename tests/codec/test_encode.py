"""One payload, part by part: its sizes, its numbers, and what is written in place of an object."""

from __future__ import annotations

import builtins
import collections
import contextlib
import datetime
import json
import sqlite3
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from lambdamagic.codec import encode
from lambdamagic.codec.encode import Decoder, Encoder, can_travel, writer
from lambdamagic.codec.home import Home
from lambdamagic.codec.written_as import Called


def _parts(encoder: Encoder, **options: Any) -> list[Any]:
    return [*Decoder(encoder.frames().segments, Home({}), **options).parts()]


class Noting:
    """Notes in which thread it is written."""

    def __init__(self) -> None:
        self.threads: list[Any] = []

    def __reduce__(self) -> Any:
        self.threads.append(threading.current_thread())
        return list, ()


@pytest.mark.parametrize(
    ("kind", "is_here"), [("c", True), ("deep", True), ("cloudpickle", True), ("dill", False), ("dill-forced", False)]
)
def test_only_dill_needs_another_stack(kind: str, is_here: bool) -> None:
    """It is in Python, and calls itself for each level of the data."""
    value = Noting()
    Encoder(Home({}), kind=kind).dump(value)
    assert [each is threading.current_thread() for each in value.threads] == [is_here]


def test_parts_have_sizes() -> None:
    """With their buffers; together they are the payload."""
    seen: list[int] = []
    encoder = Encoder(Home({}), wrote=seen.append)
    array = numpy.zeros(1024)
    small, large, again = encoder.dump([1]), encoder.dump(array), encoder.dump([array, bytes(70_000)])
    frames = encoder.frames()
    assert 5 < small < 50
    assert 8192 < large < 8600
    assert 70_000 < again < 71_000
    assert small + large + again == frames.size_bytes
    assert frames.sizes[1:] == (8192,)
    assert 0 <= frames.sizes[0] - seen[-1] < 10, "one call a frame of pickle's"
    one, two, (three, _) = _parts(encoder)
    assert one == [1]
    assert two is three
    with pytest.raises(ValueError, match="more than"):
        Encoder(Home({}), most_bytes=100).dump(bytes(101))


def test_numbers_are_those_of_the_reader() -> None:
    """Each object that was written has one, by which the other side finds it."""
    encoder = Encoder(Home({}))
    first, second = [1], {"a": (2,)}
    encoder.dump([first, second])
    encoder.dump(first)
    here = encoder.objects_in_order()
    decoder = Decoder(encoder.frames().segments, Home({}))
    read = [*decoder.parts()]
    there = decoder.memo()
    assert here == [there[number] for number in range(len(here))]
    assert len(there) == len(here)
    numbers = {id(value): number for number, value in enumerate(here)}
    assert there[numbers[id(first)]] is read[1] is read[0][0]
    wanted = [numbers[id(second)], numbers[id(first)]]
    assert [id(each) for each in encoder.objects_by_number(iter(wanted))] == [id(second), id(first)]
    assert encoder.objects_by_number([]) == []


def test_what_the_reader_has_is_a_number() -> None:
    """In the order of the reader's; new objects have the numbers behind."""
    known: list[Any] = [[1], {"a": 1}]
    encoder = Encoder(Home({}), primed=known)
    encoder.dump([known[1], known[0], "new"])
    theirs: list[Any] = [[1], {"a": 1}]
    decoder = Decoder(encoder.frames().segments, Home({}), primed=theirs)
    assert not decoder.is_at_end
    found = decoder.load()
    assert found[0] is theirs[1]
    assert found[1] is theirs[0]
    assert decoder.is_at_end
    assert decoder.memo()[2] is found
    assert [id(each) for each in encoder.objects_in_order()[:2]] == [id(each) for each in known]


@pytest.mark.parametrize("before", [0, 1, 1500])
def test_bytes_of_hidden_parts_do_not_matter(before: int) -> None:
    """What follows is the same, whatever was written before, and so are its numbers for both sides."""
    found = []
    for count in (3, before):
        encoder = Encoder(Home({}))
        first = [[number] for number in range(count)]
        encoder.dump(first)
        encoder.hide()
        start = encoder.frames().sizes[0]
        shared = [5]
        encoder.dump([shared, shared])
        frames = encoder.frames()
        found.append(bytes(frames.segments[0])[start:])
        decoder = Decoder(frames.segments, Home({}))
        read = [*decoder.parts()]
        assert read == [first, [[5], [5]]]
        here, there = encoder.objects_in_order(), decoder.memo()
        assert len(here) == len(there)
        numbers = [number for number, value in enumerate(here) if value is shared]
        assert [there[number] for number in numbers] == [read[1][0]]
        assert all(here[number] == there[number] for number in range(count + 1))
    assert (found[0] == found[1]) is (before < 1000), "unless very much more was written before"


@pytest.mark.parametrize("is_large", [False, True])
def test_a_large_part_is_a_frame(monkeypatch: pytest.MonkeyPatch, is_large: bool) -> None:
    """Before its buffers, which are read in their order; it begins with what the parts before have."""
    monkeypatch.setattr(encode, "ALONE_MIN_BYTES", 100 if is_large else 10_000)
    encoder = Encoder(Home({}))
    one, two, shared = numpy.zeros(1024), numpy.ones(1024), [1]
    encoder.dump([shared, one])
    size = encoder.dump_apart([shared, two, bytes(100), bytes(50), one])
    after = encoder.dump(["after", two])
    frames = encoder.frames()
    assert len(frames.sizes) == 3 + is_large
    assert [each for each in frames.sizes[1:] if each >= 8192] == [8192, 8192]
    if is_large:
        assert frames.sizes[2] == size - 8192
    assert 8192 < size < 9000
    assert after < 100
    first, second, third = _parts(encoder)
    assert second[0] is first[0]
    assert second[4] is first[1]
    assert second[1][0] == 1
    assert third[1] is second[1]


def test_a_part_of_exactly_that_size_is_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte less is not."""
    size = Encoder(Home({})).dump(["a"])
    for bound, count in ((size, 2), (size + 1, 1)):
        monkeypatch.setattr(encode, "ALONE_MIN_BYTES", bound)
        encoder = Encoder(Home({}))
        encoder.dump("before")
        encoder.dump_apart(["a"])
        assert len(encoder.frames().segments) == count
        assert _parts(encoder) == ["before", ["a"]]


def test_what_belongs_to_a_module_is_the_modules() -> None:
    """Lists, dictionaries and sets, by their names there; others, and what is given to a module, by value."""
    encoder = Encoder(Home({}))
    mine = [1]
    encoder.refer_to_modules([mine, sys.path, 5, sys.path])
    encoder.dump([sys.path, mine])
    found, other = _parts(encoder)[0]
    assert found is sys.path
    assert other == [1]
    encoder = Encoder(Home({}))
    encoder.refer_to_modules(iter([5, "a"]))
    assert encoder.objects_in_order() == []


def test_what_is_given_to_a_module_is_no_reference(own: Callable[..., Any]) -> None:
    """It is put there."""
    held = own("held = [1]").held
    for is_given in (False, True):
        encoder = Encoder(Home({}))
        if is_given:
            encoder.give([held])
        encoder.refer_to_modules([held])
        encoder.dump([held])
        found = _parts(encoder)[0][0]
        assert found == [1]
        assert (found is held) is not is_given


class Reference:
    """Is read as a new list, which holds what it refers to."""

    def __init__(self, *held: Any) -> None:
        self.held = held

    def __reduce__(self) -> Any:
        return list, (self.held,)


def test_a_value_is_what_a_reference_gives() -> None:
    """Under the number that the reference has there; what has a number keeps it."""
    encoder = Encoder(Home({}))
    value, known = {"not": "written"}, [1]
    encoder.dump(known)
    assert not encoder.refer(known, Reference())
    assert encoder.refer(value, Reference("made"))
    assert not encoder.refer(value, Reference())
    encoder.dump([value, known, value])
    read = _parts(encoder)
    assert read[1] == [["made"], [1], ["made"]]
    assert read[1][0] is read[1][2]
    decoder = Decoder(encoder.frames().segments, Home({}))
    [*decoder.parts()]
    here, there = encoder.objects_in_order(), decoder.memo()
    assert len(here) == len(there)
    (number,) = [number for number, each in enumerate(here) if each is value]
    assert there[number] == ["made"]


def test_a_reference_that_holds_the_value() -> None:
    """The value has two numbers; its own is that of the reference."""
    encoder = Encoder(Home({}))
    value = [1]
    encoder.refer(value, Reference(value, 2))
    encoder.dump([value])
    assert _parts(encoder) == [[[[1], 2]]]
    encoder = Encoder(Home({}))
    encoder.refer(value, Reference(value, 2))
    number = len(encoder._by_number())
    encoder.dump(["next"])
    decoder = Decoder(encoder.frames().segments, Home({}))
    [*decoder.parts()]
    assert decoder.memo()[number] == ["next"], "the numbers behind are those of both sides"


class Listing:
    """Writes a list that nothing holds."""

    def __getstate__(self) -> Any:
        return {"items": [1]}


def test_containers_that_pickling_has_made_are_temporary() -> None:
    """Only where an object has its own pickling there are any."""
    encoder = Encoder(Home({}))
    encoder.dump([[1]])
    assert encoder.temporary() == []
    encoder.dump([Listing(), held := {"a": 1}])
    numbers = encoder.temporary()
    found = encoder.objects_by_number(numbers)
    assert [1] in found
    assert not any(each is held for each in found)


def test_dictionaries_in_which_code_was_run() -> None:
    """They are scopes, with the reader's builtins; those of modules, and with other builtins, are not."""
    scope: dict[str, Any] = {}
    exec("def f(): return len", scope)
    other: dict[str, Any] = {"__builtins__": {**vars(builtins)}}
    encoder = Encoder(Home({}))
    assert encoder.refer_to_scopes([scope, other, {}, vars(json), 5, scope]) == [scope]
    encoder.dump([scope["f"], scope])
    function, read = _parts(encoder)[0]
    assert function.__globals__ is read
    assert [*read] == ["__builtins__"], "its content is still to be written"
    decoder = Decoder(encoder.frames().segments, Home({}))
    [*decoder.parts()]
    assert any(each is vars(builtins) for each in decoder.memo().values())
    encoder = Encoder(Home({}))
    encoder.refer(scope, Called(dict))
    assert encoder.refer_to_scopes([scope]) == [], "it has a number"


def test_attributes_are_those_of_the_readers_instance() -> None:
    """`vars(x)` stays that."""
    value = types.SimpleNamespace(a=1)
    encoder = Encoder(Home({}))
    encoder.refer_to_attributes([vars(value), {"a": 1}], [value])
    encoder.dump([vars(value), value])
    held, read = _parts(encoder)[0]
    assert held is vars(read)


def test_what_was_met() -> None:
    """Modules, without our own; functions and classes of the notebook."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): pass\nclass A: pass", namespace)
    home = Home(namespace)
    encoder = Encoder(home)
    encoder.dump([datetime.date(2020, 1, 1), collections.deque()])
    assert (encoder.is_of_home, encoder.functions) == (False, [])
    encoder.dump(namespace["f"])
    assert (encoder.is_of_home, encoder.functions) == (True, [namespace["f"]])
    assert {"datetime", "collections"} <= encoder.modules
    assert not any(name.startswith("lambdamagic.") for name in encoder.modules)


def test_functions_that_the_reader_finds_are_its_own() -> None:
    """If that was asked for; else they are written again."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): pass", namespace)
    home = Home(namespace, answers=True)
    home.note_named(namespace["f"])
    for refers in (False, True):
        encoder = Encoder(home)
        if refers:
            encoder.refer_to_functions()
        encoder.dump(namespace["f"])
        assert bool(encoder.functions) is not refers


def test_what_can_be_sent() -> None:
    """By the pickler that is asked for."""
    connection = sqlite3.connect(":memory:")
    assert not can_travel(Home({}), [connection])
    connection.close()
    assert can_travel(Home({}), [1])
    assert can_travel(Home({}), [1], "dill")


class Broken:
    """Cannot be made."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __reduce__(self) -> Any:
        return _fail, (self.text,)


def _fail(text: str) -> Any:
    raise ValueError(text)


def test_a_reader_that_continues_puts_placeholders() -> None:
    """It gives the first failure since it was asked; another reader raises at once."""
    encoder = Encoder(Home({}))
    array = numpy.ones(1024)
    for part in ([Broken("one"), Broken("two")], [array], [Broken("three")]):
        encoder.dump(part)
    segments = encoder.frames().segments
    with pytest.raises(ValueError, match="one"):
        Decoder(segments, Home({})).load()
    decoder = Decoder(segments, Home({}), salvages=True)
    assert decoder.take_failure() is None
    decoder.load()
    assert str(decoder.take_failure()) == "one"
    assert decoder.take_failure() is None
    assert decoder.load()[0].sum() == 1024
    decoder.load()
    assert str(decoder.take_failure()) == "three"
    assert len(decoder.broken) == 3
    assert decoder.is_at_end
    plain = Decoder(segments, Home({}))
    assert (plain.broken, plain.take_failure()) == ([], None)


@pytest.mark.parametrize("salvages", [False, True])
def test_a_primed_reader_that_continues(salvages: bool) -> None:
    """It has the objects, and the buffers behind them."""
    known = [[1], {"a": 1}]
    encoder = Encoder(Home({}), primed=known)
    encoder.dump([known[1], numpy.ones(1024)])
    decoder = Decoder(encoder.frames().segments, Home({}), primed=known, salvages=salvages)
    found = decoder.load()
    assert found[0] is known[1]
    assert found[1].sum() == 1024


@pytest.mark.parametrize(
    ("name", "error"), [("no_such_module\nname", ImportError), ("json\nno_such_name", AttributeError)]
)
def test_what_is_missing_is_asked_for(name: str, error: type[Exception]) -> None:
    """If there is someone to give one; else it is an error."""
    stream = b"\x80\5c" + name.encode() + b"\n."
    missing: Callable[..., Any] = lambda *found: found
    module, attribute, raised = Decoder([stream], Home({}), missing=missing).load()
    assert f"{module}\n{attribute}" == name
    assert isinstance(raised, error)
    with pytest.raises(error):
        Decoder([stream], Home({})).load()


def test_names_are_lent_while_a_payload_is_read() -> None:
    """Until they are taken back."""
    encoder = Encoder(Home({}))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("class A:\n    def __reduce__(self): return make, ()\ndef make(): return 1\na = A()", namespace)
    encoder = Encoder(Home(namespace))
    encoder.lend_names({"a": namespace["a"], "make": namespace["make"]})
    encoder.dump({"x": 1})
    home = Home({})
    (read,) = Decoder(encoder.frames().segments, home).parts()
    assert read == {"x": 1}
    assert "make" in home.namespace
    home.take_back()
    assert "make" not in home.namespace


def test_shared_objects_are_written_by_the_first_that_can() -> None:
    """With what is known of them."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): pass", namespace)
    home = Home(namespace)
    written = writer()([namespace["f"], datetime.date(2020, 1, 1)], home)
    assert (written.is_of_home, written.functions) == (True, [namespace["f"]])
    assert "datetime" in written.modules
    assert not writer()([1], home).is_of_home
    with contextlib.closing(sqlite3.connect(":memory:")) as database, pytest.raises(TypeError, match="sqlite3"):
        writer("cloudpickle")(database, home)
