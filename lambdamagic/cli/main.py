"""The group of all commands, and the one place where an error becomes a message and an exit status."""

from __future__ import annotations

import functools
import sys
import warnings
from importlib import import_module
from typing import Any

import click

from lambdamagic import __version__
from lambdamagic.cli.app import App, with_common_options
from lambdamagic.cli.commands import COMMANDS, SECTIONS
from lambdamagic.cli.exits import DECLINED, EXIT_HELP, INTERRUPTED, exit_code
from lambdamagic.errors import LambdaMagicError
from lambdamagic.limits import LimitWarning


class Commands(click.Group):
    """A group that imports a command when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = getattr(import_module(entry.module), entry.attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if near and "id you mean" not in error.message:  # newer releases of click say it themselves
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by sections, without importing any."""
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the exit statuses mean."""
        with formatter.section("Exit status"):
            formatter.write_dl([(str(code), text) for code, text in EXIT_HELP.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="lambdamagic")
@with_common_options
def commands(app: App) -> None:
    """Run notebook code on AWS Lambda as if it ran in the kernel."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command given, and end the process with its exit status.

    Our errors are one message with a hint on standard error; with `--json` they are a JSON document there.
    """
    app = App()
    # Looked for here too, since a mistaken command line ends before its options are taken.
    app.out.as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    warnings.showwarning = functools.partial(_show_warning, app)
    try:
        result: Any = commands.main(arguments, prog_name="lambdamagic", obj=app, standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except click.exceptions.Abort as error:
        if isinstance(error.__context__, EOFError):  # no terminal to answer
            status = DECLINED
            app.out.problem("Declined", "no terminal to ask for confirmation", hint="Confirm with --yes", status=status)
        else:
            status = INTERRUPTED
            app.out.problem("Interrupted", "interrupted", status=status)
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        status = error.exit_code
        app.out.usage(error)
    except LambdaMagicError as error:
        status = exit_code(error)
        app.out.problem(type(error).__name__, error.message, hint=error.hint, status=status)
    except BrokenPipeError:
        status = _closed_pipe()
    sys.exit(status)


def _show_warning(app: App, message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print a warning of lambdamagic as a line of text; its place in our code does not help users."""
    if issubclass(category, LimitWarning):
        app.out.note(f"lambdamagic: {message}")
    else:
        sys.stderr.write(warnings.formatwarning(message, category, *where[:3]))


def _closed_pipe() -> int:
    """Print nothing more: the reader of our output has closed the pipe, as `head` does."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141  # what a shell reports of a program that SIGPIPE ended
