"""The same with values of libraries: arrays, frames, estimators and kernels that hold code of the program."""

from __future__ import annotations

import enum
import types

import helper_of_ours
import joblib
import numpy as np
import pandas as pd
import scipy.interpolate
import sklearn.metrics
from both_ways import compared
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
DATA = np.arange(12.0).reshape(6, 2)
Y = DATA.sum(axis=1)


def shifted(number):
    """Read a global."""
    return number + OFFSET


def split_of_ours(text):
    """Read another global and an own module."""
    return [word for word in text.split() if word not in WORDS] + [str(helper_of_ours.SCALE)]


def error_of_ours(true, predicted):
    """Score as a scorer does."""
    return float(np.abs(true - predicted).max()) * OFFSET


def gram_of_ours(a, b):
    """Return a kernel matrix."""
    return a @ b.T + OFFSET


class Size(enum.Enum):
    """Members with a method that reads a global."""

    SMALL = 1
    LARGE = 2

    def raised(self):
        """Read a global."""
        return self.value + OFFSET


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


class OwnKernel(kernels.DotProduct):
    """A kernel."""

    def __call__(self, x, y=None, eval_gradient=False):
        return super().__call__(x, y) * OFFSET


def _regression():
    return Pipeline([("own", OwnTransformer(2)), ("fit", LinearRegression())]).fit(DATA, Y)


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


def holders():
    """Yield name, a function, and the argument that holds code of the program."""
    ns = types.SimpleNamespace
    yield "enum in array", lambda a: [each.raised() for each in a], np.array([Size.SMALL, Size.LARGE], dtype=object)
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


if __name__ == "__main__":
    compared(holders())
