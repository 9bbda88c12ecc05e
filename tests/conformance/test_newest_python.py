"""The same tests, and those of the codec, on the newest Python of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.environments import ROOT, CannotBeMadeError, lambdamagic_metadata, make, our_dependencies
from tests.images.base import cache_folder

_CACHE = cache_folder()  # looked up now: during the tests the home is another one
_TOOLS = ("pytest>=8.4", "pytest-xdist>=3.8", "pytest-timeout>=2.4")
#: What the codec's tests carry.
_CARRIED = ("attrs>=24", "numpy>=2", "pandas>=2.2", "scikit-learn>=1.6", "hypothesis>=6.120")

Run = Callable[..., str]


def _newest() -> str | None:
    """Return a newer Python than the one that runs these tests; None without one that starts."""
    for minor in range(15, sys.version_info.minor, -1):
        found = shutil.which(f"python3.{minor}")
        # pyenv's shims start only what was chosen; what it has is next to them.
        versions = [] if found is None else sorted(Path(found).parents[1].glob(f"versions/3.{minor}.*/bin/python"))
        for each in [*([] if found is None else [found]), *map(str, reversed(versions))]:
            asked = subprocess.run([each, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
            if asked.returncode == 0:
                return asked.stdout.strip()
    return None


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function that runs tests on it, and returns what they printed."""
    interpreter, home = _newest(), tmp_path_factory.mktemp("newest")
    if interpreter is None:
        pytest.skip("there is no newer Python on this machine")
    try:
        python = make(_CACHE, "conformance", interpreter, [*our_dependencies(), *_TOOLS, *_CARRIED])
        package = lambdamagic_metadata(python, home / "package")
    except CannotBeMadeError as reason:
        if os.environ.get("CI"):
            pytest.fail(f"the environment cannot be made in CI: {reason}")
        pytest.skip(f"the environment cannot be made: {reason}")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [python, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *arguments],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{package}", "HOME": str(home)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        return done.stdout

    yield run


def test_executors_and_pools(newest: Run) -> None:
    """No failures there either: neither ours nor, which would make them worthless, the standard library's."""
    printed = newest("tests/conformance", f"--deselect=tests/conformance/{Path(__file__).name}")
    for whose in ("control", "ours"):
        assert re.search(rf"conformance, {whose}: \d+ passed", printed), printed[-2000:]
        assert not re.search(rf"conformance, {whose}: .*failed", printed)


def test_what_is_carried(newest: Run) -> None:
    """A newer Python makes other classes in C, other code and other limits of recursion."""
    assert re.search(r"\d{4} passed", newest("tests/codec"))
