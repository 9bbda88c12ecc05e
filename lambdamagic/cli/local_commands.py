"""`lambdamagic local start|stop|status`: an embedded Lambda that outlives the command."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import MISSING

if TYPE_CHECKING:
    from lambdamagic.local.local_server import LocalConnection
    from lambdamagic.local.shared_server import MachineUsage


@click.group()
def local() -> None:
    """The embedded Lambda: a server on this machine with AWS's APIs.

    Notebooks start a separate one; this is for other programs, such as the AWS CLI.
    """


def _show(app: App, connection: LocalConnection, used: MachineUsage | None = None) -> None:
    if app.out.as_json:
        usage = {} if used is None else dataclasses.asdict(used)
        app.out.document({"pid": connection.pid, **usage, **connection.environment()})
        return
    app.out.text(f"# the embedded Lambda runs at {connection.endpoint_url} (pid {connection.pid})")
    if used is not None:
        disk, memory = used.disk_bytes / 1e6, used.memory_bytes / 1e6
        app.out.text(f"# it uses {disk:,.0f} MB of disk (in {connection.folder}) and {memory:,.0f} MB of memory")
    for name, value in connection.environment().items():
        app.out.text(f"export {name}={value}")


@local.command(epilog=examples('eval "$(lambdamagic local start)"'))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1; 0 is any free port.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="The maximum number of concurrent invocations.")
@click.option("--strict", is_flag=True, default=None, help="AWS's restrictions: only /tmp is writable, and more.")
@with_common_options
def start(app: App, port: int, concurrency: int | None, strict: bool | None) -> None:
    """Start it, or find the one that runs; print the environment that leads any AWS SDK to it."""
    from lambdamagic.local.shared_server import start_shared

    started = start_shared(port=port, concurrency=concurrency, strict=strict)
    if started.was_running:
        app.out.note("# it was already running")
    _show(app, started.connection)


@local.command(epilog=examples("lambdamagic local stop"))
@with_common_options
def stop(app: App) -> None:
    """Stop it."""
    from lambdamagic.local.shared_server import stop_shared

    was_running = stop_shared()
    if app.out.as_json:
        app.out.document({"was_running": was_running})
    else:
        app.out.text("stopped" if was_running else "it was not running")


@local.command(epilog=examples("lambdamagic local status"))
@with_common_options
def status(app: App) -> None:
    """Return whether it runs, and what it uses of this machine; exit status 3 when it does not run."""
    from lambdamagic.local.shared_server import shared_status, usage

    found = shared_status()
    if found.connection is None or not found.is_running:
        if app.out.as_json:
            app.out.document({"pid": None})
        else:
            app.out.text("it is not running")
            app.out.note("`lambdamagic local start` starts it; notebooks do not need it, they start a separate one")
        raise click.exceptions.Exit(MISSING)
    _show(app, found.connection, usage(found.connection))
