"""Stacks for data that are nested deeply, and recursion limits that are higher than the stack."""

from __future__ import annotations

import contextvars
import io
import pickle
import subprocess
import sys
import threading

import pytest

from lambdamagic.codec import large_stack
from lambdamagic.codec.large_stack import with_depth, with_room
from tests.codec.test_deep_values import nested


def _unnest(value: list) -> None:
    while value:  # an end of such a list at once could be too deep for the collector's own stack
        value = value.pop()


class _Waiting(pickle._Pickler):
    """Writes when it is allowed to."""

    def __init__(self, go: threading.Event) -> None:
        super().__init__(io.BytesIO())
        self.began, self._go = threading.Event(), go

    def dump(self, value: object) -> None:
        self.began.set()
        assert self._go.wait(60)
        super().dump(value)


def test_two_at_the_same_moment_leave_the_limit_as_it_was():
    """The first to end does not take the other's limit away, and the other does not keep it."""
    limit, size = sys.getrecursionlimit(), threading.stack_size()
    first, second = _Waiting(threading.Event()), _Waiting(threading.Event())
    values, failed = [nested(10), nested(20_000)], []

    def write(pickler, value):
        try:
            with_depth(pickler.dump, value)
        except BaseException as error:
            failed.append(error)

    writers = []
    for pickler, value in zip((first, second), values, strict=True):
        writers.append(threading.Thread(target=write, args=(pickler, value)))
        writers[-1].start()
        assert pickler.began.wait(60)
    first._go.set()
    writers[0].join()
    second._go.set()
    writers[1].join()
    for value in values:
        _unnest(value)
    assert not failed
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, size)


def test_one_within_another():
    """An object that writes deep data itself when it is written."""
    limit, inner = sys.getrecursionlimit(), nested(10_000)

    class Both:
        def __reduce__(self):
            with_depth(pickle._Pickler(io.BytesIO()).dump, inner)
            return str, ()

    with_depth(pickle._Pickler(io.BytesIO()).dump, Both())
    _unnest(inner)
    assert sys.getrecursionlimit() == limit


_ENDLESS = """\
import io, pickle, sys
from lambdamagic.codec import large_stack

large_stack._STACKS_BYTES = large_stack._STACKS_BYTES[-1:]  # as many bytes for each call, and fewer calls

class Endless:
    def __reduce__(self):
        return self.missing

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self, name)

class Property(Endless):
    @property
    def missing(self):
        return self.missing

class Sorting(Endless):
    def __reduce__(self):
        return sorted([1], key=lambda _: self.__reduce__())

try:
    large_stack.with_depth(pickle._Pickler(io.BytesIO()).dump, {kind}())
except RecursionError:
    print("raised", sys.getrecursionlimit())
"""


@pytest.mark.parametrize("kind", ["Endless", "Property", "Sorting"])
def test_attributes_that_ask_for_themselves_raise(kind):
    """It is their RecursionError, as in the kernel, and not the end of the process."""
    program = _ENDLESS.replace("{kind}", kind)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("raised 1000\n", 0), ended.stderr


def test_a_machine_without_room_for_a_large_stack():
    """A smaller one does, for data that are less deep."""
    resource = pytest.importorskip("resource")
    program = (
        "import io, pickle, resource, sys\nfrom lambdamagic.codec.large_stack import with_depth\n"
        "d = []\nfor _ in range(2_000): d = [d]\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (500 << 20, {resource.RLIM_INFINITY}))\n"
        "with_depth(pickle._Pickler(io.BytesIO()).dump, d)\nprint('written', sys.getrecursionlimit())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("written 1000\n", 0), ended.stderr


_HIGH = """\
import os, sys, types
sys.setrecursionlimit(int(sys.argv[1]))
from lambdamagic.codec.encode import Encoder, Decoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.picklers import first_that_can
from lambdamagic.codec.size_estimate import pickled_bytes

library = sys.modules["library"] = types.ModuleType("library")
exec('''
class Names:
    __slots__ = ("found",)
    def __getattr__(self, name):
        return self.found[name]
''', library.__dict__)
class Node:
    pass

made, value = library.Names(), [1]
made.found = {}
for _ in range(30_000):
    node = Node()
    node.value = [value]
    value = node
def written(kind):
    encoder = Encoder(Home({"Node": Node}), kind=kind)
    encoder.dump(each)
    return encoder.frames().segments

for each in (made, value):
    pickled_bytes(each)
    frames = first_that_can("auto", written)
    print(type(Decoder(frames, Home({})).load()).__name__, sys.getrecursionlimit())
sys.stdout.flush()
os._exit(0)  # the end of such a chain is the interpreter's matter
"""


@pytest.mark.parametrize("limit", [20_000, 1_000_000])
def test_a_high_limit_of_recursion_is_not_the_end_of_the_process(limit):
    """Neither with deep data nor with a class whose attributes ask for themselves: it says nothing about the stack."""
    ended = subprocess.run([sys.executable, "-c", _HIGH, str(limit)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, f"Names {limit}\nNode {limit}\n"), ended.stderr[-500:]


def test_stacks_that_there_is_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next smaller one does; without any it is an error. The limit and the stacks of others stay as they were."""
    limit, size = sys.getrecursionlimit(), threading.stack_size()
    monkeypatch.setattr(large_stack, "_STACKS_BYTES", (1 << 51, 1 << 50, 64 << 20))  # more than there are addresses
    monkeypatch.setattr(large_stack, "_CALL_BYTES", 1 << 30)
    monkeypatch.setattr(large_stack, "_USUAL_LIMIT", 0)
    for call in (with_depth, with_room):
        assert call(threading.current_thread) is not threading.current_thread()
        assert sys.getrecursionlimit() == limit
    monkeypatch.setattr(large_stack, "_STACKS_BYTES", (1 << 51, 1 << 50))
    for call in (with_depth, with_room):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            call(sys.getrecursionlimit)
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, size)
    assert not large_stack._limits


def test_the_highest_limit_counts() -> None:
    """That of the stack, unless the program has a higher one; within another it stays."""
    limit, high = sys.getrecursionlimit(), (1 << 30) // 8192
    assert with_depth(sys.getrecursionlimit) == high
    assert with_depth(lambda: (with_depth(int), sys.getrecursionlimit())) == (0, high)
    try:
        sys.setrecursionlimit(high + 1)
        assert with_depth(sys.getrecursionlimit) == high + 1
        assert sys.getrecursionlimit() == high + 1
    finally:
        sys.setrecursionlimit(limit)


def test_an_ordinary_limit_needs_no_thread():
    """Code of classes runs in the thread that asked; with a high limit in a copy of its context."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    variable.set(5)
    limit = sys.getrecursionlimit()
    assert with_room(threading.current_thread) is threading.current_thread()
    try:
        sys.setrecursionlimit(large_stack._USUAL_LIMIT + 1)
        assert with_room(threading.current_thread) is not threading.current_thread()
        assert with_room(variable.get) == 5
        assert with_room(sys.getrecursionlimit) == large_stack._USUAL_LIMIT + 1
        with pytest.raises(ZeroDivisionError):
            with_room(divmod, 1, 0)
    finally:
        sys.setrecursionlimit(limit)
