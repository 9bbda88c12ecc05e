"""A command's output: results on standard output, messages on standard error; as text, or as one JSON document.

rich is imported when something is printed with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.appearance import printable

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Prints for one command.

    Attributes:
        as_json: Whether the result is one JSON document. Whoever prints a result gives both forms.
    """

    def __init__(self) -> None:
        self.as_json = False

    def document(self, value: Any) -> None:
        """Print the JSON document that is the command's result; dates become ISO texts."""
        click.echo(json.dumps(value, indent=2, default=_plain))

    def text(self, line: str = "") -> None:
        """Print a line of the result as it stands."""
        click.echo(printable(line))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", empty: str = "nothing"
    ) -> None:
        """Print a table; a column whose name ends in `>` stands at the right.

        In a terminal it fits the window; into a pipe nothing is cut off.
        """
        from rich.table import Table
        from rich.text import Text

        listed = [*rows]
        if not listed:
            self.note(empty)
            return
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            is_number = column.endswith(">")
            table.add_column(column.rstrip(">"), justify="right" if is_number else "left", overflow="fold")
        for row in listed:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._console(sys.stdout).print(table)

    def note(self, line: str) -> None:
        """Print a line of text, in addition to the result; nothing with `--json`."""
        if not self.as_json:
            click.echo(printable(line), err=True)

    def usage(self, error: click.ClickException) -> None:
        """Print what is wrong with the command line."""
        if self.as_json:
            self._error("UsageError", error.format_message(), None, error.exit_code)
        else:
            error.show()

    def problem(self, kind: str, message: str, *, status: int, hint: str | None = None) -> None:
        """Print an error on standard error."""
        if self.as_json:
            self._error(kind, message, hint, status)
            return
        click.echo(click.style("lambdamagic: ", fg="red", bold=True) + printable(message), err=True)
        if hint:
            click.echo(click.style("  -> ", fg="cyan") + printable(hint), err=True)

    def _error(self, kind: str, message: str, hint: str | None, status: int) -> None:
        error = {"kind": kind, "message": message, "hint": hint, "exit_status": status}
        click.echo(json.dumps({"error": error}, indent=2), err=True)

    def _console(self, stream: Any) -> Console:
        from rich.console import Console

        # Into a pipe or a file rich would break lines at 80 characters; a program needs them whole.
        return Console(file=stream, highlight=False, width=None if stream.isatty() else 400, soft_wrap=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
