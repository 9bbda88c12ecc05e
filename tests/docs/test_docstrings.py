"""The examples in the docstrings of what `lambdamagic` exports are run, and the public names have one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lambdamagic
from tests.api.conftest import one_process_of_apis, programs_environment  # noqa: F401  # fixtures

# Received, raised or called by IPython; functions that have an example make `RemoteFunction` and `Reference`.
_WITHOUT = {
    "JobInfo",
    "LambdaFunctionError",
    "LambdaPoolError",
    "NOT_RUN",
    "Reference",
    "RemoteFunction",
    "load_ipython_extension",
    "unload_ipython_extension",
}
_PROGRAM = """
import doctest, lambdamagic
for name in {names!r}:
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    [test] = finder.find(getattr(lambdamagic, name), name, globs={{"__name__": "__main__"}})
    assert test.examples, f"{{name}} has no example"
    assert runner.run(test).failed == 0, name
"""


def test_the_examples_of_public_names_are_right(programs_environment: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    """All in one program, since each connects to the embedded Lambda again."""
    names = sorted(set(lambdamagic.__all__) - _WITHOUT)
    environment = {**programs_environment, "LAMBDAMAGIC_VARIANTS": "always", "HOME": str(tmp_path)}
    program = [sys.executable, "-c", _PROGRAM.format(names=names)]
    done = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
