"""`lambdamagic local start|stop|status`: an embedded Lambda that outlives the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lambdamagic.local.launcher import LocalConnection


@click.group()
def local() -> None:
    """The embedded Lambda: a server on this machine that speaks AWS's APIs.

    Notebooks start one of their own; this is for other programs, such as the AWS CLI.
    """


def _describe(connection: LocalConnection, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"pid": connection.pid, **connection.environment()})
    lines = [f"export {name}={value}" for name, value in connection.environment().items()]
    return "\n".join([f"# the embedded Lambda runs at {connection.endpoint_url} (pid {connection.pid})", *lines])


@local.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Invocations that may run at once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def start(port: int, concurrency: int | None, as_json: bool) -> None:
    """Start it, or find the one that runs; print the environment that leads any AWS SDK to it."""
    from lambdamagic.local.shared import start_shared

    started = start_shared(port=port, concurrency=concurrency)
    if started.was_running and not as_json:
        click.echo("# it was running already", err=True)
    click.echo(_describe(started.connection, as_json=as_json))


@local.command()
def stop() -> None:
    """Stop it."""
    from lambdamagic.local.shared import stop_shared

    click.echo("stopped" if stop_shared() else "it was not running")


@local.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Say whether it runs; exit status 3 when it does not."""
    from lambdamagic.local.shared import shared_status

    found = shared_status()
    if found.connection is None or not found.is_running:
        click.echo(json.dumps({"pid": None}) if as_json else "it is not running")
        raise click.exceptions.Exit(3)
    click.echo(_describe(found.connection, as_json=as_json))
