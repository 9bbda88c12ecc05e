"""Tables for people: text in a terminal, HTML in a notebook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape


class Table:
    """Rows under a title.

    Args:
        title: What it shows.
        columns: Their names; one that ends in `>` is aligned to the right.
        rows: The cells, as text.
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

        table = RichTable(title=self.title, title_justify="left", box=box.SIMPLE_HEAD)
        for column in self.columns:
            table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(_literal(cell) for cell in row))
        buffer = io.StringIO()
        console = Console(file=buffer, width=110, no_color=True, highlight=False)
        console.print(table)
        for note in self.notes:
            console.print(_literal(note))
        return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())

    def _repr_html_(self) -> str:
        def cells(tag: str, row: Sequence[str]) -> str:
            return "".join(
                f'<{tag} style="text-align:{"right" if column.endswith(">") else "left"}">'
                f"{escape(cell.rstrip('>') if tag == 'th' else cell)}</{tag}>"
                for column, cell in zip(self.columns, row, strict=True)
            )

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        notes = "".join(f'<div style="opacity:.8">{escape(note)}</div>' for note in self.notes)
        return (
            f'<div><div style="font-weight:600;margin-bottom:2px">{escape(self.title)}</div>'
            f"<table><thead><tr>{cells('th', self.columns)}</tr></thead><tbody>{body}</tbody></table>{notes}</div>"
        )


def _literal(text: str) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(text)


def size(size_bytes: float) -> str:
    """Return a size as people read it (1 kB = 1,000 bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:,.0f} {unit}" if unit == "B" else f"{size_bytes:,.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")
