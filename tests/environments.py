"""Virtual environments that tests need next to their own, each made once and kept in the cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_INSTALL_TIMEOUT_S = 600
_UV = str(Path(sys.executable).parent / "uv")


class CannotBeMadeError(Exception):
    """The environment cannot be made here."""


def our_dependencies() -> list[str]:
    """Return what lambdamagic itself needs."""
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])


def make(
    folder: Path,
    name: str,
    interpreter: str,
    requirements: Sequence[str],
    finish: Callable[[Path, Path], None] = lambda python, path: None,
) -> Path:
    """Return the Python of an environment, which is made at first use.

    Args:
        folder: Where environments are kept.
        name: What it is for.
        interpreter: The Python that it is made with.
        requirements: What is installed; lambdamagic itself is not, so that it serves any checkout.
        finish: Called with its Python and its path once that is installed.

    Raises:
        CannotBeMadeError: The packages cannot be installed.
    """
    mark = hashlib.sha256(json.dumps([interpreter, *requirements]).encode()).hexdigest()[:12]
    path = folder / f"{name}-{mark}"
    python, done = path / "bin" / "python", path / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be making it
        if done.exists():
            return python
        shutil.rmtree(path, ignore_errors=True)
        run([_UV, "venv", "--quiet", "--python", interpreter, str(path)])
        run([_UV, "pip", "install", "--quiet", "--python", str(python), *requirements])
        finish(python, path)
        done.touch()
    return python


def run(command: Sequence[str], **environ: str) -> None:
    """Run a command of the making.

    Raises:
        CannotBeMadeError: It failed.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
            env={**os.environ, **environ},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBeMadeError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CannotBeMadeError(f"{' '.join(command[:4])} ... failed: {done.stderr[-2000:]}")


def lambdamagic_metadata(python: Path, folder: Path) -> Path:
    """Install this checkout's metadata into a folder and return it."""
    command = [_UV, "pip", "install", "--quiet", "--no-deps"]
    run([*command, "--python", str(python), "--target", str(folder), "--editable", str(ROOT)])
    return folder
