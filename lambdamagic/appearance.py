"""The sign and colors of each state, and the status line of notebooks. Shared by all views."""

from __future__ import annotations

import re
from html import escape

#: A sign for each state, since many people cannot distinguish colors.
SIGNS = {
    **dict.fromkeys(("pending", "queued", "starting"), "…"),
    "running": "▶",
    "done": "✓",
    "failed": "✗",
    "partly": "!",
    "cancelled": "■",
}
#: Of edges and bars: the page's own colors where it has variables for them, else some of middle lightness. None can be
#: read as text on white and on every dark ground alike (VS Code, GitHub, exported pages).
COLORS = {
    **dict.fromkeys(("pending", "queued", "starting", "running"), "var(--jp-brand-color1,#2c7be0)"),
    "done": "var(--jp-success-color1,#338a3e)",
    "failed": "var(--jp-error-color1,#dc3b33)",
    "partly": "var(--jp-warn-color1,#c77700)",
    "cancelled": "var(--jp-ui-font-color2,#767676)",
}
_GROUNDS = {
    **dict.fromkeys(("pending", "queued", "starting", "running"), "#1f66c2"),
    "done": "#2a7434",
    "failed": "#b92c25",
    "partly": "#8a5300",
    "cancelled": "#5f6368",
}
#: The style of a line next to a colored edge.
LINE = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;margin:2px 0;"
    "padding:3px 10px;border-left:3px solid {color};color:var(--jp-ui-font-color1,inherit);overflow-wrap:anywhere"
)
#: The classes of all our HTML: pages that set mathematics (MathJax 3 and 2) leave what is in dollar signs as it is.
AS_TEXT = "mathjax_ignore tex2jax_ignore"
MONO = "font-family:var(--jp-code-font-family,ui-monospace,monospace)"


def state_at_end(state: str, *, done: int, failed: int) -> str:
    """Return how a job ended: one that continued although tasks failed is `partly` done, if any was."""
    if state != "done" or not failed:
        return state
    return "partly" if done else "failed"


def state_word(state: str, *, failed: int, count: int | None) -> str:
    """Return the word for a state; a partly done job says how many tasks failed."""
    if state != "partly":
        return state
    return f"{failed:,} of {count:,} failed" if count is not None else f"{failed:,} failed"


def html_state(state: str, word: str = "") -> str:
    """Return a state's sign and word on a separate ground, so that it is read on any page."""
    ground = _GROUNDS.get(state, _GROUNDS["running"])
    style = f"flex:none;padding:0 7px 1px;border-radius:9px;font-weight:600;color:#fff;background:{ground}"
    return f'<span style="{style}">{SIGNS.get(state, "?")} {escape(word or state)}</span>'


def html_line(label: str, state: str, detail: str) -> str:
    """Return a line that a notebook shows: what it is, its state in sign, word and color, and what else is known."""
    color = COLORS.get(state, COLORS["running"])
    more = f' <span style="opacity:.75">{escape(detail)}</span>' if detail else ""
    named = f'<span style="{MONO};font-weight:600">λ {escape(label)}</span>'
    return f'<div class="{AS_TEXT}" style="{LINE.format(color=color)}">{named} {html_state(state)}{more}</div>'


#: What does more than show text; colors are kept (SGR, "ECMA-48"), as they end with the line. Bidirectional controls
#: (Unicode UAX 9) change the order in which the rest of the line is read, and no lone surrogate can be written.
_CONTROLS = re.compile("\x1b\\[[0-9;:]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return foreign text without control sequences that would act on a terminal, such as set its title."""
    shown = _CONTROLS.sub(lambda found: found[0] if found[0].startswith("\x1b[") else _name(found[0]), text)
    return f"{shown}\x1b[0m" if "\x1b[" in shown and not shown.endswith("\x1b[0m") else shown


def _name(control: str) -> str:
    return {"\x1b": "\N{SYMBOL FOR ESCAPE}", "\r": ""}.get(control, "\N{REPLACEMENT CHARACTER}")
