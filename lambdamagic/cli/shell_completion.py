"""`lambdamagic completion SHELL`: completion of commands and options in a shell."""

from __future__ import annotations

import click

from lambdamagic.cli.app import App, examples, with_common_options

_HOW = {
    "bash": "lambdamagic completion bash > ~/.local/share/bash-completion/completions/lambdamagic",
    "zsh": "lambdamagic completion zsh > ~/.zfunc/_lambdamagic",
    "fish": "lambdamagic completion fish > ~/.config/fish/completions/lambdamagic.fish",
}


@click.command(epilog=examples(*_HOW.values()))
@click.argument("shell", type=click.Choice([*_HOW]))
@with_common_options
def completion(app: App, shell: str) -> None:
    """Print a script for shell completion."""
    from click.shell_completion import get_completion_class

    from lambdamagic.cli.main import commands

    found = get_completion_class(shell)
    assert found is not None
    script = found(commands, {}, "lambdamagic", "_LAMBDAMAGIC_COMPLETE").source()
    if app.out.as_json:
        app.out.document({"shell": shell, "script": script})
    else:
        app.out.text(script)
