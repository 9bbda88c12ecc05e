"""Functions called with values of many classes that hold code of the program, on Lambda and here."""

from __future__ import annotations

import abc
import argparse
import collections
import copyreg
import dataclasses
import decimal
import enum
import fractions
import functools
import json
import logging
import operator
import pathlib
import string
import types
import typing

import attrs
import helper_of_ours
from both_ways import compared

OFFSET = 1


def shifted(number):
    """Read a global."""
    return number + OFFSET


def default_of_ours():
    """Return what reads a global."""
    return OFFSET * 7


class Level(enum.Enum):
    """Members with a method that reads a global."""

    LOW = 1
    HIGH = 2

    def raised(self):
        """Read a global."""
        return self.value + OFFSET


class Point(typing.NamedTuple):
    """A tuple with a method."""

    x: int

    def far(self):
        """Read a global."""
        return self.x + OFFSET


@dataclasses.dataclass
class Record:
    """A dataclass whose field's default comes from the program."""

    value: int = 3
    made: int = dataclasses.field(default_factory=default_of_ours)
    act: typing.Callable = shifted


@attrs.define
class Attrs:
    """A class with a converter and a validator of the program."""

    value: int = attrs.field(converter=shifted)


class Base(abc.ABC):
    """An abstract base."""

    @abc.abstractmethod
    def act(self, number):
        """Do it."""


class Slotted(Base):
    """Slots, a base of the program, a property and a static method."""

    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held

    @property
    def more(self):
        """Read a global."""
        return OFFSET

    @staticmethod
    def twice(number):
        """Read a global."""
        return number * 2 + OFFSET

    def act(self, number):
        """Use all of them."""
        return self.twice(self.held(number)) + self.more + super_of_ours(self)


def super_of_ours(value):
    """Name a class of the program."""
    return int(isinstance(value, Base))


class WithState:
    """Its state is made and read by the program's functions."""

    def __init__(self, held):
        self.held = held

    def __getstate__(self):
        return {"hidden": (OFFSET, self.held)}

    def __setstate__(self, state):
        self.held = state["hidden"][1]


class Reduced:
    """It is made again by a function of the program."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return rebuilt, (self.number,)


def rebuilt(number):
    """Read a global while the value is read."""
    return Reduced(number + OFFSET - 1)


class ByCopyreg:
    """copyreg knows how it is pickled."""

    def __init__(self, number):
        self.number = number


def made_by_copyreg(number):
    """Make one."""
    made = ByCopyreg(number)
    made.shifted = shifted(number)
    return made


copyreg.pickle(ByCopyreg, lambda value: (made_by_copyreg, (value.number,)))


class OwnDict(dict):
    """A dictionary whose missing keys come from the program."""

    def __missing__(self, key):
        return shifted(key)


class OwnFilter(logging.Filter):
    """A filter of a library's class, as a library holds it."""

    def filter(self, record):
        """Read a global."""
        return OFFSET


class OwnTemplate(string.Template):
    """A template with another delimiter."""

    delimiter = "%"


class Node:
    """One of a ring."""

    def __init__(self, act):
        self.act, self.other = act, None


class Meta(type):
    """A metaclass that reads a global."""

    def __call__(cls, *args):
        made = super().__call__(*args)
        made.extra = OFFSET
        return made


class OfMeta(metaclass=Meta):
    """Its instances get one attribute more."""


def decorated(function):
    """Wrap as decorators do."""

    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + OFFSET

    return wrapper


@decorated
def wrapped(number):
    """Be wrapped."""
    return shifted(number)


@functools.lru_cache
def cached(number):
    """Be kept."""
    return shifted(number)


@functools.singledispatch
def dispatched(value):
    """Be dispatched."""
    return "other"


@dispatched.register
def _(value: int):
    return shifted(value)


@dispatched.register
def _(value: Record):
    return value.value + OFFSET


class Descriptor:
    """A descriptor of the program."""

    def __get__(self, instance, owner=None):
        return OFFSET if instance is None else shifted(instance.base)


class Described:
    """A class with one."""

    base = 4
    value = Descriptor()
    part = functools.partialmethod(lambda self, number: shifted(number) + self.base, 2)
    kept = functools.cached_property(lambda self: shifted(self.base))


def apply_all(holder):
    """Call what is held."""
    return [each(3) for each in holder]


def ring_of(act):
    """Return a ring of two."""
    one, two = Node(act), Node(act)
    one.other, two.other = two, one
    return one


def pow_of_ours(a, b, c):
    """Read a global."""
    return a**b + c + OFFSET


class Vector:
    """Adds."""

    def __init__(self, x):
        self.x = x

    def __add__(self, other):
        return Vector(self.x + other.x + OFFSET)


class Counting:
    """Iterates."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return (shifted(k) for k in range(self.n))


class Outer:
    """Has a class within."""

    class Inner:
        """Within."""

        def act(self, number):
            """Read a global."""
            return shifted(number)

    @classmethod
    def made(cls):
        """Read a global."""
        return cls.Inner().act(OFFSET)


class OwnPath(pathlib.PurePosixPath):
    """A path."""

    def marked(self):
        """Read a global."""
        return str(self) + str(OFFSET)


class OwnFraction(fractions.Fraction):
    """A fraction."""

    def shifted(self, by):
        """Read a global."""
        return str(self + by + OFFSET)


class OwnError(ValueError):
    """An error."""

    def extra(self):
        """Read a global."""
        return OFFSET


class OwnEncoder(json.JSONEncoder):
    """An encoder."""

    def default(self, o):
        """Read a global."""
        return o.raised() if isinstance(o, Level) else super().default(o)


def _parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int_of_ours)
    return parser


def int_of_ours(text):
    """Read a global."""
    return int(text) + OFFSET


def holders():
    """Yield name, a function, and the argument that holds code of the program."""
    ns = types.SimpleNamespace
    yield "defaultdict", lambda d: [d["x"], d.default_factory()], collections.defaultdict(default_of_ours)
    yield "deque", apply_all, collections.deque([shifted, helper_of_ours.scaled])
    yield "OrderedDict", lambda d: d["a"](1), collections.OrderedDict(a=shifted)
    yield "ChainMap", lambda d: d["a"](1), collections.ChainMap({}, {"a": shifted})
    yield "frozenset of functions", lambda s: sorted(f(1) for f in s), frozenset({shifted, helper_of_ours.scaled})
    yield "enum member", lambda n: n.level.raised(), ns(level=Level.HIGH)
    yield "named tuple", lambda n: n.held[0].far(), ns(held=[Point(4)])
    yield "dataclass", lambda n: [n.held.act(1), n.held.made, type(n.held)().made], ns(held=Record())
    yield "attrs", lambda n: [n.held.value, type(n.held)(7).value], ns(held=Attrs(3))
    yield "slots", lambda n: n.held.act(2), ns(held=Slotted(shifted))
    yield "getstate", lambda n: n.held.held(2), ns(held=WithState(shifted))
    yield "reduce", lambda n: n.held.number, ns(held=Reduced(3))
    yield "copyreg", lambda n: n.held.shifted, ns(held=made_by_copyreg(3))
    yield "missing", lambda n: n.held[5], ns(held=OwnDict(a=1))
    yield "logging filter", lambda n: n.held.filter(None), ns(held=OwnFilter("x"))
    yield "template", lambda n: n.held.substitute(a=1), ns(held=OwnTemplate("%a"))
    yield "argparse action", lambda p: p.parse_args(["--n", "3"]).n, _parser()
    yield "ring", lambda n: n.other.other.act(1), ring_of(shifted)
    yield "metaclass", lambda n: n.held().extra, ns(held=OfMeta)
    yield "class in instance", lambda n: n.held(shifted).act(1), ns(held=Slotted)
    yield "wrapped", lambda n: n.held(1), ns(held=wrapped)
    yield "lru_cache", lambda n: n.held(1), ns(held=cached)
    yield "singledispatch", lambda n: [n.held(1), n.held(Record()), n.held("x")], ns(held=dispatched)
    yield "descriptor", lambda n: [n.held.value, n.held.part(), n.held.kept], ns(held=Described())
    yield "reduce of partials", lambda n: n.held(1), ns(held=functools.partial(functools.partial(pow_of_ours, 2), 3))
    yield "methodcaller", lambda n: n.held(Point(1)), ns(held=operator.methodcaller("far"))
    yield "json encoder class", lambda n: json.dumps({"a": Level.LOW}, cls=n.held), ns(held=OwnEncoder)
    yield "exception held", lambda n: [n.held.args, n.held.extra()], ns(held=OwnError(1))
    yield (
        "decimal and fraction",
        lambda n: [str(n.a), str(n.b), n.c(1)],
        ns(a=decimal.Decimal("1.5"), b=OwnFraction(1, 3), c=OwnFraction(1, 3).shifted),
    )
    yield "own path", lambda n: n.held.marked(), ns(held=OwnPath("a"))
    yield "generic alias", lambda n: n.held.__args__[0](4).value, ns(held=list[Attrs])
    yield "nested class", lambda n: n.held.act(1), ns(held=Outer.Inner())
    yield "class method", lambda n: n.held(), ns(held=Outer.made)
    yield "operator of own class", lambda n: (n.a + n.b).x, ns(a=Vector(1), b=Vector(2))
    yield "iterator of own class", lambda n: list(n.held), ns(held=Counting(3))
    yield "callable in tuple key", lambda d: [k[0](1) for k in d], {(shifted, 1): 2}
    yield "closure with default", lambda n: n.held(1), ns(held=(lambda x, act=shifted: act(x)))
    yield "typing protocol", lambda n: isinstance(n.a, n.b), ns(a=Slotted(shifted), b=Base)
    yield "type variable", lambda n: n.held.__name__, ns(held=typing.TypeVar("T", bound=Base))


if __name__ == "__main__":
    compared(holders())
