"""A real registry on 127.0.0.1 that asks for a password, and one that stands for ECR."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "AWS", "secret"
_BCRYPT = "$2b$04$qjjg.Za5/ZNY5ZQ2lM3czuzxi.XwYuy5CbgGkXcl9.uJLKjVcUccO"
#: What the embedded ECR's GetAuthorizationToken gives.
ECR_PASSWORD = "123456789012-auth-token"
_ECR_BCRYPT = "$2b$04$abcdefghijklmnopqrstuu/cMn6kFoLFEf9ShbIPSVtJoiKQtizZG"
_DEADLINE_S = 20.0


@contextmanager
def registry(folder: Path, *, certificate: Path | None = None) -> Iterator[str]:
    """Run Debian's docker-registry; give its address.

    Args:
        folder: Where it keeps what it has.
        certificate: With its key in the same file: it has TLS then, and takes ECR's password.
    """
    program = shutil.which("docker-registry")
    assert program is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT if certificate is None else _ECR_BCRYPT}\n")
    http: dict[str, object] = {"addr": address}
    if certificate is not None:
        http["tls"] = {"certificate": str(certificate), "key": str(certificate)}
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "store")}},
        "http": http,
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(configuration))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
        try:
            _wait_until_it_answers(address, process, certificate)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def ask(address: str, path: str, *, password: str, certificate: Path | None = None) -> tuple[str, bytes]:
    """Return the digest and the body that the registry gives."""
    scheme, context = ("http", None) if certificate is None else ("https", _trusting(certificate))
    request = urllib.request.Request(
        f"{scheme}://{address}/v2/{path}",
        headers={
            "Accept": "application/vnd.docker.distribution.manifest.v2+json",
            "Authorization": "Basic " + b64encode(f"{USER}:{password}".encode()).decode(),
        },
    )
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return answer.headers.get("Docker-Content-Digest", ""), answer.read()


def _trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False  # it is asked here by its address
    return context


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes], certificate: Path | None) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask(address, "", password="none", certificate=certificate)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                return
        except OSError:
            time.sleep(0.05)  # it listens in a moment
    raise RuntimeError(f"the registry did not start (status {process.poll()})")
