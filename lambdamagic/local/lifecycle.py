"""The life of the server process: it listens, serves, and ends cleanly whoever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local.environments.processes import Processes
from lambdamagic.local.instance import HOST, Server
from lambdamagic.local.server.connection_bounds import ConnectionBounds, raise_descriptor_limit
from lambdamagic.local.server.folders import make_folder
from lambdamagic.local.server.http_server import HttpConnection
from lambdamagic.local.server.owner import OwnerWatch
from lambdamagic.local.server.server_options import CLOSE_TIMEOUT_S, DEFAULT_ACCOUNT_ID, ServerOptions

Announce = Callable[[dict[str, Any]], None]


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1.

    Raises:
        LocalServerError: The port is taken or may not be used.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise LocalServerError(
            f"port {port} on {HOST} cannot be used: {getattr(error, 'strerror', None) or error}",
            hint="Choose another port, or 0 for any free one",
        ) from error
    return listener


async def serve(options: ServerOptions, *, owner_fd: int | None, announce: Announce) -> None:
    """Run an instance until its owner is gone, a signal comes, or its keeper dies.

    Args:
        options: How it behaves.
        owner_fd: A pipe whose end says that the owner is gone.
        announce: Called with the facts of the instance as soon as it listens.

    Raises:
        LocalServerError: It cannot start.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    listener = listen(options.port)
    try:
        folder, lock = make_folder(options.folder)
    except LocalServerError:
        listener.close()
        raise
    # moto spools large objects to the temporary folder; this one goes when the instance goes.
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    processes = await Processes.start(folder, lock, on_lost=ended.set)
    port: int = listener.getsockname()[1]
    raise_descriptor_limit()
    bounds = ConnectionBounds(loop.time)
    server = Server(options, folder, processes, port, bounds=bounds)
    sweeping = loop.create_task(bounds.keep_sweeping())
    http_server = await loop.create_server(
        lambda: HttpConnection(server.handle, body_limit=server.body_limit, bounds=bounds, answers_half_closed=True),
        sock=listener,
    )
    watch = OwnerWatch(ended.set)
    try:
        if owner_fd is not None:
            watch.watch_pipe(owner_fd)
        if options.owner_pid is not None:
            watch.watch_pid(options.owner_pid)
        announce(
            {
                "endpoint_url": f"http://{HOST}:{port}",
                "folder": str(folder),
                "pid": os.getpid(),
                "account_id": DEFAULT_ACCOUNT_ID,
            }
        )
        server.start()
        await ended.wait()
    finally:
        watch.close()
        sweeping.cancel()
        http_server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await server.close()
        await processes.close(CLOSE_TIMEOUT_S)


def clean_environment() -> None:
    """Remove what would steer botocore or moto from outside: the user's AWS settings are not for this process."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MOTO_", "S3_")):
            del os.environ[name]
    # moto reads some of its settings when it is imported.
    os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "embedded"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"


def run(options: ServerOptions, *, owner_fd: int | None, announce: Announce) -> None:
    """Run an instance in this process, to its end.

    Raises:
        LocalServerError: It cannot start.
    """
    clean_environment()
    work = serve(options, owner_fd=owner_fd, announce=announce)
    if sys.platform == "win32":
        raise LocalServerError("the embedded Lambda needs Linux or macOS")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
    # moto's threads may be in the middle of a request whose client has gone.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
