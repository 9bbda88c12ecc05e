"""Tables for display: text in a terminal, HTML in a notebook."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from html import escape

from lambdamagic.appearance import AS_TEXT

_BOX = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "color:var(--jp-ui-font-color1,inherit);margin:2px 0 4px;overflow-x:auto"
)
_TABLE = "border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums;margin:4px 0 6px"
_CELL = "padding:3px 8px;text-align:{align};vertical-align:top;white-space:{space}"
_HEAD = "font-weight:600;border-bottom:1px solid var(--jp-border-color1,rgba(128,128,128,.5));background:none"
_MONO = "font-family:var(--jp-code-font-family,ui-monospace,monospace)"
#: In characters; a notebook's text has no width.
_MOST_WIDTH, _LEAST_WIDTH = 120, 60
#: How narrow a column becomes that is wrapped, and what is between two columns where there is room.
_WRAPPED_WIDTH, _GAP = 12, 3
#: Stands for the space between a sign and its word while text is wrapped; rich breaks lines at every kind of space.
_KEPT_SPACE = "\ue000"


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

        width = _text_width()
        is_narrow = self._least_width() > width
        widths = self._squeezed(width) if is_narrow else []
        if widths is None:
            return self._stacked(width)
        # Where there is too little room, all but the first column are wrapped between words, closer to each other.
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if is_narrow else 1))
        for position, column in enumerate(self.columns):
            is_wrapped = column.endswith("~") or (is_narrow and position > 0)
            table.add_column(
                column.rstrip(">~"),
                justify="right" if column.endswith(">") else "left",
                no_wrap=not is_wrapped,
                overflow="fold" if is_wrapped else "ellipsis",
                width=widths[position] if is_narrow else None,
            )
        for row in self.rows:
            table.add_row(*(_literal(_unbroken(cell)) for cell in row))
        buffer = io.StringIO()
        # Set explicitly: in a kernel rich would show the table by itself, a second time, and write colors into it.
        console = Console(
            file=buffer,
            width=width,
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
        return "\n".join(line.rstrip() for line in buffer.getvalue().replace(_KEPT_SPACE, " ").splitlines())

    def _cells(self, position: int) -> list[str]:
        return [self.columns[position].rstrip(">~"), *(_unbroken(row[position]) for row in self.rows)]

    def _squeezed(self, width: int) -> list[int] | None:
        """Return how wide each column is where they have that width together, down to its longest word; None below."""
        widths = [max(map(len, self._cells(position))) for position in range(len(self.columns))]
        least = [
            min(_WRAPPED_WIDTH, max(len(word) for cell in self._cells(position) for word in cell.split() or [""]))
            for position in range(len(widths))
        ]
        least[0] = widths[0]
        over = sum(widths) + len(widths) + 1 - width
        if over > sum(widths) - sum(least):
            return None
        for _ in range(max(0, over)):
            _, widest = max((widths[position] - least[position], position) for position in range(1, len(widths)))
            widths[widest] -= 1
        return widths

    def _stacked(self, width: int) -> str:
        """Return each row as a paragraph: its columns have no room next to each other."""
        names = [column.rstrip(">~") for column in self.columns]
        found = [self.title]
        for row in self.rows:
            facts = [f"{name} {cell}".replace(" ", _KEPT_SPACE) for name, cell in zip(names[2:], row[2:], strict=True)]
            found.append(f"\n {' '.join(row[:2])}")
            found += textwrap.wrap(" · ".join(facts), width, initial_indent="   ", subsequent_indent="   ")
        return "\n".join([*found, *(f"\n{note}" for note in self.notes)]).replace(_KEPT_SPACE, " ")

    def _least_width(self) -> int:
        """Return how wide the text is where only the columns are wrapped that may be."""
        widths = [max(map(len, self._cells(position))) for position in range(len(self.columns))]
        pairs = zip(widths, self.columns, strict=True)
        return sum(min(width, _WRAPPED_WIDTH) if column.endswith("~") else width for width, column in pairs) + (
            _GAP * len(widths)
        )

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


def _unbroken(cell: str) -> str:
    """Keep a sign such as "■" on the line of its word."""
    is_sign = cell[1:2] == " " and not cell[0].isalnum()
    return cell[0] + _KEPT_SPACE + cell[2:] if is_sign else cell


def _text_width() -> int:
    """Return the width of the terminal where there is one, or what COLUMNS says."""
    is_known = "COLUMNS" in os.environ or sys.stdout.isatty()
    columns = shutil.get_terminal_size((_MOST_WIDTH, 0)).columns if is_known else _MOST_WIDTH
    return max(_LEAST_WIDTH, min(_MOST_WIDTH, columns))


def _literal(text: str) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(text)
