"""Tables for people: text in a terminal, HTML in a notebook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from lambdamagic.appearance import AS_TEXT

_BOX = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "color:var(--jp-ui-font-color1,inherit);margin:2px 0 4px"
)
_TABLE = "border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums;margin:4px 0 6px"
_CELL = "padding:3px 8px;text-align:{align};vertical-align:top;white-space:{space}"
_HEAD = "font-weight:600;border-bottom:1px solid var(--jp-border-color1,rgba(128,128,128,.5));background:none"
_MONO = "font-family:var(--jp-code-font-family,ui-monospace,monospace)"
_TEXT_WIDTH = 120


class Table:
    """Rows under a title.

    Args:
        title: What it shows.
        columns: Their names; one that ends in `>` is aligned to the right, one that ends in `~` may be wrapped.
        rows: The cells, as text. The first column is a name or an id: what a person would copy.
        notes: Lines below.
    """

    def __init__(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()
    ) -> None:
        self.title, self.columns, self.rows, self.notes = title, columns, rows, notes

    def __repr__(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in self.columns:
            table.add_column(
                column.rstrip(">~"),
                justify="right" if column.endswith(">") else "left",
                no_wrap=not column.endswith("~"),
                overflow="fold" if column.endswith("~") else "ellipsis",
            )
        for row in self.rows:
            table.add_row(*(_literal(cell) for cell in row))
        buffer = io.StringIO()
        # Set explicitly: in a kernel rich would show the table by itself, a second time, and write colors into it.
        console = Console(
            file=buffer,
            width=_TEXT_WIDTH,
            no_color=True,
            highlight=False,
            force_terminal=False,
            force_jupyter=False,
            legacy_windows=False,
        )
        console.print(_literal(self.title))
        if self.rows:
            console.print(table)
        for note in self.notes:
            console.print(_literal(note))
        return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())

    def _repr_html_(self) -> str:
        def cells(tag: str, row: Sequence[str]) -> str:
            return "".join(self._cell(tag, position, text) for position, text in enumerate(row))

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        head = f"<thead><tr>{cells('th', [column.rstrip('>~') for column in self.columns])}</tr></thead>"
        table = f'<table style="{_TABLE}">{head}<tbody>{body}</tbody></table>' if self.rows else ""
        notes = "".join(f'<div style="opacity:.8">{escape(note)}</div>' for note in self.notes)
        title = f'<div style="font-weight:600">{escape(self.title)}</div>'
        return f'<div class="{AS_TEXT}" style="{_BOX}">{title}{table}{notes}</div>'

    def _cell(self, tag: str, position: int, text: str) -> str:
        column = self.columns[position]
        style = _CELL.format(
            align="right" if column.endswith(">") else "left",
            space="normal;overflow-wrap:anywhere;min-width:9em" if column.endswith("~") else "nowrap",
        )
        if tag == "th":
            style += f";{_HEAD}"
        elif position == 0:
            style += f";{_MONO}"
        return f'<{tag} style="{style}">{escape(text)}</{tag}>'


def _literal(text: str) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(text)
