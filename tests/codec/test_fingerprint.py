"""Fingerprints: equal for equal content, in any session; different, or none, where that is unknown."""

from __future__ import annotations

import array
import builtins
import collections
import copyreg
import datetime
import decimal
import functools
import math
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from lambdamagic.codec.encode import writer
from lambdamagic.codec.fingerprint import NoFingerprintError, fingerprint
from lambdamagic.codec.home import Home
from lambdamagic.codec.shared import Shared


def made(source: str, name: str = "x") -> str:
    """Return the fingerprint of what the source binds, in a separate notebook."""
    namespace = {"__name__": "__main__", "__builtins__": builtins}
    home = Home(namespace)
    exec(compile(source, f"<cell {id(namespace)}>", "exec"), namespace)
    return fingerprint(namespace[name], home)


def value(found) -> str:
    """Return the fingerprint of a value."""
    return fingerprint(found, Home({}))


def test_identity_does_not_matter_for_what_is_immutable():
    """Equal strings and tuples hit, be they one object or two."""
    one, other = "ab" * 10, "".join(["ab"] * 10)
    assert one is not other
    assert value([one, one]) == value([one, other])
    assert value({one: (1, one)}) == value({other: (1, other)})


def test_aliases_of_what_is_mutable_matter():
    """A list that stands twice can be changed in both places by one change."""
    inner = [1]
    assert value([inner, inner]) != value([[1], [1]])
    array = numpy.zeros(8)
    assert value([array, array[:4]]) != value([array, array[:4].copy()])


def test_order():
    """Sets have none; dictionaries have theirs."""
    assert value({"a", "b", "c", 1, (2, "x")}) == value({(2, "x"), 1, "c", "b", "a"})
    assert value({"a": 1, "b": 2}) != value({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", b"1"),
        ([1], (1,)),
        ([[1], 2], [[1, 2]]),
        (["ab", "c"], ["a", "bc"]),
        (numpy.zeros(2), numpy.zeros(2, "f4")),
        (numpy.zeros((2, 3)), numpy.zeros((3, 2))),
        (range(3), range(4)),
        (bytearray(b"a"), b"a"),
        (len, abs),
        ({1}, frozenset({1})),
    ],
)
def test_what_differs(one, other):
    """Values that are easily taken for one another."""
    assert value(one) != value(other)


def test_functions_by_what_they_do():
    """The line and the file do not matter; code, defaults, closures and constants do."""
    first = made("def x(a, b=2):\n    return a + b")
    assert made("\n\n# moved\ndef x(a, b=2):\n    return a + b") == first
    assert made("def x(a, b=3):\n    return a + b") != first
    assert made("def x(a, b=2):\n    return a - b") != first
    closure = "def make(k):\n    def f(a):\n        return a + k\n    return f\nx = make({})"
    assert made(closure.format(1)) == made(closure.format(1)) != made(closure.format(2))
    nested = "def x(a):\n    return [y * {} for y in a]"
    assert made(nested.format(2)) == made(nested.format(2)) != made(nested.format(3))


def test_classes_and_instances():
    """Classes of the notebook by their bodies, instances by their class and state."""
    source = "class C:\n    k = {}\n    def f(self): return self.k\nx = C()\nx.a = {}"
    assert made(source.format(1, 2)) == made(source.format(1, 2))
    assert len({made(source.format(*pair)) for pair in ((1, 2), (1, 3), (2, 2))}) == 3
    data = (
        "import dataclasses, enum\n@dataclasses.dataclass\nclass C:\n    a: int = {}\nclass E(enum.Enum):\n    A = 1\n"
    )
    assert made(data.format(1) + "x = [C(), E.A]") == made(data.format(1) + "x = [C(), E.A]")
    assert made(data.format(1) + "x = C()") != made(data.format(2) + "x = C(1)")


def test_frames_and_estimators():
    """What has a separate pickling is reported by that."""
    import pandas
    from sklearn.linear_model import Ridge

    def frame(last):
        return pandas.DataFrame({"a": [1, 2], "b": ["x", last]})

    assert value(frame("y")) == value(frame("y")) != value(frame("z"))
    assert value(Ridge(alpha=1)) == value(Ridge(alpha=1)) != value(Ridge(alpha=2))


def test_shared_objects():
    """A shared object is what it was when it was put."""
    home = Home({})
    array = numpy.arange(100_000)
    assert (
        value(Shared(array, home, writer()))
        == value(Shared(array.copy(), home, writer()))
        != value(Shared(array + 1, home, writer()))
    )


def test_cycles():
    """What leads back to itself has an end."""
    ring = [1]
    ring.append(ring)
    again = [1]
    again.append(again)
    assert value(ring) == value(again)


def test_what_has_none():
    """What cannot be distinguished has no fingerprint, so that it is never taken for another."""
    with pytest.raises(NoFingerprintError):
        value(threading.Lock())
    with pytest.raises(NoFingerprintError):
        value(x for x in "a")


def test_another_session_finds_the_same():
    """It does not depend on the process: not the hash seed, not the order in which things were made."""
    program = (
        "from tests.codec.test_fingerprint import made\n"
        'print(made(\'import math\\nclass C:\\n    s = {"a", "b", "cd"}\\ndef x(c=C(), *, d={1: math.pi}):\\n'
        '    return c in {"q", "r", "s"}\'))'
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


class Plain:
    """A library's class."""

    def __init__(self, held: Any = None) -> None:
        self.held = held

    def method(self) -> None:
        """Do nothing."""


class Named:
    """Is a global of its module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> str:
        return self.name


class Reduced:
    """Says what it is made of."""

    def __init__(self, *found: Any) -> None:
        self.found = found

    def __reduce__(self) -> Any:
        return self.found


def _setter(one: Any, two: Any) -> None:
    """Set a state."""


def _other_setter(one: Any, two: Any) -> None:
    """Set a state."""


_MEMORY, _EQUAL = numpy.zeros(12), numpy.zeros(12)
_PARTS = (list, (), None, None, None)


def _cached(size: int | None) -> Any:
    return functools.lru_cache(maxsize=size)(_setter)


def _marked(mark: int) -> Any:
    found = _cached(5)
    found.mark = mark
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda: [..., NotImplemented, slice(1, 2), range(3)],
        lambda: [len, [1].append, "a".upper, print],
        lambda: [math, Plain, int, _setter, threading.Lock],
        lambda: [Plain([1]).method, Plain.method],
        lambda: [staticmethod(_setter), classmethod(_setter), property(_setter, None, None, "doc")],
        lambda: [_cached(5), functools.partial(_setter, 1)],
        lambda: [bytearray(b"a"), types.MappingProxyType({"a": [1]}), "\ud800", 1j, None],
        lambda: [collections.OrderedDict(a=1), collections.deque([1], 3), collections.Counter("ab")],
        lambda: [array.array("d", [1]), array.array("f", [1])],
        lambda: [numpy.array([[1], None], dtype=object), numpy.zeros(0), numpy.zeros((2, 3), order="F")],
        lambda: [numpy.zeros(4)[::2], numpy.zeros(4)],
        lambda: [numpy.float32(1), numpy.dtype("f4"), datetime.datetime(2020, 1, 1), decimal.Decimal("1.50")],
        lambda: [Named("a"), Reduced(list, (), [1], iter([2]), iter([(3, 4)]), _setter)],
        lambda: [{(1, "a"), frozenset({2})}, {1: {2: {3}}}],
        lambda: [types.CellType(), types.CellType([1]), pickle.PickleBuffer(b"a")],
    ],
)  # fmt: skip
def test_each_kind_has_one(make: Callable[[], Any]) -> None:
    """The same for what is made in the same way, and of each part another one."""
    assert value(make()) == value(make())
    parts = [value(part) for part in make()]
    assert len({*parts}) == len(parts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1].append, [2].append),
        ([1].append, [1].extend),
        ("a".upper, "b".upper),
        (math, types),
        (Plain, Named),
        (Plain([1]), Plain([2])),
        (Plain([1]).method, Plain([2]).method),
        (Plain([1]).method, Plain([1]).__init__),
        (staticmethod(_setter), staticmethod(_other_setter)),
        (staticmethod(_setter), classmethod(_setter)),
        (staticmethod(_setter), _setter),
        (types.MappingProxyType({}), {}),
        (types.CellType([1]), [1]),
        (Plain(1).method, [Plain.method, Plain(1)]),
        (_marked(1), _marked(2)),
        (property(_setter), property(None, _setter)),
        (property(_setter, doc="a"), property(_setter, doc="b")),
        (_cached(5), _cached(6)),
        (_cached(5), functools.lru_cache(maxsize=5)(_other_setter)),
        (types.CellType(), types.CellType(None)),
        (types.CellType(1), types.CellType(2)),
        (bytearray(b"a"), bytearray(b"b")),
        (Named("a"), Named("b")),
        (numpy.zeros((2, 3)), numpy.zeros((2, 3), order="F")),
        (numpy.zeros(4)[::2], numpy.zeros(2)),
        (numpy.zeros((2, 3), order="F"), numpy.ndarray((2, 3), "d", bytearray(200), strides=(8, 32))),
        (numpy.arange(3), numpy.arange(1, 4)),
        (numpy.array([1, None], object), numpy.array([2, None], object)),
        (numpy.zeros(0), numpy.zeros(0, "f4")),
        ([_MEMORY, _MEMORY[:4]], [_MEMORY, _MEMORY[1:5]]),
        ([_MEMORY[:4], _MEMORY[2:6]], [_MEMORY[:4], numpy.zeros(4)]),
        ([_MEMORY, _EQUAL, _MEMORY[:4]], [_MEMORY, _EQUAL, _EQUAL[:4]]),
        (collections.deque([1], 3), collections.deque([1], 4)),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ([], {}),
        *(
            (Reduced(*_PARTS[:place], *one), Reduced(*_PARTS[:place], *other))
            for place, one, other in (
                (0, (list, ()), (tuple, ())), (1, ((1,),), ((2,),)), (2, ([1],), ([2],)),
                (3, (iter([1]),), (iter([2]),)),
                (4, (iter([(1, 2)]),), (iter([(1, 3)]),)), (5, (_setter,), (_other_setter,)),
            )
        ),
    ],
)  # fmt: skip
def test_what_differs_in_one_part(one: Any, other: Any) -> None:
    """Each part counts."""
    assert value(one) != value(other)


def test_a_read_only_array_is_another_one() -> None:
    """Code can find out."""
    fixed = numpy.zeros(3)
    fixed.flags.writeable = False
    assert value(fixed) != value(numpy.zeros(3))


def test_views_of_views_have_one_memory() -> None:
    """It is that of the array at the end."""
    one, other = numpy.zeros(8), numpy.zeros(8)
    assert value([one[2:][1:], one[3:]]) == value([other[3:], other[3:]])


@pytest.mark.parametrize(
    ("source", "other"),
    [
        ("def x(): return 1", "def x(): return 2"),
        ("def x(a): return a.b", "def x(a): return a.c"),
        ("def x(a): pass", "def x(b): pass"),
        ("def x(a): pass", "def x(*a): pass"),
        ("def x(a): pass", "def x(*, a): pass"),
        ("def x(a): pass", "def x(a, /): pass"),
        ("def x(): pass", "async def x(): pass"),
        ("def x(): pass", "def y(): pass\nx = y"),
        ("def x(a: int): pass", "def x(a: str): pass"),
        ("def x(*, a=1): pass", "def x(*, a=2): pass"),
        ("def x(): pass\nx.mark = 1", "def x(): pass\nx.mark = 2"),
        ("def x():\n    try: f()\n    except: pass", "def x():\n    f()"),
        ("class x: pass", "class x(int): pass"),
        ("class x: pass", "import abc\nclass x(metaclass=abc.ABCMeta): pass"),
        ("class x: a = 1", "class x: b = 1"),
        ("class x: a = 1", "class x: a = 2"),
        ("class x: pass", "class y: pass\nx = y"),
        ("class x: __slots__ = ('a',)", "class x: __slots__ = ('b',)"),
        ("class x:\n    @property\n    def a(self): return 1", "class x:\n    @property\n    def a(self): return 2"),
        ("def f(): return 1\nx = [f, f]", "def f(): return 1\ng = f\ndef f(): return 1\nx = [g, f]"),
    ],
)
def test_code_of_the_notebook(source: str, other: str) -> None:
    """Each part of functions and classes counts."""
    assert made(source) == made(source) != made(other)


def test_a_class_is_known_by_what_its_author_wrote() -> None:
    """In whichever order."""
    assert made("class x:\n    a = 1\n    b = 2") == made("class x:\n    b = 2\n    a = 1")


def test_functions_without_a_name_in_their_module() -> None:
    """They have its globals; those of other dictionaries are unknown."""
    scope: dict[str, Any] = {"__name__": "nowhere"}
    exec("def f(): pass", scope)
    with pytest.raises(NoFingerprintError, match=r"^function f has separate globals$"):
        value(scope["f"])
    scope["__name__"] = __name__
    with pytest.raises(NoFingerprintError, match="separate globals"):
        value(scope["f"])
    one, other = (Reduced(lambda: 1).found[0] for _ in range(2))
    assert value(one) == value(other)
    here = Home(globals(), "other")
    assert fingerprint(one, here) != value(one), "in a notebook its globals are the caller's to add"


def test_code_of_the_notebook_that_is_shared() -> None:
    """They are what they are; other shared objects are their bytes."""
    source = "class f:\n    x = {}"  # its bytes have a random token
    found = []
    for number in (1, 1, 2):
        namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        home = Home(namespace)
        exec(source.format(number), namespace)
        found.append(fingerprint(Shared([namespace["f"]], home, writer()), home))
    assert found[0] == found[1] != found[2]


def test_sets_hold_values() -> None:
    """One with an object that is known by its identity has no fingerprint."""
    for held in (Plain(), _setter.__code__, (1, Plain())):
        with pytest.raises(NoFingerprintError, match=r"^a set holds an object of type (Plain|code)$"):
            value({held})
    assert value({Plain, int, 1}) == value({1, int, Plain})
    assert value({1, 2}) != value({1, 3})


def test_what_a_class_raises_is_said() -> None:
    """With its type."""

    class Raises:
        def __reduce__(self) -> Any:
            raise KeyError("why")

    with pytest.raises(NoFingerprintError, match=r"^list: 'why'$") as caught:
        value([Raises()])
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_is_too_large_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is a number of objects."""
    monkeypatch.setattr("lambdamagic.codec.fingerprint._MAX_STEPS", 4)
    value([1, 2, 3])
    with pytest.raises(NoFingerprintError, match=r"^it is too large to be looked through$"):
        value([1, 2, 3, 4])


def test_registered_reductions_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pickle uses them."""
    monkeypatch.setitem(copyreg.dispatch_table, Plain, lambda found: (Plain, (found.held[0],)))
    assert value(Plain([1, 2])) == value(Plain([1, 3])) != value(Plain([2, 2]))
