"""The `lambdamagic` command."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from lambdamagic import __version__
from lambdamagic.cli.local import local
from lambdamagic.errors import LambdaMagicError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lambdamagic")
def commands() -> None:
    """Run notebook code on AWS Lambda as if it ran in the kernel."""


commands.add_command(local)


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def config(as_json: bool) -> None:
    """Show the settings in force, and where each comes from."""
    from lambdamagic.config import load_settings

    rows = list(load_settings().rows())
    if as_json:
        click.echo(json.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}, indent=2))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, origin in rows:
        click.echo(f"{name:<{width}}  {'' if value is None else value}  ({origin})")


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; errors of ours are one message and exit status 1."""
    try:
        return commands.main(arguments, prog_name="lambdamagic")
    except LambdaMagicError as error:
        click.echo(f"lambdamagic: {error}", err=True)
        sys.exit(1)
