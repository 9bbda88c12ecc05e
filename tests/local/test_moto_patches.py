"""Each change of moto is listed, and is there only for as long as moto differs from AWS."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import lambdamagic.local
from lambdamagic.local.control.moto_patches import PATCHES, Patch, put

#: Runs a program without the grammar of an API that it does not ask, which would take two seconds to build.
_PLAIN = "import runpy, sys; sys.modules['rfc3987_syntax'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What plain moto does, by the targets of the list."""
    program = Path(__file__).with_name("plain_moto.py")
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN, str(program)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.target)
def test_it_is_still_needed(patch: Patch, plain: dict[str, Any]) -> None:
    """Where this fails after an update of moto, the entry and its code can go."""
    assert plain[patch.target] is True, f"moto no longer {patch.moto}: {plain[patch.target]}"


def test_nothing_else_is_put_into_moto() -> None:
    """No module assigns to what it has imported from moto."""
    found = []
    for path in Path(lambdamagic.local.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        of_moto = {
            name.asname or name.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "moto"
            for name in node.names
        }
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in [each for group in targets for each in ast.walk(group)]:
                if (
                    isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id in of_moto
                ):
                    found.append(f"{path.name}:{node.lineno}: {target.value.id}.{target.attr}")
    assert not found


def test_what_the_list_lacks_is_not_put() -> None:
    """A new change begins with its entry."""
    with pytest.raises(KeyError):
        put("moto.s3.models:FakeBucket.name", None)


def test_moto_has_an_upper_bound() -> None:
    """A version that no test has seen is not installed, neither with the extra."""
    project = tomllib.loads((Path(lambdamagic.__file__).parents[1] / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    lists += project["dependency-groups"].values()
    wanted = [each for every in lists for each in every if str(each).startswith("moto")]
    assert len(wanted) == 3 and all(",<" in each for each in wanted), wanted
