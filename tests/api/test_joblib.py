"""joblib and scikit-learn on the backend "lambdamagic"."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed

import lambdamagic
from lambdamagic.errors import ConfigError


@pytest.fixture(autouse=True)
def backend(one_process_of_apis):
    """Our backend is the one in force."""
    lambdamagic.register_joblib()
    with joblib.parallel_config(backend="lambdamagic", n_jobs=2):
        yield


def test_parallel(define):
    """Results in order, of functions with all that they read."""
    define("OFFSET = 1")
    add = define("def add(x, y=0):\n    return x + y + OFFSET")
    assert Parallel()(delayed(add)(n, y=10) for n in range(30)) == list(range(11, 41))


@pytest.mark.parametrize("kind", ["generator", "generator_unordered"])
def test_return_as(kind):
    """Results one by one."""
    results = Parallel(return_as=kind)(delayed(abs)(-n) for n in range(10))
    assert sorted(results) == list(range(10))


def test_an_exception():
    """What a task raises is raised, and the next Parallel works."""
    with pytest.raises(ValueError, match="x"):
        Parallel()(delayed(int)(text) for text in ["1", "x", "3"])
    assert Parallel()(delayed(abs)(-n) for n in range(3)) == [0, 1, 2]


@pytest.mark.parametrize("how", ["", ", backend='lambdamagic'"])
def test_nested(define, how):
    """A Parallel inside of a task runs there, in threads; also one that names the backend."""
    outer = define(
        "from joblib import Parallel, delayed\n"
        "def outer(n):\n"
        "    import os\n"
        f"    return sum(Parallel(n_jobs=2{how})(delayed(abs)(-i) for i in range(n))), os.getpid()\n"
    )
    import os

    found = Parallel()(delayed(outer)(n) for n in (3, 4))
    assert [total for total, _ in found] == [3, 6]
    assert os.getpid() not in {pid for _, pid in found}


def test_the_workers_that_others_look_for():
    """As with joblib's own backends they are others after an exception, and none when all is over."""
    with Parallel(n_jobs=2) as parallel:
        before = parallel._backend._workers
        assert before is not None
        with pytest.raises(ValueError, match="x"):
            parallel([delayed(int)("x")])
        assert parallel._backend._workers not in (None, before)
        assert parallel([delayed(abs)(-1)]) == [1]
    assert parallel._backend._workers is None


def test_n_jobs():
    """A number is taken as it is, -1 is all that may run at once, 0 has no meaning."""
    with joblib.parallel_config(backend="lambdamagic", max_concurrency=7):
        assert joblib.effective_n_jobs(-1) >= 1
        assert joblib.effective_n_jobs(3) == 3
        with pytest.raises(ValueError, match="n_jobs == 0"):
            joblib.effective_n_jobs(0)


def test_grid_search():
    """scikit-learn's search finds the same as in this process."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    data, target = load_iris(return_X_y=True)
    grid = {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1]}
    on_lambda = GridSearchCV(SVC(), grid, cv=3, n_jobs=2).fit(data, target)
    with joblib.parallel_config(backend="sequential"):
        here = GridSearchCV(SVC(), grid, cv=3).fit(data, target)
    assert on_lambda.best_params_ == here.best_params_
    assert list(on_lambda.cv_results_["mean_test_score"]) == list(here.cv_results_["mean_test_score"])


def test_grid_search_ships_its_data_once(faults):
    """X goes to the bucket once and to each environment once, however many fits there are."""
    import numpy
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV

    X = numpy.random.default_rng(0).random((50_000, 8))
    y = X @ numpy.arange(8.0)
    faults.stats(reset=True)
    with joblib.parallel_config(backend="lambdamagic"):
        search = GridSearchCV(Ridge(), {"alpha": [0.1, 1, 10, 100]}, cv=3, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"alpha": 0.1}
    counted = faults.stats()
    assert counted["requests"]["s3"]["PutObject"] == 1
    assert counted["requests"]["s3"]["GetObject"] <= 4  # one of them now and then looks for the sign to stop
    assert counted["requests"]["lambda"]["Invoke"] > 2


@pytest.mark.parametrize("batch_size", [1, 4, "auto"])
def test_batch_sizes(batch_size, faults):
    """Results are the same; a fixed size is that many calls in one invocation."""
    faults.stats(reset=True)
    assert Parallel(batch_size=batch_size, pre_dispatch="all")(delayed(abs)(-n) for n in range(8)) == list(range(8))
    if batch_size != "auto":
        assert faults.stats()["requests"]["lambda"]["Invoke"] == 8 // batch_size


@pytest.mark.parametrize("max_nbytes", [1, "1K", None])
@pytest.mark.parametrize("size", [1, 5_000, 50_000])
def test_arrays_from_another_size_on(max_nbytes, size):
    """joblib's `max_nbytes`, for arrays below it, between it and what a bucket is asked for, and above."""
    array = np.arange(size, dtype=float)
    found = Parallel(max_nbytes=max_nbytes)(delayed(np.sum)(each) for each in (array, array + 1))
    assert found == [array.sum(), (array + 1).sum()]


def test_a_generator_that_is_left(tmp_path):
    """Closing it drops what has not begun, and the next Parallel works."""
    results = Parallel(return_as="generator", batch_size=1, pre_dispatch=2)(
        delayed(Path.touch)(tmp_path / str(n)) for n in range(400)
    )
    next(results)
    with pytest.warns(UserWarning, match="have been cancelled"):  # joblib's own
        results.close()
    assert len(list(tmp_path.iterdir())) < 400
    assert Parallel()(delayed(abs)(-n) for n in range(3)) == [0, 1, 2]


def test_an_exception_in_a_generator():
    """It is raised where results are taken."""
    results = Parallel(return_as="generator", batch_size=1)(delayed(int)(text) for text in ["1", "x", "3"])
    with pytest.raises(ValueError, match="x"):
        list(results)


def test_an_exception_drops_the_rest(tmp_path):
    """What has not begun when a task fails is not run."""
    calls = [delayed(int)("x"), *(delayed(Path.touch)(tmp_path / str(n)) for n in range(600))]
    with pytest.raises(ValueError, match="x"):
        Parallel(batch_size=1, pre_dispatch="2*n_jobs")(calls)
    assert len(list(tmp_path.iterdir())) < 600


def test_one_parallel_for_many_calls():
    """As a context manager it keeps its workers."""
    with Parallel() as parallel:
        assert parallel(delayed(abs)(-n) for n in range(3)) == [0, 1, 2]
        assert parallel(delayed(abs)(-n) for n in range(4)) == [0, 1, 2, 3]


def test_own_code_in_estimators(define):
    """Functions that transformers and scorers hold, and own classes in a pipeline and among candidates."""
    import numpy as np
    from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    main = sys.modules["__main__"].__dict__
    main.update(BaseEstimator=BaseEstimator, RegressorMixin=RegressorMixin, TransformerMixin=TransformerMixin, np=np)
    define("FACTOR = 2")
    scale = define("def scale(X):\n    return X * FACTOR")
    score = define("def score(y, found):\n    return float(-np.abs(y - found).max()) * FACTOR")
    shift = define(
        "class Shift(TransformerMixin, BaseEstimator):\n"
        "    def __init__(self, by=0):\n        self.by = by\n"
        "    def fit(self, X, y=None):\n        return self\n"
        "    def transform(self, X):\n        return scale(X) + self.by"
    )
    mean = define(
        "class Mean(RegressorMixin, BaseEstimator):\n"
        "    def fit(self, X, y):\n        self.mean_ = np.mean(y) * FACTOR\n        return self\n"
        "    def predict(self, X):\n        return np.full(len(X), self.mean_)"
    )
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    pipeline = make_pipeline(FunctionTransformer(scale), shift(1), LinearRegression())
    scorer = make_scorer(score)
    search = GridSearchCV(pipeline, {"linearregression": [LinearRegression(), mean()]}, scoring=scorer, cv=2)
    ours = cross_val_score(pipeline, X, y, scoring=scorer, cv=2), search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="threading"):
        local = cross_val_score(pipeline, X, y, scoring=scorer, cv=2), search.fit(X, y).cv_results_["mean_test_score"]
    assert [each.tolist() for each in ours] == [each.tolist() for each in local]
    assert type(search.best_estimator_[1]) is shift


def test_options_of_joblibs_backends(define):
    """An initializer runs first, arrays are sent as requested, and others are refused by name."""
    import numpy as np

    define("STATE = []")
    prepare = define("def prepare(value):\n    STATE.append(value)")
    state = define("def state(_):\n    return STATE")
    assert Parallel(initializer=prepare, initargs=(7,))(delayed(state)(n) for n in range(3)) == [[7]] * 3
    writeable = define("def writeable(array):\n    return array.flags.writeable")
    array = np.zeros(200_000)
    options = [{}, {"max_nbytes": None}, {"mmap_mode": None}, {"mmap_mode": "c"}, {"max_nbytes": "100M"}]
    assert [Parallel(**each)([delayed(writeable)(array)]) for each in options] == [
        [False],
        [True],
        [True],
        [True],
        [True],
    ]
    for refused in ({"idle_worker_timeout": 3}, {"mmap_mode": "r+"}, {"no_such_option": 1}):
        with pytest.raises(ConfigError, match=next(iter(refused))):
            Parallel(**refused)([delayed(abs)(1)])
    with (
        pytest.raises(AssertionError, match="inner_max_num_threads"),
        joblib.parallel_config(backend="lambdamagic", inner_max_num_threads=2),
    ):
        pass
