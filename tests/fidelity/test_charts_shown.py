"""Charts of plotly and altair, shown by their own `show` or as a cell's value, are displayed as in the kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest

_PLOTLY = "application/vnd.plotly.v1+json"
#: Each display of a chart has other ids.
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")

_CELLS = {
    "plotly, made and shown": ("import plotly.graph_objects as go", "go.Figure(go.Bar(x=[1, 2], y=[3, 4])).show()"),
    "plotly, captured and shown": (
        "import plotly.express as px\nfigure = px.line(x=[1, 2], y=[3, 4])",
        "figure.update_layout(title='A title')\nfigure.show()",
    ),
    "plotly, the last value": ("import plotly.graph_objects as go", "go.Figure(go.Bar(x=[1, 2], y=[3, 4]))"),
    "altair, made and shown": (
        "import altair as alt",
        "alt.Chart(alt.Data(values=[{'a': 1, 'b': 2}])).mark_bar().encode(x='a:Q').show()",
    ),
    "altair, the last value": (
        "import altair as alt",
        "alt.Chart(alt.Data(values=[{'a': 1, 'b': 2}])).mark_bar().encode(x='a:Q')",
    ),
}


def _shown(notebook: Any, set_up: str, cell: str) -> list[Any]:
    """Return the MIME types that a cell shows, with what they hold where the order of keys is no matter of chance."""
    notebook.reset()
    notebook.ok(set_up)
    ran = notebook.ok(cell)
    bundles = [*ran.displays, *([ran.out] if ran.out else [])]
    return [
        {
            kind: data if kind == _PLOTLY else _PLOTLY in bundle or _ID.sub("id", str(data))
            for kind, data in bundle.items()
        }
        for bundle in bundles
    ]


@pytest.mark.parametrize("title", _CELLS)
def test_a_chart(notebook: Any, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundles are the kernel's."""
    set_up, cell = _CELLS[title]
    if title.startswith("plotly"):
        import plotly.io  # this test's shell is not ipykernel's, for which plotly has this choice

        monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    plain = _shown(notebook, set_up, cell)
    assert plain and any("text/html" in bundle or _PLOTLY in bundle for bundle in plain)
    assert _shown(notebook, set_up, f"%%lambda\n{cell}") == plain
