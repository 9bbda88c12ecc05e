"""The same questions, asked on the newest Python of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments import ROOT, CannotBeMadeError, lambdamagic_metadata, make, our_dependencies
from tests.images.base import cache_folder

_CACHE = cache_folder()  # looked up now: during the tests the home is another one
_TOOLS = ("pytest>=8.4", "pytest-xdist>=3.8", "pytest-timeout>=2.4")


def _newest():
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


def test_on_the_newest_python(tmp_path):
    """No failures there either: neither ours nor, which would make them worthless, the standard library's."""
    interpreter = _newest()
    if interpreter is None:
        pytest.skip("there is no newer Python on this machine")
    try:
        python = make(_CACHE, "conformance", interpreter, [*our_dependencies(), *_TOOLS])
        package = lambdamagic_metadata(python, tmp_path / "package")
    except CannotBeMadeError as reason:
        if os.environ.get("CI"):
            pytest.fail(f"the environment cannot be made in CI: {reason}")
        pytest.skip(f"the environment cannot be made: {reason}")
    command = [python, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/conformance"]
    done = subprocess.run(
        [*command, f"--deselect=tests/conformance/{Path(__file__).name}"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{package}", "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    for whose in ("control", "ours"):
        assert re.search(rf"conformance, {whose}: \d+ passed", done.stdout), done.stdout[-2000:]
        assert not re.search(rf"conformance, {whose}: .*failed", done.stdout)
