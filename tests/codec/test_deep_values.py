"""Values that are nested deeper than C code can follow, and recursion limits that are higher than the stack."""

from __future__ import annotations

import contextvars
import io
import pickle
import subprocess
import sys
import threading
from collections import deque
from typing import Any

import pytest

from lambdamagic.codec import large_stack
from lambdamagic.codec.deep_pickler import DeepPickler
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.large_stack import with_depth, with_room
from lambdamagic.codec.reducers import Reducers

_DEEP = 5_000


def _nested(depth: int) -> list:
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


def _unnest(value: list) -> None:
    while value:  # an end of such a list at once could be too deep for the collector's own stack
        value = value.pop()


class Node:
    """A link of a chain."""

    def __init__(self, after: Any) -> None:
        self.after = after


class Stated(Node):
    """A link that says itself what is sent."""

    def __reduce__(self) -> Any:
        return Stated, (None,), {"after": self.after}


class Items(list):
    """A list that is reduced with its items."""


_KINDS: dict[str, Any] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "longer tuple": lambda value: (1, 2, 3, value),
    "dict": lambda value: {"in": value, "more": 1},
    "deque": lambda value: deque([value]),
    "subclass of list": lambda value: Items([value]),
    "object": Node,
    "object with its own reduction": Stated,
}


@pytest.mark.parametrize("kind", _KINDS)
def test_data_of_any_depth(kind: str) -> None:
    """Each kind of nesting is written at the usual limit of recursion, which stays as it is, and read."""
    value: Any = "end"
    for _ in range(_DEEP):
        value = _KINDS[kind](value)
    limit = sys.getrecursionlimit()
    home = Home({"Node": Node})
    encoder = Encoder(home, kind="deep")
    encoder.dump(value)
    read = Decoder(encoder.frames().segments, Home({})).load()
    assert sys.getrecursionlimit() == limit
    for _ in range(_DEEP):
        assert type(read).__name__ == type(value).__name__
        read, value = (
            (each.after if isinstance(each, Node) else each["in"] if isinstance(each, dict) else each[-1])
            for each in (read, value)
        )
    assert (read, value) == ("end", "end")


def _as_deep(value: Any) -> Any:
    file = io.BytesIO()
    DeepPickler(file, Reducers(Home({})), None).dump(value)
    return pickle.loads(file.getvalue())


_SHARED: list[Any] = ["shared"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1.5, "text", b"bytes", bytearray(b"array"), 1 << 80, int, len, ..., print,
        (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, 2], {}, {1: 2}, {1: 2, 3: 4}, set(), {1}, {1, 2},
        frozenset(), frozenset({1, 2}), list(range(1000)), list(range(1001)), list(range(2500)), set(range(2001)),
        dict.fromkeys(range(1000)), dict.fromkeys(range(2001)), deque([1, 2], 3), range(3), complex(1, 2),
    ],
    ids=repr,
)  # fmt: skip
def test_each_kind_is_written_as_by_pickle(value: Any) -> None:
    """Sizes around those of a batch, kinds for which pickle has separate ways, and names."""
    read = _as_deep(value)
    assert read == value
    assert type(read) is type(value)


def test_what_is_shared_stays_shared() -> None:
    """One list in several places, also within itself, and tuples and sets that lead to themselves."""
    one, other = _as_deep([_SHARED, _SHARED])
    assert one is other
    itself: list[Any] = []
    itself.append(itself)
    read = _as_deep(itself)
    assert read[0] is read
    for filled in (("x",), (1, 2, 3, 4)):
        cycle: list[Any] = []
        pair = (*filled, cycle)
        cycle.append(pair)
        read = _as_deep(pair)
        assert read[-1][0] is read
        assert read[:-1] == filled
    member = Node(None)
    member.after = frozenset({member})
    read = _as_deep(member.after)
    assert next(iter(read)).after is read


class _Reduced:
    def __init__(self, found: Any) -> None:
        self.found = found

    def __reduce__(self) -> Any:
        return self.found


@pytest.mark.parametrize("found", [5, (), (list,), (list, (), 1, 2, 3, 4, 5), ("list", ()), (list, [])], ids=repr)
def test_what_is_no_reduction_is_refused(found: Any) -> None:
    """As pickle refuses it."""
    for write in (_as_deep, pickle.dumps):
        with pytest.raises(pickle.PicklingError):
            write(_Reduced(found))


def test_code_of_a_class_has_the_usual_limit() -> None:
    """An endless recursion in it, in Python or in C, is its RecursionError, however deep the data are around it."""

    class Endless:
        def __reduce__(self) -> Any:
            return sorted([1], key=lambda _: self.__reduce__())

    value = _nested(20_000)
    inner = value
    while inner:
        inner = inner[0]
    inner.append(Endless())
    with pytest.raises(RecursionError):
        Encoder(Home({}), kind="deep").dump(value)
    while isinstance(value, list):
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
    values, failed = [_nested(10), _nested(20_000)], []

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
    limit, inner = sys.getrecursionlimit(), _nested(10_000)

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
for each in (made, value):
    pickled_bytes(each)
    encoder = Encoder(Home({"Node": Node}))
    encoder.dump(each)
    print(type(Decoder(encoder.frames().segments, Home({})).load()).__name__, sys.getrecursionlimit())
sys.stdout.flush()
os._exit(0)  # the end of such a chain is the interpreter's matter
"""


@pytest.mark.parametrize("limit", [20_000, 1_000_000])
def test_a_high_limit_of_recursion_is_not_the_end_of_the_process(limit):
    """Neither with deep data nor with a class whose attributes ask for themselves: it says nothing about the stack."""
    ended = subprocess.run([sys.executable, "-c", _HIGH, str(limit)], capture_output=True, text=True)
    if limit > 100_000:
        assert (ended.returncode, ended.stdout) == (0, f"Names {limit}\nNode {limit}\n"), ended.stderr[-500:]
    else:
        assert (ended.returncode, ended.stdout) == (1, f"Names {limit}\n"), ended.stderr[-500:]
        assert "RecursionError" in ended.stderr  # for which the encoder has another pickler


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
        with pytest.raises(ZeroDivisionError):
            with_room(divmod, 1, 0)
    finally:
        sys.setrecursionlimit(limit)
