"""What the user's own modules hold is sent as a difference from a fresh import, and brought back in the same way."""

from __future__ import annotations

import builtins
import functools
import io
import sys
import textwrap
import threading
import types
from typing import Any

import pytest

from lambdamagic.codec import kinds, module_state
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_places import PlaceReference, label, own_place
from lambdamagic.codec.module_state import OwnChanges, Received, Silence, bring_back, name_in_builtins, send
from tests.codec.conftest import Import

_SOURCE = """
    import functools
    import threading
    number = 1
    items = []
    seen = {}
    class Point:
        count = 0
    point = Point()
    lock = threading.Lock()
    threads = threading
    pair = ([1], 2)
    @functools.lru_cache
    def double(x):
        return 2 * x
    def f(x, known=[]):
        return x
"""
_CHANGE = """
    number = 5
    items.append(1)
    seen["k"] = items
    point.x = seen
    Point.count = 3
    pair = ([2], items)
    double(4)
    f.__defaults__[0].append(7)
"""


def _place(*names: str) -> Any:
    return ("own_one", *(("attribute", name) for name in names))


def _changed(own: Import, change: str = _CHANGE) -> Any:
    module = own(_SOURCE)
    exec(textwrap.dedent(change), module.__dict__)
    return module


def _parts(module: types.ModuleType) -> tuple[module_state.Sent, Any]:
    encoder = Encoder(Home({}))
    sent = send(encoder, Home({}), "c", module)
    return sent, encoder.frames().segments


def _received(segments: Any) -> tuple[Received, list[tuple[str, Any]]]:
    received = Received(Home({}, answers=True))
    names: list[tuple[str, Any]] = []
    for kind, part in Decoder([bytearray(each) for each in segments], Home({}, answers=True)).parts():
        if kind == "own":
            received.set(part)
        elif kind == "state":
            received.fill(*part)
        else:
            names.append((kind, part))
    return received, names


def test_a_fresh_import_is_given_what_was_sent(own: Import) -> None:
    """Containers, instances and caches are filled in place; what is shared among them stays shared."""
    sent, segments = _parts(_changed(own))
    fresh = own(_SOURCE)
    before = dict(vars(fresh))
    received, names = _received(segments)
    assert [fresh.number, fresh.items, fresh.seen, fresh.Point.count, fresh.pair] == [
        5, [1], {"k": [1]}, 3, ([2], [1])
    ]  # fmt: skip
    for name in ("items", "seen", "point", "double", "f", "lock"):
        assert vars(fresh)[name] is before[name], name
    assert fresh.seen["k"] is fresh.items is fresh.pair[1]
    assert fresh.point.x is fresh.seen
    assert fresh.double.cache_info()[1] == 1
    assert fresh.double.cache_info().currsize == 1
    assert fresh.f.__defaults__ == ([7],)
    # Names that are given, and content that was filled: both are known to hold the notebook's objects.
    assert {id(each) for each in received.values} >= {id(fresh.items), id(fresh.seen), id(fresh.point), id(fresh.pair)}
    assert sorted(sent.names) == ["double", "f's default 0", "items", "pair", "point", "seen"]
    assert [*sent.values] == [
        "own_one.number", "own_one.Point.count", "own_one.pair", "own_one.items", "own_one.seen", "own_one.point",
        "own_one.double", "own_one.f's default 0",
    ]  # fmt: skip
    assert sent.values["own_one.number"] == 5
    assert sent.kept == []
    assert sent.size_bytes == len(b"".join(segments)) - _reference_bytes()
    assert [each for each in names if each[0] != "next own"] == []
    assert [part for _, part in names] == [
        "own_one.items", "own_one.seen", "own_one.point", "own_one.double", "own_one.f's default 0", "own_one.pair"
    ]  # fmt: skip


def _reference_bytes() -> int:
    """The references to places are no parts, and are not counted; the parts are."""
    encoder = Encoder(Home({}))
    module = sys.modules["own_one"]
    places = [("items", list), ("seen", dict), ("point", module.Point), ("double", None)]
    for name, cls in places:
        encoder.refer([], PlaceReference(_place(name), cls))
    encoder.refer([], PlaceReference((*_place("f"), ("default", 0)), list))
    return len(encoder.frames().segments[0])


def test_an_object_of_the_notebooks_classes_is_set_and_not_filled(own: Import) -> None:
    """The module has none of that class to fill."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("class There:\n    pass\nx = There()\nx.a = 1", scope)
    module = own("x = None\nitems = [1]")
    module.x = scope["x"]
    _, segments = _parts(module)
    fresh = own("items = []")
    _, names = _received(segments)
    assert fresh.x.a == 1
    assert [part for _, part in names] == ["own_one.items", "own_one.x"]


class _Refusing:
    def __reduce__(self) -> Any:
        raise TypeError("not this one\nnor another")


class _Silent:
    def __reduce__(self) -> Any:
        raise TypeError


def test_what_cannot_be_sent_is_kept_with_its_type_and_the_reason(own: Import) -> None:
    """Also what is too large; the other places are sent."""
    module = own("items = [1]")
    module.__dict__.update(large=[bytes(module_state.MAX_BYTES + 1)], none=_Silent(), one=_Refusing(), fits=[b"x"])
    sent, segments = _parts(module)
    names = [f"{each.__module__}.{each.__qualname__}" for each in (_Silent, _Refusing)]
    assert [(label(place), *rest) for place, *rest in sent.kept][1:] == [
        ("own_one.none", names[0], "TypeError"), ("own_one.one", names[1], "not this one")
    ]  # fmt: skip
    place, type_name, _ = sent.kept[0]
    assert (label(place), type_name) == ("own_one.large", "builtins.list")
    assert sent.names == ["items", "fits"]
    assert [part for kind, part in _received(segments)[1]] == ["own_one.items", "own_one.fits"]


def test_what_one_place_may_hold_is_bounded(own: Import) -> None:
    """By a number of bytes for each."""
    module = own("items = [1]")
    module.items = [b"x" * (module_state.MAX_BYTES - 1000)]
    module.also = [b"y" * (module_state.MAX_BYTES - 1000)]
    assert _parts(module)[0].kept == []


def test_a_list_that_the_payload_already_has_is_not_filled_twice(own: Import) -> None:
    """Two names of a module for one list: one place is filled, the other is named."""
    module = own("items = [1]\nalso = items")
    sent, segments = _parts(module)
    assert sent.names == ["items", "also"]
    assert [part for _, part in _received(segments)[1]] == ["own_one.items"]


def _looked_at(own: Import, source: str, known: Any = ()) -> tuple[Any, Received]:
    module, received = own(source), Received(Home({}, answers=True))
    received.loaded(module)
    received.look(known)
    return module, received


def _found(received: Received, gone: Any = ()) -> tuple[list[Any], list[str]]:
    found = received.changes(gone)
    return [(label(place), value) for place, value in found.entries], [label(place) for place in found.unset]


def test_only_what_a_cell_changes_comes_back(own: Import) -> None:
    """Names that were set, and content that was changed in place; also new names, and those that are gone."""
    module, received = _looked_at(own, "a, b, c, d, i = 1, [2], [3], 4, 5\nclass A:\n    e = 5\n    g = {}")
    assert _found(received) == ([], [])
    module.a, module.c, module.i = 6, [3], types
    module.b.append(7)
    del module.d
    module.h = None
    module.A.g = {}
    del module.A.e
    assert _found(received) == (
        [("own_one.a", 6), ("own_one.b", [2, 7]), ("own_one.c", [3]), ("own_one.A.g", {}), ("own_one.h", None)],
        ["own_one.d", "own_one.A.e"],
    )
    assert received.changes().imported == ["own_one"]


def test_equal_plain_values_are_no_change(own: Import) -> None:
    """Of one type and one look; `1.0` is not `1`, nor `-0.0` what `0.0` is."""
    module, received = _looked_at(own, "a, b, c, d = 1000001, 1, 0.0, (1, 'x')")
    module.a, module.b, module.c, module.d = int("1000001"), 1.0, -0.0, (int("1"), "x")
    assert _found(received)[0] == [("own_one.b", 1.0), ("own_one.c", -0.0)]


def test_objects_whose_changes_others_see_are_compared_by_identity_only(own: Import) -> None:
    """Unless they are sent back under another identity."""
    module, received = own("a, b = [1], [2]"), Received(Home({}, answers=True))
    received.loaded(module)
    received.look({id(module.a)})
    module.a.append(3)
    assert _found(received) == ([], [])
    assert _found(received, {id(module.a)})[0] == [("own_one.a", [1, 3])]
    module.a = 5
    assert _found(received)[0] == [("own_one.a", 5)]


def test_what_cannot_be_written_is_compared_by_identity(own: Import) -> None:
    """An exception that ends the process is not swallowed."""
    module, received = _looked_at(own, "class A: pass\na = A()")
    module.a.x = _Refusing()
    received.look(())
    module.a.y = 1
    assert _found(received) == ([], [])

    class Ends:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    module.a.x = Ends()
    with pytest.raises(KeyboardInterrupt):
        received.look(())


def test_what_an_array_holds_is_compared_too(own: Import) -> None:
    """Its bytes are not in the stream."""
    module, received = _looked_at(own, "import numpy\na = numpy.zeros(200_000)")
    assert _found(received) == ([], [])
    module.a[150_000] = 1
    assert [name for name, _ in _found(received)[0]] == ["own_one.a"]


def test_modules_are_pictured_once_each(own: Import) -> None:
    """When code imports them, and before the cell; one that is no longer there has no places."""
    module, received = own("a = [1]"), Received(Home({}, answers=True))
    received.loaded(module)
    module.a.append(2)
    received.loaded(module)
    assert _found(received)[0] == [("own_one.a", [1, 2])]
    received.look(())
    assert _found(received)[0] == []
    del sys.modules["own_one"]
    received.look(())
    assert _found(received) == ([], [])
    sys.modules["own_one"] = type("Lazy", (types.ModuleType,), {})("own_one")
    assert _found(received) == ([], [])


def test_places_that_cannot_be_filled_are_left_as_the_import_made_them(own: Import) -> None:
    """The others are set; equal plain values are not set again."""
    module, received = own("a = [1]\nclass Guarded(dict):\n    pass"), Received(Home({}, answers=True))
    nan = module.n = 10**30
    received.set([(("own_gone", ("attribute", "x")), 1), (_place("n"), 10**30), (_place("b"), [2]), (_place("c"), 3)])
    assert module.n is nan
    assert (module.b, module.c) == ([2], 3)
    assert received.values == [[2]]
    received.set([(_place("n"), 5)])
    assert module.n == 5
    received.fill(module.a, kinds.LIST, 5)
    assert module.a == [1]
    received.fill(module.a, kinds.LIST, [7])
    assert (module.a, received.values) == ([7], [[2], [7], [7]])


def test_what_stayed_in_the_notebook_is_reported_where_it_is_otherwise_here(own: Import) -> None:
    """A place that is missing or holds another type."""
    module, received = _looked_at(own, "a, b = 1, 2")
    received.note_kept([(_place("a"), "builtins.int", "as here"), (_place("b"), "other.Type", "another")])
    received.note_kept([(_place("c"), "builtins.int", "none here")])
    received.note_unreadable([(_place("d"), 1), (_place("a"), 2)], ValueError("no"))
    assert received.changes().kept == [
        ("own_one.b", "other.Type", "another"),
        ("own_one.c", "builtins.int", "none here"),
        ("own_one.d", "an object", "reading it on Lambda raised ValueError: no"),
        ("own_one.a", "an object", "reading it on Lambda raised ValueError: no"),
    ]
    del module


def test_modules_are_imported_that_the_notebook_has_imported(own: Import) -> None:
    """One that fails leaves the others."""
    own("x = 1")
    del sys.modules["own_one"]
    Received(Home({})).expect(["own_that_fails", "own_one"])
    assert "own_one" in sys.modules


@pytest.fixture
def scope() -> Any:
    """The builtins, with what is set there gone afterwards."""
    found = vars(builtins)
    before = dict(found)
    yield found
    for name in found.keys() - before.keys():
        del found[name]
    found.update(before)


def test_changes_to_builtins(scope: dict[str, Any]) -> None:
    """What a cell has added, or set of what it was sent; another `len` stays where it is."""
    before = dict(scope)
    received = Received(Home({}, answers=True))
    received.note_builtins(before, {})
    assert _found(received) == ([], [])
    kept = scope["sent"] = [1]
    scope["equal"] = [2]
    scope.update(added=2, _=3, __hidden__=4, also=5)
    received.note_builtins(before, {"sent": kept, "also": 6, "gone": 7, "equal": [2]})
    entries, unset = _found(received)
    assert sorted(entries) == [("builtins.added", 2), ("builtins.also", 5), ("builtins.equal", [2])]
    assert unset == ["builtins.gone"]
    assert ("builtins.sent", [1]) in _found(received, {id(kept)})[0]
    assert ("builtins.sent", [1]) not in _found(received, {id(before)})[0]
    names = {name_in_builtins(place) for place, _ in received.changes().entries}
    assert names == {"added", "also", "equal"}
    assert name_in_builtins(_place("added")) == ""


def test_another_builtin_of_pythons_is_not_the_users(scope: dict[str, Any]) -> None:
    """It is looked at only if it was sent."""
    before = dict(scope)
    before_it, scope["ascii"] = ascii, repr
    received = Received(Home({}, answers=True))
    received.note_builtins(before, {})
    assert _found(received) == ([], [])
    received.note_builtins(before, {"ascii": before_it})
    assert _found(received)[0] == [("builtins.ascii", repr)]
    received = Received(Home({}, answers=True))
    scope["added"] = 1
    received.note_builtins(before, {})
    assert _found(received)[0] == [("builtins.added", 1)]
    received = Received(Home({}, answers=True))
    received.note_builtins(before, {"ascii": before_it})
    assert sorted(_found(received)[0]) == [("builtins.added", 1), ("builtins.ascii", repr)]


def test_changes_are_applied_to_the_modules_here(own: Import) -> None:
    """What fails is reported, and the others are applied; a name that is gone already is none."""
    module = own("a, b = 1, 2")
    problems = [*bring_back(
        [(("own_gone", ("attribute", "x")), 1), (_place("a"), 3)], [_place("gone", "x"), _place("b")]
    )]  # fmt: skip
    assert problems == [
        "own_gone.x was changed on Lambda and could not be set here: ModuleNotFoundError: No module named 'own_gone'"
    ]
    assert module.a == 3
    assert not hasattr(module, "b")
    none = OwnChanges()
    assert [none.entries, none.unset, none.imported, none.kept] == [[], [], [], []]


def test_what_is_printed_while_it_is_silent_is_dropped_in_this_thread_only() -> None:
    """Other attributes are the stream's."""
    before = sys.stdout, sys.stderr
    out, err = sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        with Silence():
            print("here")
            assert sys.stderr.write("four") == 4
            other = threading.Thread(target=lambda: (print("there"), sys.stderr.write("error")))
            other.start()
            other.join()
            assert sys.stdout.getvalue() == "there\n"
        assert (sys.stdout, sys.stderr) == (out, err)
    finally:
        sys.stdout, sys.stderr = before
    assert (out.getvalue(), err.getvalue()) == ("there\n", "error")


def test_a_cache_of_a_module_that_lost_it_is_read_all_the_same(own: Import) -> None:
    """What it remembered is dropped."""
    _, segments = _parts(_changed(own))
    fresh = own("items = []\nclass Point: ...\ndef f(x, known=[]): ...")
    received, _ = _received(segments)
    assert fresh.items == [1]
    assert not hasattr(fresh, "double")
    assert any(type(each) is type(functools.lru_cache(len)) for each in received.values)
    assert own_place(_place("double"), None)() is None
