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
import joblib
import numpy as np
import pandas as pd
import scipy.interpolate
import sklearn.metrics
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

OFFSET = 1
WORDS = {"a": 5}


def shifted(number):
    """Read a global."""
    return number + OFFSET


def default_of_ours():
    """Return what reads a global."""
    return OFFSET * 7


def split_of_ours(text):
    """Read another global and an own module."""
    return [word for word in text.split() if word not in WORDS] + [str(helper_of_ours.SCALE)]


def error_of_ours(true, predicted):
    """Score as a scorer does."""
    return float(np.abs(true - predicted).max()) * OFFSET


def gram_of_ours(a, b):
    """Return a kernel matrix."""
    return a @ b.T + OFFSET


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


class OwnTransformer(BaseEstimator, TransformerMixin):
    """An estimator of the program."""

    def __init__(self, by=1):
        self.by = by

    def fit(self, x, y=None):
        """Learn nothing."""
        return self

    def transform(self, x):
        """Read a global."""
        return x * self.by + OFFSET


class OwnArray(np.ndarray):
    """A kind of array."""

    def total(self):
        """Read a global."""
        return float(self.sum()) + OFFSET


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


def counter():
    """Return a closure with state."""
    count = 0

    def step(by):
        nonlocal count
        count += shifted(by)
        return count

    return step


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


def first_of(value):
    """Return an item."""
    return value[0]


def ring_of(act):
    """Return a ring of two."""
    one, two = Node(act), Node(act)
    one.other, two.other = two, one
    return one


DATA = np.arange(12.0).reshape(6, 2)
Y = DATA.sum(axis=1)


def _regression():
    return Pipeline([("own", OwnTransformer(2)), ("fit", LinearRegression())]).fit(DATA, Y)


def holders():
    """Yield name, a function, and the argument that holds code of the program."""
    ns = types.SimpleNamespace
    yield "defaultdict", lambda d: [d["x"], d.default_factory()], collections.defaultdict(default_of_ours)
    yield "deque", apply_all, collections.deque([shifted, helper_of_ours.scaled])
    yield "OrderedDict", lambda d: d["a"](1), collections.OrderedDict(a=shifted)
    yield "ChainMap", lambda d: d["a"](1), collections.ChainMap({}, {"a": shifted})
    yield "frozenset of functions", lambda s: sorted(f(1) for f in s), frozenset({shifted, helper_of_ours.scaled})
    yield "enum member", lambda n: n.level.raised(), ns(level=Level.HIGH)
    yield "enum in array", lambda a: [each.raised() for each in a], np.array([Level.LOW, Level.HIGH], dtype=object)
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
    yield "Series of functions", lambda s: [f(1) for f in s], pd.Series([shifted, helper_of_ours.scaled])
    yield "DataFrame attrs", lambda d: d.attrs["f"](1), _frame()
    yield "own array", lambda n: n.held.total(), ns(held=np.arange(3).view(OwnArray))
    yield "vectorize", lambda n: n.held([1, 2]).tolist(), ns(held=np.vectorize(shifted))
    yield (
        "spline",
        lambda n: [float(n.held(1.5)), n.f(1)],
        ns(held=scipy.interpolate.CubicSpline([0, 1, 2], [0, 1, 4]), f=shifted),
    )
    yield (
        "vectorizer",
        lambda v: v.fit(["a b c", "b c"]).get_feature_names_out().tolist(),
        CountVectorizer(analyzer=split_of_ours),
    )
    yield (
        "scorer",
        lambda s: s(LinearRegression().fit(DATA, Y), DATA, Y + 1),
        sklearn.metrics.make_scorer(error_of_ours),
    )
    yield (
        "function transformer",
        lambda t: t.fit_transform(DATA).tolist(),
        FunctionTransformer(shifted, inverse_func=abs),
    )
    yield (
        "column transformer",
        lambda t: t.fit_transform(DATA).tolist(),
        ColumnTransformer([("a", OwnTransformer(3), [0])]),
    )
    yield (
        "feature union",
        lambda t: t.fit_transform(DATA).tolist(),
        FeatureUnion([("a", OwnTransformer(3)), ("b", FunctionTransformer(shifted))]),
    )
    yield "fitted pipeline", lambda t: t.predict(DATA).round(6).tolist(), _regression()
    yield "voting", lambda t: t.fit(DATA, Y).predict(DATA).round(6).tolist(), VotingRegressor([("a", _regression())])
    yield "search candidates", lambda s: s.fit(DATA, Y).cv_results_["mean_test_score"].round(4).tolist(), _search()
    yield "SVC kernel", lambda s: s.fit(DATA, [0, 0, 0, 1, 1, 1]).predict(DATA).tolist(), SVC(kernel=gram_of_ours)
    yield (
        "gaussian process",
        lambda g: g.fit(DATA, Y).predict(DATA[:1]).round(3).tolist(),
        GaussianProcessRegressor(OwnKernel() + kernels.WhiteKernel(), optimizer=None),
    )
    yield "joblib delayed", lambda d: d[0](*d[1], **d[2]), joblib.delayed(shifted)(3)
    yield "joblib Memory", lambda m: m.func(3), joblib.Memory(None).cache(shifted)
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


class OwnKernel(kernels.DotProduct):
    """A kernel."""

    def __call__(self, x, y=None, eval_gradient=False):
        return super().__call__(x, y) * OFFSET


def _parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int_of_ours)
    return parser


def int_of_ours(text):
    """Read a global."""
    return int(text) + OFFSET


def _frame():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["f"] = shifted
    return frame


def _search():
    pipeline = Pipeline([("own", FunctionTransformer(shifted)), ("fit", LinearRegression())])
    return GridSearchCV(
        pipeline,
        {"own": [OwnTransformer(2), FunctionTransformer(shifted)]},
        cv=2,
        scoring=sklearn.metrics.make_scorer(error_of_ours),
    )


def results_of(functions, values):
    """Yield each result."""
    from lambdamagic import LambdaExecutor

    with LambdaExecutor(1) as executor:
        yield from executor.map(operator.call, functions, values)


def main():
    """Print the outcome of each case on Lambda, and here, as JSON."""
    names, functions, values = zip(*holders(), strict=True)
    here, there = map(operator.call, functions, values), results_of(functions, values)
    print(json.dumps([dict(zip(names, found, strict=True)) for found in (there, here)]))


if __name__ == "__main__":
    main()
