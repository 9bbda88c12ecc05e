"""Tables as text and as HTML."""

from __future__ import annotations

import re

import pytest

from lambdamagic.magics.tables import Table
from lambdamagic.widgets.text import size

_TABLE = Table(
    "Jobs", ("job", "what~", "took>"), [("a1", "fit(<X>) [bold]", "1.0 s"), ("b2", "g", "12.0 s")], ["A <note>."]
)


def test_as_text() -> None:
    """Columns are aligned, the user's brackets are no markup, and there is no escape sequence."""
    text = repr(_TABLE)
    assert "\x1b" not in text
    assert "fit(<X>) [bold]" in text
    assert text.splitlines()[0] == "Jobs"
    assert text.splitlines()[-1] == "A <note>."
    ends = [len(line) for line in text.splitlines() if line.endswith(" s")]
    assert len(set(ends)) == 1


@pytest.mark.parametrize("columns", [76, 100, 120])
def test_as_text_it_is_as_wide_as_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut: where there is little room, words go into more lines."""
    names = ("job", "what~", "state", "tasks>", "took>", "billed>", "peak>", "where")
    label = "results.sort(key=lambda result: result.accuracy)"
    rows = [
        ("20261130-221859-cf65aa01", label, "! 1 of 2 failed", "1/2", "1 min 00 s", "at least 4.3 s", "206 MB", "local")
    ]
    monkeypatch.setenv("COLUMNS", str(columns))
    text = repr(Table("Jobs of this session", names, rows))
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text and rows[0][0] in text
    for cell in rows[0][2:]:
        assert all(word in text for word in cell.split())


def test_as_html() -> None:
    """What the user wrote is escaped; numbers stand to the right."""
    html = _TABLE._repr_html_()
    assert "fit(&lt;X&gt;) [bold]" in html
    assert "A &lt;note&gt;." in html
    assert len(re.findall(r"<tr>", html)) == 3
    assert re.search(r"<td style=\"[^\"]*text-align:right[^\"]*\">12\.0 s</td>", html)


def test_without_rows() -> None:
    """Only the title and the notes."""
    table = Table("Jobs", ("job",), [], ["No job has run."])
    assert "<table" not in table._repr_html_()
    assert repr(table).split("\n") == ["Jobs", "No job has run."]


def test_a_kernel_shows_it_once(kernel) -> None:
    """Rich, which draws the text, does not display a second table by itself in a kernel."""
    ran = kernel.run("%lambda config")
    assert [name for name, _ in ran.messages if name in ("display_data", "execute_result")] == ["execute_result"]
    assert "\x1b" not in ran.value


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5e12, "5,000.0 GB")]
)
def test_sizes(count: float, words: str) -> None:
    """1 kB is 1,000 bytes."""
    assert size(count) == words
