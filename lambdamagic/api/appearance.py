"""How jobs, futures and results that will come show themselves at the end of a cell: plain, and as HTML."""

from __future__ import annotations

from concurrent.futures import Future
from html import escape
from typing import TypeVar

_T = TypeVar("_T")

_SIGNS = {"pending": "…", "running": "▶", "done": "✓", "failed": "✗", "cancelled": "■"}
# Of middle lightness where the page has no variables of its own: read on white and on black alike.
_COLOURS = {
    "done": "var(--jp-success-color1,#338a3e)",
    "failed": "var(--jp-error-color1,#dc3b33)",
    "cancelled": "var(--jp-ui-font-color2,#767676)",
}
_BLUE = "var(--jp-brand-color1,#2c7be0)"
_LINE = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;margin:2px 0;"
    "padding:3px 10px;border-left:3px solid {colour};color:var(--jp-ui-font-color1,inherit);overflow-wrap:anywhere"
)
_MONO = "font-family:var(--jp-code-font-family,ui-monospace,monospace)"


def html_line(label: str, state: str, told: str) -> str:
    """Return a line that a notebook shows: what it is, its state in sign, word and colour, and what else is known."""
    colour = _COLOURS.get(state, _BLUE)
    more = f' <span style="opacity:.75">{escape(told)}</span>' if told else ""
    return (
        f'<div style="{_LINE.format(colour=colour)}"><span style="{_MONO};font-weight:600">λ {escape(label)}</span> '
        f'<span style="color:{colour};font-weight:600">{_SIGNS.get(state, "?")} {escape(state)}</span>{more}</div>'
    )


def outcome_told(value: object, error: BaseException | None) -> str:
    """Return the kind of an outcome in words; values themselves may be of any size."""
    return f"raised {type(error).__name__}" if error is not None else f"returned {type(value).__name__}"


class CallFuture(Future[_T]):
    """The future of one call: a `concurrent.futures.Future` that shows what it stands for.

    Args:
        label: The callable's name, for a person.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label

    def _seen(self) -> tuple[str, str]:
        # `done` is final: what is asked after it cannot wait.
        if not self.done():
            return ("running" if self.running() else "pending"), ""
        if self.cancelled():
            return "cancelled", ""
        error = self.exception()
        return ("done" if error is None else "failed"), outcome_told(None if error else self.result(), error)

    def __repr__(self) -> str:
        state, told = self._seen()
        return f"<Future of {self._label}: {state}{f', {told}' if told else ''}>"

    def _repr_html_(self) -> str:
        return html_line(self._label, *self._seen())
