"""ARCHITECTURE.md says what the code is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layers_are_those_that_the_linter_holds():
    """The table names the packages of pyproject.toml's contract, line by line, and each package stands in it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [held] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = text.partition("## Layers")[2].partition("\n## ")[0]
    shown = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    assert shown == [re.findall(r"lambdamagic\.(\w+)", line) for line in held]
    named = {name for line in shown for name in line}
    modules = [*(ROOT / "lambdamagic").glob("*.py"), *(path.parent for path in ROOT.glob("lambdamagic/*/__init__.py"))]
    doors = {"__init__", "__main__", "joblib"}  # the package's own, and joblib's
    assert {path.stem for path in modules} - named == doors
