"""The Pythons of this machine: this one, and others by their version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def python_here() -> str:
    """Return this Python's version as Lambda names it, such as `3.12`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def find_python(runtime: str) -> str | None:
    """Return the path of an installed Python of a runtime's version, real and not a pyenv shim."""
    minor = runtime.removeprefix("python")
    if minor == python_here():
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [str(path / "bin" / runtime) for path in sorted(pyenv.glob(f"{minor}*"), reverse=True)]
    on_path = shutil.which(runtime)
    if on_path is not None:
        candidates.insert(0, on_path)
    for candidate in candidates:
        try:
            answer = subprocess.run(
                [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"],
                capture_output=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue  # not a usable Python
        version, _, executable = answer.stdout.decode(errors="replace").strip().partition(" ")
        if answer.returncode == 0 and version == minor:
            return executable
    return None
