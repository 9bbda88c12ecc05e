"""Starts an instance of the embedded Lambda as a child process, and ends it. What a client imports.

Nothing here is heavy: no moto, no event loop, no boto3.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local.server.server_options import (
    CLOSE_TIMEOUT_S,
    DEFAULT_REGION,
    ServerOptions,
    default_concurrency,
    strict_by_environment,
)

STOP_TIMEOUT_S = 2 * CLOSE_TIMEOUT_S + 5.0  # more than the server takes for its work, its keeper and the way out
_DEATH_LINES = 15


@dataclass(frozen=True)
class LocalConnection:
    """How to reach a running instance.

    Attributes:
        endpoint_url: For boto3's `endpoint_url`, all services.
        access_key_id: The instance's own random key.
        secret_access_key: Its secret.
        region: The region whose functions it runs.
        account_id: The account that its ARNs name.
        pid: The server's process id.
        folder: The instance's folder, removed when it ends.
    """

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    account_id: str
    pid: int
    folder: Path

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which any AWS SDK or CLI talks to this instance."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }


class LocalServer:
    """A running instance that ends with this process, at `stop()`, or at the end of a `with` block.

    Thread-safe. `stop()` may be called any number of times.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes], connection: LocalConnection) -> None:
        self.connection = connection
        self._process = process
        self._stderr = stderr
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _end, process, stderr)

    @classmethod
    def start(
        cls,
        *,
        owner_pid: int | None = None,
        port: int = 0,
        concurrency: int | None = None,
        folder: Path | None = None,
        startup_timeout_s: float = 60.0,
        region: str = DEFAULT_REGION,
        idle_expiry_s: float = 300.0,
        init_timeout_s: float = 10.0,
        time_factor: float = 1.0,
        image_command: tuple[str, ...] = (),
        strict: bool | None = None,
    ) -> LocalServer:
        """Start an instance and return when it listens.

        Args:
            owner_pid: The process with which it ends; this process by default.
            port: A port on 127.0.0.1; 0 takes a free one.
            concurrency: Invocations that may run at once; by default 4 a core and at least 10.
            folder: Where it makes its own folder; by default the system's temporary folder.
            startup_timeout_s: How long to wait for it to listen.
            region: The region whose functions it runs.
            idle_expiry_s: After how long an unused execution environment is ended.
            init_timeout_s: How long INIT may take before the environment is started over.
            time_factor: Multiplies the waits of asynchronous retries and the maximum event age.
            image_command: The command that runs a function of package type Image; see `ServerOptions`.
            strict: Whether it is as hard as AWS; by default what the environment says.

        Raises:
            LocalServerError: It could not start; nothing is left behind.
        """
        options = ServerOptions(
            owner_pid=os.getpid() if owner_pid is None else owner_pid,
            port=port,
            concurrency=default_concurrency() if concurrency is None else concurrency,
            folder=None if folder is None else str(folder),
            region=region,
            idle_expiry_s=idle_expiry_s,
            init_timeout_s=init_timeout_s,
            time_factor=time_factor,
            image_command=image_command,
            strict=strict_by_environment() if strict is None else strict,
        )
        process, stderr, connection = launch(options, startup_timeout_s=startup_timeout_s)
        return cls(process, stderr, connection)

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_alive(self) -> bool:
        """Return whether the server's process runs."""
        return self._process.poll() is None

    def has_ended(self, *, within_s: float) -> bool:
        """Return whether the server's process has ended, waiting for that a while."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End the instance and everything that it started; bounded, and a second call does nothing."""
        with self._lock:
            self._finalizer()

    def describe_death(self) -> str:
        """Return why the server is gone, as far as it said: its exit status and its last lines."""
        status = self._process.poll()
        if status is None:
            return "the embedded Lambda is running"
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        lines = _last_lines(self._stderr)
        return f"the embedded Lambda (pid {self._process.pid}) {how}" + (f":\n{lines}" if lines else "")


def launch(
    options: ServerOptions, *, startup_timeout_s: float
) -> tuple[subprocess.Popen[bytes], IO[bytes], LocalConnection]:
    """Start a server process and return it when it listens, with its standard error and its connection.

    Raises:
        LocalServerError: It could not start; nothing is left behind.
    """
    if not 0 <= options.port <= 65535 or options.concurrency < 1:
        raise LocalServerError(f"port {options.port} or concurrency {options.concurrency} is out of range")
    # A file that has no name: it needs no reader thread and leaves nothing behind.
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the instance
    process = subprocess.Popen(
        # -P: a file of the user's next to the notebook, say random.py, is not for the server.
        [sys.executable, "-P", "-m", "lambdamagic.local", "--child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,  # a Ctrl-C in the owner's terminal is not for the server
        env=_child_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # Credentials are sent through the pipe: argv and environ can be seen by others.
        process.stdin.write(options.to_json().encode() + b"\n")
        process.stdin.flush()
        ready = _read_line(process.stdout, startup_timeout_s)
    except BrokenPipeError:
        ready = b""
    except BaseException:
        _end(process, stderr)
        raise
    if not ready:
        status = process.poll()
        _end(process, stderr, keep_stderr=True)
        detail = _last_lines(stderr)
        stderr.close()
        if status is None:
            detail = f"it did not listen within {startup_timeout_s:.0f} s. {detail}"
        raise LocalServerError(f"the embedded Lambda did not start: {detail or f'status {status}'}")
    facts: dict[str, Any] = json.loads(ready)
    if "error" in facts:
        _end(process, stderr)
        raise LocalServerError(facts["error"], hint=facts.get("hint"))
    connection = LocalConnection(
        endpoint_url=facts["endpoint_url"],
        access_key_id=options.access_key_id,
        secret_access_key=options.secret_access_key,
        region=options.region,
        account_id=facts["account_id"],
        pid=facts["pid"],
        folder=Path(facts["folder"]),
    )
    return process, stderr, connection


def signed_request(
    connection: LocalConnection, method: str, path: str, body: Any = None, *, timeout_s: float = 30
) -> bytes:
    """Return what the instance answers to a request of its owner's, for what no client of AWS's knows.

    Raises:
        LocalServerError: It answers an error.
        OSError: It does not answer.
    """
    import http.client
    from urllib.parse import urlsplit

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    data = b"" if body is None else json.dumps(body).encode()
    request = AWSRequest(method=method, url=connection.endpoint_url + path, data=data)
    credentials = Credentials(connection.access_key_id, connection.secret_access_key)
    SigV4Auth(credentials, "lambda", connection.region).add_auth(request)
    channel = http.client.HTTPConnection(urlsplit(connection.endpoint_url).netloc, timeout=timeout_s)
    try:
        channel.request(method, path, body=data, headers=dict(request.headers.items()))
        response = channel.getresponse()
        content = response.read()
    finally:
        channel.close()
    if response.status != 200:
        raise LocalServerError(f"the embedded Lambda answered {response.status}: {content.decode()}")
    return content


def connection_to_json(connection: LocalConnection) -> str:
    """Return a connection as JSON, secret included: for a file that only this user may read."""
    return json.dumps({**dataclasses.asdict(connection), "folder": str(connection.folder)})


def connection_from_json(text: str) -> LocalConnection:
    """Rebuild a connection from `connection_to_json`."""
    values = json.loads(text)
    return LocalConnection(**{**values, "folder": Path(values["folder"])})


def _child_environment() -> dict[str, str]:
    # Neither the user's AWS settings nor "warnings are errors" are meant for the server.
    unwanted = ("AWS_", "MOTO_", "PYTHONWARNINGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    # `-m lambdamagic.local` must find this very package, also when only this process's sys.path leads to it.
    parent = str(Path(__file__).parents[2])
    inherited = environment.get("PYTHONPATH")
    if "site-packages" not in parent and parent not in (inherited or "").split(os.pathsep):
        environment["PYTHONPATH"] = f"{inherited}{os.pathsep}{parent}" if inherited else parent
    return environment


def _read_line(pipe: IO[bytes], timeout_s: float) -> bytes:
    """Return the first line of a pipe, or b"" when it ends or the time is up."""
    deadline = time.monotonic() + timeout_s
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return b""
        data = os.read(pipe.fileno(), 65536)
        if not data:
            return b""
        line += data
    return line


def _end(process: subprocess.Popen[bytes], stderr: IO[bytes], *, keep_stderr: bool = False) -> None:
    """Close the pipe, which the server takes as its owner's end, and wait; kill it when it will not go."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has gone already
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its keeper cleans up after it
        process.wait()
    process.stdout.close()
    if not keep_stderr:
        # Kept open, it would be reported as a leak; its last lines are of no use after a wanted end.
        stderr.close()


def _last_lines(stderr: IO[bytes]) -> str:
    if stderr.closed:
        return ""
    stderr.flush()
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-_DEATH_LINES:])
