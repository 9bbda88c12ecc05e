"""Output and displays of a background job, as one output below its card."""

from __future__ import annotations

from html import escape
from typing import Any

from lambdamagic.appearance import AS_TEXT
from lambdamagic.widgets.text import as_seen

_MOST_CHARS = 20_000
#: What is longer may not fit into the height below, also where the page is narrow.
_LONG_LINES, _LONG_CHARS = 10, 400
_PRE = (
    "margin:2px 0;max-height:24em;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12.5px;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);background:none;color:var(--jp-ui-font-color1,inherit)"
)
#: An edge and no red text, which cannot be read on every ground.
_AT_A_RED_EDGE = "border-left:3px solid var(--jp-error-color1,#dc3b33);padding-left:8px"


def outputs_bundle(entries: list[dict[str, Any]], failure: str, value: Any) -> dict[str, str] | None:
    """Return the MIME bundle, or None if there is nothing to show.

    Args:
        entries: What the remote code printed and displayed.
        failure: The error in short; empty without one.
        value: What the cell shows; None for nothing.
    """
    html, plain = [], []
    for entry in entries:
        if "stream" in entry:
            text = _cut(as_seen(entry["text"]))
            plain.append(text)
            html.append(_pre(text, "Error output" if entry["stream"] == "stderr" else "Output"))
        elif "display" in entry:
            _add(html, plain, entry["display"])
    if failure:
        plain.append(f"✗ {failure}\n")
        html.append(_pre(f"✗ {_cut(failure)}", "Error"))
    if value is not None:
        _add(html, plain, _formatted(value))
    return {"text/html": "".join(html), "text/plain": "".join(plain)} if html else None


def _formatted(value: Any) -> dict[str, Any]:
    from IPython.core.formatters import format_display_data

    found: dict[str, Any] = format_display_data(value)[0]
    return found


def _add(html: list[str], plain: list[str], bundle: dict[str, Any]) -> None:
    text = _cut(str(bundle.get("text/plain", "")))
    plain.append(text + "\n")
    if "text/html" in bundle:
        html.append(str(bundle["text/html"]))
    elif "image/svg+xml" in bundle:
        html.append(str(bundle["image/svg+xml"]))
    elif picture := next((kind for kind in ("image/png", "image/jpeg") if kind in bundle), None):
        data = escape("".join(str(bundle[picture]).split()))
        html.append(f'<img alt="{escape(text)}" style="max-width:100%" src="data:{picture};base64,{data}">')
    else:
        html.append(_pre(text, "Result"))


def _pre(text: str, name: str) -> str:
    """Return text as it is; what may have to be scrolled is reached by keyboard too, and has a name there."""
    style = f"{_PRE};{_AT_A_RED_EDGE}" if name.startswith("Error") else _PRE
    is_long = text.count("\n") > _LONG_LINES or len(text) > _LONG_CHARS
    # A group and no region: the page would have a landmark of one name for each job.
    reached = f' tabindex="0" role="group" aria-label="{name}"' if is_long else ""
    return f'<pre class="{AS_TEXT}" style="{style}"{reached}>{escape(text)}</pre>'


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else "…" + text[-_MOST_CHARS:]
