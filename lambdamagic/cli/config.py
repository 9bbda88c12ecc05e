"""`lambdamagic config`: the settings in force."""

from __future__ import annotations

import click

from lambdamagic.cli.app import App, examples, with_common_options


@click.command(epilog=examples("lambdamagic config"))
@with_common_options
def config(app: App) -> None:
    """Show the current settings and the origin of each."""
    rows = list(app.settings().rows())
    if app.out.as_json:
        app.out.document({name: {"value": value, "origin": origin} for name, value, origin in rows})
        return
    shown = [(name, "" if value is None else str(value), origin) for name, value, origin in rows]
    app.out.table(("setting", "value", "from"), shown)
