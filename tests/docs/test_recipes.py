"""Each recipe of docs/recipes.md runs, with its library installed, and gives what it gives here."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.conftest import one_process_of_apis, programs_environment  # noqa: F401  # fixtures
from tests.docs.snippets import ROOT, Block, blocks_of

_RECIPES = [block for block in blocks_of(ROOT / "docs" / "recipes.md") if block.language == "python"]
#: What recipes import also the library that they are about.
_AIDS = {"lambdamagic", "numpy", "joblib", "pathlib", "random", "concurrent", "xarray", "obspec_utils", "obstore"}
_IMPORTED = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)


def _title(block: Block) -> str:
    return next(name for name in _IMPORTED.findall(block.text) if name not in _AIDS)


@pytest.mark.parametrize("block", _RECIPES, ids=_title)
def test_a_recipe(block: Block, tmp_path: Path, programs_environment: dict[str, str]) -> None:  # noqa: F811
    """It ends with status 0: it compares its results itself."""
    missing = [name for name in _IMPORTED.findall(block.text) if importlib.util.find_spec(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{missing[0]} is not installed (the dependency group recipes)")
    assert not missing
    command = [sys.executable, "-c", block.text]
    # Each environment imports the library: up to a second of a core.
    environment = {**programs_environment, "LAMBDAMAGIC_MAX_CONCURRENCY": "3"}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"
