"""A matplotlib backend without a window: figures become PNGs in the cell, as the kernel's inline backend shows them.

Chosen by `MPLBACKEND=module://lambdamagic.worker.inline_figures`; nothing here is imported unless matplotlib is.
Notebooks recognize the kernel's backend by `'inline' in matplotlib.get_backend()`, which holds for this one too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lambdamagic.worker import displays


class FigureManager(FigureManagerBase):
    """Shows its figure in the notebook instead of in a window."""

    def show(self) -> None:
        """Show this figure now and close it."""
        show()


class FigureCanvas(FigureCanvasAgg):  # type: ignore[misc]  # matplotlib is not checked against
    """An Agg canvas."""

    manager_class = FigureManager


def show_after(value: Any) -> None:
    """Show all open figures below a value: drawing moves labels, and the kernel shows where they were before."""
    texts = list(_texts_in(value))
    places = [(text, text._x, text._y, text._text) for text in texts]
    show()
    for text, x, y, words in places:
        text._x, text._y, text._text = x, y, words


def _texts_in(value: Any, depth: int = 0) -> Iterator[Any]:
    if isinstance(value, Text):
        yield value
    elif isinstance(value, list | tuple) and depth < _MOST_DEPTH:
        for each in value:
            yield from _texts_in(each, depth + 1)


_MOST_DEPTH = 3


def show(*args: Any, **kwargs: Any) -> None:
    """Show all open figures in the cell and close them, as the inline backend does."""
    for manager in Gcf.get_all_fig_managers():
        if displays.on_figure is not None:
            displays.on_figure(manager.canvas.figure)
    Gcf.destroy_all()
