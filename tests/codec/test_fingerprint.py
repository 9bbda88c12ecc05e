"""Fingerprints: equal for equal content, in any session; different, or none, where that is unknown."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading

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
