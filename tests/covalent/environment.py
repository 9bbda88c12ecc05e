"""A virtual environment with Covalent, kept in the cache folder, and its server in a separate home.

`python -m tests.covalent.environment` makes the environment (some 10 s with a warm package cache, 370 MB); with it
there, nothing happens. Covalent has no place next to our own test tools: it caps what they need.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from tests import environments
from tests.environments import ROOT, CannotBeMadeError, run
from tests.images.base import cache_folder

#: A fresh install takes a FastAPI with which every dispatch fails: 0.131 works, 0.132 and later do not.
_COVALENT = ("covalent==0.240.0", "fastapi<0.132")
_NEWEST_PYTHON = (3, 12)  # Covalent 0.240's
_FOREIGN = ("XDG_", "COVALENT", "PYTHON")
_START_TIMEOUT_S = 120

_MIGRATE = """
from covalent_dispatcher._db.datastore import workflow_db
workflow_db.run_migrations(logging_enabled=False)
"""


def _interpreter() -> str:
    if sys.version_info[:2] <= _NEWEST_PYTHON:
        return sys.executable
    for name in ("python3.12", "python3.11"):
        if (found := shutil.which(name)) is not None:
            return found
    raise CannotBeMadeError("Covalent needs Python 3.11 or 3.12, and there is none")


def make(folder: Path) -> Path:
    """Return the environment's Python; the environment is made at first use.

    Raises:
        CannotBeMadeError: There is no fitting Python, or the packages cannot be installed.
    """

    def migrate(python: Path, path: Path) -> None:
        # Covalent's migrations take 5 s of processor time; a copy of the empty database takes none.
        run([str(python), "-c", _MIGRATE], HOME=str(path / "home"), COVALENT_DATABASE=str(path / "empty.sqlite"))

    return environments.make(
        folder, "covalent", _interpreter(), [*_COVALENT, *environments.our_dependencies()], migrate
    )


def free_port() -> int:
    """Return a port that is free now; Covalent's server must be given one."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class CovalentHome:
    """A home with Covalent's server and this checkout of lambdamagic, as `pip install` would have it.

    Args:
        python: The environment's Python.
        home: An empty folder.
        package: A folder that has lambdamagic's metadata, by which Covalent finds the executors.
    """

    def __init__(self, python: Path, home: Path, package: Path) -> None:
        self.python, self.home = python, home
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
            "HOME": str(home),
            "PYTHONPATH": f"{ROOT}:{package}",
            "COVALENT_SVC_PORT": str(self.port),
            "COVALENT_DISABLE_DASK": "1",
            "COVALENT_DATABASE": str(home / "dispatcher.sqlite"),
        }
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(python.parents[1] / "empty.sqlite", home / "dispatcher.sqlite")
        self._server: subprocess.Popen[bytes] | None = None
        self._driver: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server, as `covalent start --no-cluster` does, and the driver next to it."""
        self.start_server()
        self._driver = subprocess.Popen(
            [str(self.python), "-m", "tests.covalent.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environ,
            cwd=self.home,
        )
        self.wait_for_server()

    def start_server(self) -> None:
        """Start the server only."""
        command = [str(self.python), "app.py", "--no-cluster", "--port", str(self.port)]
        folder = self.python.parents[1] / "lib" / self._version() / "site-packages" / "covalent_ui"
        with (self.home / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                command, cwd=folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def _version(self) -> str:
        return next(each.name for each in (self.python.parents[1] / "lib").iterdir() if each.name.startswith("python"))

    def wait_for_server(self) -> None:
        """Wait until the server answers."""
        assert self._server is not None
        until = time.monotonic() + _START_TIMEOUT_S
        while True:
            assert self._server.poll() is None, (self.home / "server.log").read_text()[-3000:]
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return
            except OSError:
                assert time.monotonic() < until, "Covalent's server does not answer"
                time.sleep(0.1)

    def stop_server(self, *, kill: bool = False) -> None:
        """Stop the server, as `covalent stop` does, or kill it with all that it has started but the embedded Lambda."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL if kill else signal.SIGINT)
        self._server.wait(60)

    def run(self, source: str) -> Any:
        """Run a program in Covalent's environment and return what it binds to `answer`, which JSON must carry.

        Raises:
            AssertionError: It raised; carries the traceback.
        """
        assert self._driver is not None and self._driver.stdin is not None and self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(source) + "\n")
        self._driver.stdin.flush()
        line = self._driver.stdout.readline()
        assert line, "the driver has ended"
        found = json.loads(line)
        assert "error" not in found, found["error"]
        return found["answer"]

    def close(self) -> None:
        """End both processes."""
        if self._driver is not None:
            assert self._driver.stdin is not None and self._driver.stdout is not None
            self._driver.stdin.close()
            self._driver.wait(60)
            self._driver.stdout.close()
        if self._server is not None:
            if self._server.poll() is None:
                self.stop_server()
            with contextlib.suppress(ProcessLookupError):  # processes of Covalent's local executor outlive it
                os.killpg(self._server.pid, signal.SIGKILL)


if __name__ == "__main__":
    try:
        make(cache_folder())
    except CannotBeMadeError as reason:
        print(f"the tests with Covalent will be skipped, and fail in CI: {reason}")
