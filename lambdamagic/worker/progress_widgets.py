"""Progress bars that are widgets, as those of `tqdm.notebook`: shown as text, which follows the widget's state."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

_WIDTH = 10
#: tqdm writes it where a page would join spaces.
_FIGURE_SPACE = "\u2007"


class ProgressWidget:
    """A widget that holds a progress bar, and texts around it.

    Args:
        widget: The widget.
    """

    def __init__(self, widget: Any) -> None:
        self._widget = widget

    @classmethod
    def of(cls, view: Any) -> ProgressWidget | None:
        """Return the one that a widget's MIME content shows; None where that is anything else.

        Args:
            view: The content of the widget's MIME type.
        """
        module = sys.modules.get("ipywidgets.widgets.widget")
        known = getattr(module, "_instances", {})
        widget = known.get(view.get("model_id")) if isinstance(view, dict) else None
        return cls(widget) if any(_is_bar(leaf) for leaf in _leaves(widget)) else None

    def follow(self, changed: Callable[[], None]) -> None:
        """Have something called whenever the bar moves."""
        for leaf in _leaves(self._widget):
            leaf.observe(lambda change: changed(), names="value")

    def text(self) -> str:
        """Return what it shows now; empty when it was closed."""
        if self._widget.comm is None:
            return ""
        return "".join(map(_text, _leaves(self._widget)))


def _leaves(widget: Any) -> Iterator[Any]:
    children = getattr(widget, "children", ())
    if not children and widget is not None:
        yield widget
    for child in children:
        yield from _leaves(child)


def _is_bar(widget: Any) -> bool:
    return "Progress" in type(widget).__name__ and hasattr(widget, "max")


def _text(widget: Any) -> str:
    if not _is_bar(widget):
        text = html.unescape(re.sub(r"<[^>]*>", "", str(getattr(widget, "value", ""))))
        return text.replace(_FIGURE_SPACE, " ")
    share = (widget.value - widget.min) / ((widget.max - widget.min) or 1)
    return f"|{'█' * round(_WIDTH * share):{_WIDTH}}|"
