"""How readers, views of memory, threads and parsers of the standard library are sent."""

from __future__ import annotations

import argparse
import csv
import ctypes
import functools
import hashlib
import io
import optparse
import re
import threading
import types
import weakref
from typing import Any

import pytest

from lambdamagic.codec import rebuild, rebuild_library
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_library import RULES, constants_rule, held_by_csv, local_rule, of_ctypes, target_of
from lambdamagic.codec.reducers import Reducers


def _reduced(value: Any, *, answers: bool = False) -> Any:
    return RULES[type(value)](Reducers(Home({}, answers=answers)), value)


def _sent(value: Any) -> Any:
    encoder = Encoder(Home({}))
    encoder.dump(value)
    return Decoder(encoder.frames().segments, Home({}, answers=True)).load()


def test_threads() -> None:
    """One that has not run, or has ended; not one that runs."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    assert _reduced(thread) is NotImplemented
    thread.start()
    try:
        with pytest.raises(TypeError, match=r"^cannot pickle 'Thread' object: it is running$"):
            _reduced(thread)
    finally:
        go.set()
        thread.join()
    assert _reduced(thread) is NotImplemented


def test_handles_of_threads() -> None:
    """Of one that has ended, or a new one: Python 3.13 and newer have them."""
    from lambdamagic.codec import reduce_library

    done = types.SimpleNamespace(is_done=lambda: True, ident=5)
    assert reduce_library._thread_handle(Reducers(Home({})), done) == (rebuild.ended_thread, (5,))
    done.is_done = lambda: False
    assert reduce_library._thread_handle(Reducers(Home({})), done) == (types.SimpleNamespace, ())


_LINES = ["a;b", "1;'2", "x'", "3;4"]


def test_a_reader_of_csv_continues() -> None:
    """With its dialect, its lines, and their number."""
    reader: Any = csv.reader(_LINES, delimiter=";", quotechar="'")
    before = [next(reader), next(reader)]
    found = _sent(reader)
    assert (found.line_num, found.dialect.delimiter, found.dialect.quotechar) == (3, ";", "'")
    assert before == [["a", "b"], ["1", "2x"]]
    assert [*reader] == [["3", "4"]]
    fresh = _sent(csv.reader(io.StringIO("a,b\nc,d"), strict=True))
    assert (fresh.line_num, fresh.dialect.strict, [*fresh]) == (0, True, [["a", "b"], ["c", "d"]])
    assert _sent(csv.writer(io.StringIO())).dialect.delimiter == ","


def test_a_reader_that_was_sent_before_is_sent_again() -> None:
    """Its source is the lines', not what counts those that are gone."""
    source = iter(["3,4", "5,6"])
    made: Any = rebuild.csv_reader(source, "excel", 2)
    assert held_by_csv(made)[1] is source
    assert (made.line_num, next(made), made.line_num) == (2, ["3", "4"], 3)
    lines = rebuild_library.AfterLines(iter(["a"]), 2)
    assert [*lines] == ["", "", "a"]
    assert iter(lines) is lines
    assert rebuild.csv_reader(source, "excel", 0).line_num == 0


class _Writes:
    """Has a method that is no file's."""

    def __init__(self) -> None:
        self.written: list[str] = []


def test_a_writer_of_csv() -> None:
    """It writes to the file that it had; with a function, by that."""
    file = io.StringIO()
    found, there = _sent([csv.writer(file, delimiter=";"), file])
    found.writerow([1, 2])
    assert there.getvalue() == "1;2\r\n"
    dialect, write = held_by_csv(csv.writer(file))
    assert (dialect.delimiter, write.__self__) == (",", file)
    calls: list[str] = []
    rebuild.csv_writer(lambda text: calls.append(text), "excel").writerow([3])
    assert calls == ["3\r\n"]


def test_a_dialect() -> None:
    """By all its options."""
    dialect = csv.reader((), delimiter="|", doublequote=False, escapechar="\\", quoting=csv.QUOTE_NONE).dialect
    (options,) = _reduced(dialect)[1]
    found: Any = rebuild.csv_dialect(options)
    for name in (
        "delimiter",
        "doublequote",
        "escapechar",
        "lineterminator",
        "quotechar",
        "quoting",
        "skipinitialspace",
    ):
        assert getattr(found, name) == getattr(dialect, name), name
    assert (found.strict, found.skipinitialspace) == (dialect.strict, dialect.skipinitialspace)


class Owner:
    """Has a method, and can be referred to weakly."""

    def method(self) -> int:
        """Give something."""
        return 7


def test_weak_methods_and_proxies() -> None:
    """What they lead to is theirs there; where it is gone, they lead to nothing."""
    owner = Owner()
    found, proxy, there = _sent([weakref.WeakMethod(owner.method), weakref.proxy(owner), owner])
    assert (found().__self__ is there, proxy.method()) == (True, 7)
    assert target_of(weakref.proxy(owner)) is owner
    gone = weakref.proxy(Owner())
    assert target_of(gone) is None
    with pytest.raises(ReferenceError):
        _sent(gone).method()
    assert _sent(weakref.WeakMethod(Owner().method))() is None


class Local(threading.local):
    """Has attributes in each thread."""

    def __init__(self) -> None:
        self.made = True


def test_attributes_of_a_thread() -> None:
    """Those of this one."""
    value = Local()
    value.a = [1]
    make, arguments, state, _, _, setter = local_rule(Reducers(Home({})), value)
    assert (make, arguments, state, setter) == (
        rebuild.thread_local, (Local,), {"made": True, "a": [1]}, rebuild.set_local
    )  # fmt: skip
    found: Any = make(*arguments)
    setter(found, {"b": 2})
    assert found.b == 2


class Parser(argparse.ArgumentParser):
    """Of the notebook, for all that matters here."""


class Plain:
    """Has no constants."""


class Slotted(argparse.Namespace):
    """Is reduced without attributes."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Slotted, ()


class Stated(argparse.Namespace):
    """Has another state."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Stated, (), [protocol]


def test_constants_of_parsers_stay_those_of_the_module() -> None:
    """They are compared by identity, and pickle writes a text by value."""
    value = argparse.Namespace(a="".join("==SUPPRESS=="), b=1)
    assert value.a is not argparse.SUPPRESS
    found = _sent(value)
    assert (found.a is argparse.SUPPRESS, found.b) == (True, 1)
    parser = _sent(argparse.ArgumentParser("x", argument_default=argparse.SUPPRESS))
    assert parser.argument_default is argparse.SUPPRESS
    _, _, state, _, _, setter = constants_rule(Reducers(Home({})), value)
    assert (setter, state["b"]) == (rebuild.set_with_constants, 1)
    for other in (Slotted(), Stated()):
        assert constants_rule(Reducers(Home({})), other) is NotImplemented
    options = rebuild.with_constants({"a": ("NO", "DEFAULT"), "b": "SUPPRESS" + "HELP"}, "optparse")
    assert (options["a"] is optparse.NO_DEFAULT, options["b"] is optparse.SUPPRESS_HELP) == (True, True)
    assert rebuild.with_constants({"a": "x"}, "json") == {"a": "x"}
    assert [rebuild.is_with_constants(cls) for cls in (Parser, optparse.Option, Plain)] == [
        "argparse",
        "optparse",
        None,
    ]
    plain: Any = Plain()
    rebuild.set_with_constants(plain, {"a": argparse.SUPPRESS, "b": 1})
    assert vars(plain) == {"a": argparse.SUPPRESS, "b": 1}


def test_libraries_of_c() -> None:
    """They are loaded again, and their functions found; other objects of ctypes are as they are."""
    library = ctypes.CDLL(None)
    function = library.labs
    function.restype, function.argtypes = ctypes.c_long, [ctypes.c_long]
    found, there = _sent([function, library])
    assert (found(-(1 << 40)), found.argtypes, there.labs is found) == (1 << 40, [ctypes.c_long], True)
    make, arguments, functions, _, _, setter = of_ctypes(Reducers(Home({})), library)
    assert (make, arguments, [*functions], setter) == (
        rebuild.c_library, (ctypes.CDLL, None), ["labs"], rebuild.set_state
    )  # fmt: skip
    plain = library["abs"]
    assert of_ctypes(Reducers(Home({})), plain)[1] == (library, "abs", ctypes.c_int, None)
    callback = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)
    assert of_ctypes(Reducers(Home({})), callback) is NotImplemented
    assert of_ctypes(Reducers(Home({})), ctypes.c_int(5)) is NotImplemented


def test_matches_that_are_left_of_an_iterator() -> None:
    """Where nothing iterates any more: in an answer. They are read once."""
    pattern = re.compile("[a-z]")
    iterator = pattern.finditer("abc")
    next(iterator)
    assert _reduced(iterator) is NotImplemented
    reducers = Reducers(Home({}, answers=True))
    rule = RULES[type(iterator)]
    make, (called, last) = rule(reducers, iterator)
    assert (make, last) == (iter, None)
    assert [each.group() for each in make(called, last)] == ["b", "c"]
    make, (called, last) = rule(reducers, iterator)
    assert [each.group() for each in make(called, last)] == ["b", "c"]
    assert rule(reducers, iter(functools.partial(int), 5)) is NotImplemented
    ended: Any = iter([].pop, None)
    with pytest.raises(IndexError):
        next(ended)
    assert rule(reducers, ended) is NotImplemented
    done: Any = iter(lambda: None, None)
    assert [*done] == []
    assert rule(reducers, done) is NotImplemented


def test_scanners_views_and_digests() -> None:
    """By what makes them again."""
    scanner: Any = re.Scanner([("a", len)], re.IGNORECASE)  # type: ignore[attr-defined]  # typeshed has none
    assert _reduced(scanner) == (re.Scanner, ([("a", len)], scanner.scanner.flags))  # type: ignore[attr-defined]
    held = bytearray(b"abc")
    found, there = _sent([memoryview(held)[1:], held])
    found[0] = 0
    assert there == b"a\0c"
    digest = hashlib.sha256(b"")
    assert _sent(digest).hexdigest() == digest.hexdigest()
