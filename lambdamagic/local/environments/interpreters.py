"""Which Python runs a function: the server's own for its own version, a prepared one for the others.

With the server's own interpreter the function has what the notebook has installed. For another version a
virtual environment with AWS's runtime client and the two picklers is made once and kept in the user's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lambdamagic.errors import LocalServerError
from lambdamagic.local.server.error_bodies import AwsError

OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
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
    """Return the error for a runtime that cannot be had here (Invoke's InvalidRuntimeException is a 502)."""
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
        if not runtime or runtime == f"python{OWN_VERSION}":
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
                with _locked(folder.with_name(f"{folder.name}.lock"), deadline):
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


def find_python(runtime: str) -> str | None:
    """Return the path of an installed Python of a runtime's version, real and not a pyenv shim."""
    minor = runtime.removeprefix("python")
    if minor == OWN_VERSION:
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


def _build(base: str, folder: Path, pins: list[str], deadline: float) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    python = str(folder / "bin" / "python")
    for command in (
        [base, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins],
    ):
        left_s = max(1.0, deadline - time.monotonic())
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=left_s)


@contextmanager
def _locked(path: Path, deadline: float) -> Iterator[None]:
    """Hold a lock that other servers of this user honour, waiting for it until the deadline."""
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError("another process has been making it for too long") from None
                time.sleep(0.1)  # flock has no timeout; the other process installs packages for seconds
        yield


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
