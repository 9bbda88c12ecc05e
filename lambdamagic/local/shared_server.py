"""One instance that outlives the process that starts it, for several notebooks or a terminal next to them.

Its connection, secret included, is in a file that only this user may read.
"""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from lambdamagic.errors import LocalServerError
from lambdamagic.local.local_server import (
    STOP_TIMEOUT_S,
    LocalConnection,
    connection_from_json,
    connection_to_json,
    launch,
    signed_request,
)
from lambdamagic.local.server.file_lock import locked
from lambdamagic.local.server.server_options import (
    DEFAULT_REGION,
    ServerOptions,
    default_concurrency,
    strict_by_environment,
)

_POLL_S = 0.02
_CHEAP_QUESTION = "/2016-08-19/account-settings"  # GetAccountSettings


@dataclass(frozen=True)
class SharedStatus:
    """What is known of the shared instance.

    Attributes:
        is_running: Whether it answers.
        connection: How to reach it; None when there is none.
        file: Where its connection is kept.
    """

    is_running: bool
    connection: LocalConnection | None
    file: Path


@dataclass(frozen=True)
class MachineUsage:
    """What an instance uses of this machine: files in its folder, and the resident memory of all its processes."""

    disk_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class SharedStart:
    """A shared instance that runs, and whether this call started it."""

    connection: LocalConnection
    was_running: bool


def start_shared(
    *,
    folder: Path | None = None,
    port: int = 0,
    concurrency: int | None = None,
    region: str = DEFAULT_REGION,
    strict: bool | None = None,
    startup_timeout_s: float = 60.0,
) -> SharedStart:
    """Start the shared instance, or return the one that runs.

    Args:
        folder: Where the connection file is kept; by default the user's runtime folder.
        port: A port on 127.0.0.1; 0 takes a free one.
        concurrency: Invocations that may run at once.
        region: The region whose functions it runs.
        strict: See `ServerOptions`; by default what the environment says.
        startup_timeout_s: How long to wait for it to listen.

    Raises:
        LocalServerError: It could not start.
    """
    file = _connection_file(folder)
    with _locked(file, startup_timeout_s + STOP_TIMEOUT_S):
        status = _status(file)
        if status.is_running and status.connection is not None:
            return SharedStart(status.connection, was_running=True)
        options = ServerOptions(
            port=port,
            concurrency=default_concurrency() if concurrency is None else concurrency,
            region=region,
            strict=strict_by_environment() if strict is None else strict,
            detached=True,
        )
        process, stderr, connection = launch(options, startup_timeout_s=startup_timeout_s)
        _write_private(file, connection_to_json(connection))
        # It continues without us: no pipe of ours is its life, and only init collects its exit status.
        for pipe in (process.stdin, process.stdout, stderr):
            if pipe is not None:
                pipe.close()
        process.returncode = 0  # for Popen's destructor: there is nothing to wait for
        return SharedStart(connection, was_running=False)


def stop_shared(*, folder: Path | None = None, lock_timeout_s: float = 60.0) -> bool:
    """End the shared instance; return whether there was one. Bounded.

    Args:
        folder: Where the connection file is kept; by default the user's runtime folder.
        lock_timeout_s: How long to wait for another process that is starting or stopping it.

    Raises:
        LocalServerError: It would not end, or another process is at it.
    """
    file = _connection_file(folder)
    with _locked(file, lock_timeout_s):
        status = _status(file)
        if status.connection is None:
            return False
        if status.is_running:
            pid = status.connection.pid
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while _is_there(pid) or status.connection.folder.exists():
                if time.monotonic() > deadline:
                    raise LocalServerError(
                        f"the shared embedded Lambda (pid {pid}) does not end", hint="Kill that process"
                    )
                time.sleep(_POLL_S)  # it is not our child, so it cannot be waited for
        file.unlink(missing_ok=True)
        return status.is_running


def shared_status(*, folder: Path | None = None) -> SharedStatus:
    """Return whether the shared instance runs, and how to reach it."""
    return _status(_connection_file(folder))


def usage(connection: LocalConnection) -> MachineUsage:
    """Return what a running instance uses; what goes away meanwhile is not counted."""
    disk = memory = 0
    for folder, _, names in os.walk(connection.folder):
        for name in names:
            with suppress(OSError):
                disk += (Path(folder) / name).lstat().st_size
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(connection.pid)
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss
    return MachineUsage(disk, memory)


def _status(file: Path) -> SharedStatus:
    try:
        connection = connection_from_json(file.read_text())
    except FileNotFoundError:
        return SharedStatus(False, None, file)
    except (ValueError, TypeError, KeyError) as error:
        raise LocalServerError(f"{file} does not hold a connection: {error}", hint=f"Delete {file}") from error
    return SharedStatus(_answers(connection), connection, file)


def _answers(connection: LocalConnection) -> bool:
    """Return whether the instance that is meant answers: by its key, since another may have its port by now."""
    try:
        signed_request(connection, "GET", _CHEAP_QUESTION)
    except (OSError, LocalServerError):
        return False
    return True


def _is_there(pid: int) -> bool:
    try:
        reaped, _ = os.waitpid(pid, os.WNOHANG)  # when this very process had started it
        if reaped == pid:
            return False
    except ChildProcessError:
        pass  # another process's child
    try:
        # A container's first process may never collect it: a zombie has ended all the same.
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _connection_file(folder: Path | None) -> Path:
    if folder is None:
        import platformdirs

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set, as in containers, is not an error
            folder = Path(platformdirs.user_runtime_dir("lambdamagic"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "local.json"


def _write_private(file: Path, text: str) -> None:
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    partial.rename(file)


@contextmanager
def _locked(file: Path, bound_s: float) -> Iterator[None]:
    """Let one process at a time start or stop the instance.

    Raises:
        LocalServerError: Another has held the lock for all of `bound_s`.
    """
    path = file.with_suffix(".lock")
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, within_s=bound_s))
        except TimeoutError:
            raise LocalServerError(
                f"another process has been starting or stopping the shared embedded Lambda for {bound_s:.0f} s",
                hint=f"Wait for it, or end it: it holds {path}",
            ) from None
        yield
