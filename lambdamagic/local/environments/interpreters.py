"""The Python of a function: the server's own for its version, a prepared one for the others.

With the server's own interpreter the function has what the notebook has installed. For another version a
virtual environment with AWS's runtime client and the two picklers is made once and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lambdamagic.errors import LocalServerError
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.file_lock import locked
from lambdamagic.pythons import find_python, python_here

BUILD_TIMEOUT_S = 180.0
_RUNTIME = re.compile(r"^python3\.(\d+)$")
_REQUIREMENTS = ("awslambdaric", "dill", "cloudpickle")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can run `-m awslambdaric`.

    Attributes:
        executable: Its path.
        version: Its full version, for the log.
        is_own: Whether it is the server's own, with the notebook's packages.
    """

    executable: str
    version: str
    is_own: bool


def unsupported(runtime: str, why: str) -> AwsError:
    """Return the error for a runtime that is not available here (Invoke's InvalidRuntimeException is a 502)."""
    text = f"The runtime {runtime} is not available to the embedded Lambda: {why}"
    return AwsError(502, "InvalidRuntimeException", text)


class Interpreters:
    """Finds and makes interpreters; blocking, safe in several threads and processes."""

    def __init__(self, cache_folder: Path | None = None) -> None:
        self._cache_folder = cache_folder
        self._known: dict[str, Interpreter] = {}

    def for_runtime(self, runtime: str) -> Interpreter:
        """Return the interpreter of a runtime such as `python3.12`; "" is the server's own (images).

        Raises:
            AwsError: There is no such Python here, or its environment could not be made in time.
        """
        known = self._known.get(runtime)
        if known is not None:
            return known
        match = _RUNTIME.match(runtime)
        if runtime and match is None:
            raise unsupported(runtime, "only Python runtimes (python3.x) are")
        if not runtime or runtime == f"python{python_here()}":
            found = Interpreter(sys.executable, sys.version.split()[0], True)
        else:
            found = self._prepared(runtime)
        self._known[runtime] = found
        return found

    def _prepared(self, runtime: str) -> Interpreter:
        base = find_python(runtime)
        if base is None:
            raise unsupported(runtime, f"no {runtime} is on PATH or among pyenv's versions; install one")
        # The same versions of the picklers as here, so that both ends read each other's bytes.
        pins = [f"{name}=={metadata.version(name)}" for name in _REQUIREMENTS]
        digest = hashlib.sha256("\n".join([base, *pins]).encode()).hexdigest()[:12]
        folder = self._folder() / f"{runtime}-{digest}"
        executable = folder / "bin" / "python"
        ready = folder / "ready"
        if not ready.exists():
            deadline = time.monotonic() + BUILD_TIMEOUT_S
            try:
                with locked(folder.with_name(f"{folder.name}.lock"), within_s=BUILD_TIMEOUT_S):
                    if not ready.exists():
                        shutil.rmtree(folder, ignore_errors=True)
                        _build(base, folder, pins, deadline)
                        ready.touch()
            except (OSError, TimeoutError, subprocess.SubprocessError) as error:
                output = getattr(error, "stderr", None) or b""
                detail = output.decode(errors="replace").strip()[-500:]
                raise unsupported(runtime, f"its environment could not be made: {error} {detail}") from error
        version = subprocess.run(
            [executable, "-c", "import sys; print(sys.version.split()[0])"],
            capture_output=True,
            check=True,
            timeout=20,
        )
        return Interpreter(str(executable), version.stdout.decode().strip(), False)

    def _folder(self) -> Path:
        if self._cache_folder is None:
            import platformdirs

            self._cache_folder = Path(platformdirs.user_cache_dir("lambdamagic")) / "runtimes"
        self._cache_folder.mkdir(parents=True, exist_ok=True)
        return self._cache_folder


def _build(base: str, folder: Path, pins: list[str], deadline: float) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    python = str(folder / "bin" / "python")
    for command in (
        [base, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins],
    ):
        left_s = max(1.0, deadline - time.monotonic())
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=left_s)


def package_folder(instance_folder: Path) -> Path:
    """Return a folder that holds this package alone, for interpreters that have not installed it.

    Raises:
        LocalServerError: The folder could not be written.
    """
    import lambdamagic

    folder = instance_folder / "lib"
    try:
        folder.mkdir(exist_ok=True)
        link = folder / "lambdamagic"
        if not link.exists():
            link.symlink_to(Path(lambdamagic.__file__).parent, target_is_directory=True)
    except OSError as error:
        raise LocalServerError(f"the instance's folder cannot be written: {error}") from error
    return folder
