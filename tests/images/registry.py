"""A real registry on 127.0.0.1 that asks for a password."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "AWS", "secret"
_BCRYPT = "$2b$04$qjjg.Za5/ZNY5ZQ2lM3czuzxi.XwYuy5CbgGkXcl9.uJLKjVcUccO"
_DEADLINE_S = 20.0


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry; give its address."""
    program = shutil.which("docker-registry")
    assert program is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "store")}},
        "http": {"addr": address},
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(configuration))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
        try:
            _wait_until_it_answers(address, process)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=5)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                return
        except OSError:
            time.sleep(0.05)  # it listens in a moment
    raise RuntimeError(f"the registry did not start (status {process.poll()})")
