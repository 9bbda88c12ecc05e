"""Deploy what the notebook imports by `--from-notebook`, then run a cell that imports the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.local.local_server import LocalServer
from tests.deploy.wheels import make_wheel

_AS_TEXT: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 150, "check": False}
_CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "lambdamagic")
ran = shell.run_cell({cell!r})
error = ran.error_before_exec or ran.error_in_exec
print(type(error).__name__ if error else ran.result)
print(error or "")
"""


@pytest.fixture
def machine(tmp_path: Path):
    """A separate home, an index of two wheels of which both are installed, and an account on the embedded Lambda."""
    index, site = tmp_path / "index", tmp_path / "site-packages"
    for name, version in (("parcel", "1.4.2"), ("weights", "0.3.1")):
        make_wheel(index, name, version, code=f"HERE = __file__\nVERSION = {version!r}\n")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(site)]
        subprocess.run([*command, "--upgrade", str(next(index.glob(f"{name}-*.whl")))], check=True, timeout=60)
    with LocalServer.start() as server:
        # The embedded Lambda's processes have what this machine has, but not what only the notebook's path leads to.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBDAMAGIC", "AWS"))}
        environment |= server.connection.environment()
        environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(site), "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
        environment |= {"PIP_FIND_LINKS": str(index), "UV_FIND_LINKS": str(index), "UV_CACHE_DIR": str(tmp_path / "uv")}
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"):
            environment.pop(name, None)
        yield environment, server


def test_from_within_the_notebook(machine, tmp_path: Path) -> None:
    """`%lambda deploy` puts in what the session has imported; the next cell runs there, with it."""
    environment, _ = machine
    folder = tmp_path / "work"
    folder.mkdir()
    code = _CELL.format(cell="import parcel\nimport json") + "".join(
        f"ran = shell.run_cell({cell!r})\nprint(ran.error_before_exec or ran.error_in_exec or repr(ran.result))\n"
        for cell in ("%lambda deploy noted", "%%lambda --target aws\nimport parcel\n'ran with ' + parcel.VERSION")
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, **_AS_TEXT)
    assert done.returncode == 0, done.stderr
    assert "noted is deployed" in done.stdout, done.stdout + done.stderr
    assert "parcel 1.4.2 imported here" in " ".join(done.stdout.split())
    assert "'ran with 1.4.2'" in done.stdout


def _lambdamagic(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lambdamagic")
    done = subprocess.run(
        [str(program), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def _cell(environment: dict[str, str], folder: Path, cell: str) -> str:
    command = [sys.executable, "-c", _CELL.format(cell=cell)]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_notebooks_packages_are_included_and_missing_ones_listed(machine, tmp_path: Path) -> None:
    """What it imports is there, in the version of here; a later import is reported, and the command in the message
    fixes it."""
    environment, server = machine
    from lambdamagic.local.testing.faults import Faults

    folder = tmp_path / "work"
    folder.mkdir()
    cells = [{"cell_type": "code", "source": "import parcel", "metadata": {}, "outputs": [], "execution_count": None}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "a.ipynb").write_text(json.dumps(notebook))
    said = _lambdamagic(environment, folder, "deploy", "travels", "--from-notebook", "a.ipynb")
    assert "imported: parcel 1.4.2" in said.stderr
    assert "parcel==1.4.2" in said.stdout
    found = _cell(environment, folder, "%%lambda\nimport parcel\nparcel.VERSION, parcel.HERE")
    assert "('1.4.2', '" in found and "/layer-" in found, found
    before = sum(Faults(server.connection).stats()["results"].values())
    refused = _cell(environment, folder, "%%lambda\nimport weights\nweights.VERSION")
    assert refused.startswith("ParityError"), refused
    assert "weights (here 0.3.1) is missing" in refused
    assert sum(Faults(server.connection).stats()["results"].values()) == before
    mend = refused.split("`")[1]
    assert mend == "lambdamagic deploy travels --add 'weights==0.3.1'"
    _lambdamagic(environment, folder, "deploy", "travels", "--add", "weights==0.3.1")
    assert _cell(environment, folder, "%%lambda\nimport weights, parcel\nweights.VERSION").endswith(
        "'0.3.1'\n0.3.1\n\n"
    )
