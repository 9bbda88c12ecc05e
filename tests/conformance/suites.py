"""Runs joblib's own parallel tests, and scikit-learn's tests of `n_jobs`, on the embedded Lambda.

    python -m tests.conformance.suites [joblib] [scikit-learn]

Both come with the installed packages. Not in CI: some minutes. This module is also the plugin of
pytest that puts our backend where the suites name their own ones.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_JOBLIBS = "joblib.test.test_parallel"
#: Tests of joblib's that do not concern a backend on another machine, by the reason.
_NOT_OURS = {
    "they ask whether arrays are memory maps of a file": (
        "test_auto_memmap_on_arrays_from_generator[lambdamagic]",
        "test_memmapping_leaks[lambdamagic]",
    ),
    "their tasks write into objects of multiprocessing's managers, which connect processes of one machine": (
        "test_initializer_context",
        "test_initializer_parallel",
        "test_dispatch_multiprocessing",
    ),
    "without n_jobs our backend takes all there are, as Dask's does": (
        "test_nested_backend_in_sequential[parallel_config-lambdamagic-None]",
        "test_nested_backend_in_sequential[parallel_backend-lambdamagic-None]",
    ),
    "other processes would have to register the backend": (
        "test_nested_loop[loky-lambdamagic]",
        "test_nested_loop[multiprocessing-lambdamagic]",
        "test_nested_loop[back_compat_backend-lambdamagic]",
        "test_parallel_with_interactively_defined_functions",
    ),
}


def pytest_configure(config: Any) -> None:
    """Register the backend, as joblib's default, before the suites look which there are."""
    import joblib

    import lambdamagic

    lambdamagic.register_joblib()
    if os.environ.get("SUITE_ON_LAMBDA") == "joblib":
        suite: Any = importlib.import_module(_JOBLIBS)
        # The lists that its decorators refer to.
        suite.PROCESS_BACKENDS[:] = suite.PARALLEL_BACKENDS[:] = ["lambdamagic"]
    else:
        joblib.parallel.DEFAULT_BACKEND = "lambdamagic"


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Take joblib's tests of our backend only."""
    if os.environ.get("SUITE_ON_LAMBDA") != "joblib":
        return
    ours = [item for item in items if "lambdamagic" in item.name.lower() or "LambdaBackend" in item.name]
    left_out = [item for item in ours if any(part in item.name for parts in _NOT_OURS.values() for part in parts)]
    for reason, parts in _NOT_OURS.items():
        for item in left_out:
            if any(part in item.name for part in parts):
                print(f"not asked: {item.name}: {reason}")
    config.hook.pytest_deselected(items=[item for item in items if item not in ours or item in left_out])
    items[:] = [item for item in ours if item not in left_out]


_SUITES = {
    "joblib": ["--pyargs", _JOBLIBS],
    "scikit-learn": [
        "--pyargs",
        "sklearn.model_selection.tests.test_validation",
        "sklearn.model_selection.tests.test_search",
        "sklearn.ensemble.tests.test_voting",
        "sklearn.ensemble.tests.test_stacking",
        "sklearn.ensemble.tests.test_bagging",
        "sklearn.tests.test_multiclass",
        "sklearn.tests.test_multioutput",
        "sklearn.compose.tests.test_column_transformer",
        "sklearn.inspection.tests.test_permutation_importance",
        "sklearn.feature_selection.tests.test_rfe",
        "sklearn.utils.tests.test_parallel",
        "-k",
        # The one left out counts warnings of tasks, which are their process's, with any backend that has processes.
        "(n_jobs or parallel or jobs) and not test_parallel_delayed_warnings",
    ],
}


def main(names: list[str]) -> int:
    """Run suites; return how many had failures."""
    bad = 0
    for name in names or list(_SUITES):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "SUITE_ON_LAMBDA": name, "PYTHONPATH": str(_ROOT), "HOME": folder}
            environment["LAMBDAMAGIC_QUIET"] = "true"
            command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "tests.conformance.suites"]
            command += ["-p", "no:cacheprovider", "-W", "ignore", "--timeout=300", "-c", os.devnull, *_SUITES[name]]
            bad += bool(subprocess.run(command, cwd=folder, env=environment, check=False).returncode)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
