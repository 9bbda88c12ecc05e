"""Rich representations, made where the object lives.

The notebook shows what comes back by its own formatters. This is for what is displayed while the code runs, and for a
value that cannot come back.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import rebuild
from lambdamagic.worker.recorder import Outputs

#: Set for the time of a run: shows a matplotlib figure in the cell. It is here and not in `figures`, which imports
#: matplotlib, because it must be set before the user's code first calls `plt.show()`.
on_figure: Callable[[Any], None] | None = None

# IPython's display protocol ("Integrating your objects with IPython").
_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
    "_repr_pdf_": "application/pdf",
}


def mime_bundle(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the representations of an object and their metadata; at least `text/plain`."""
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if not isinstance(value, type):
        _from_bundle_method(value, data, metadata)
        for method, mime in _METHODS.items():
            if mime not in data:
                _from_method(value, method, mime, data, metadata)
        figure = _figure_png(value)
        if figure is not None:
            data.setdefault("image/png", figure)
    if "text/plain" not in data:
        data["text/plain"] = _plain(value)
    return data, metadata


def _plain(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  # the user's __repr__ may raise anything
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}: {error}>"


def _from_bundle_method(value: Any, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    method = getattr(value, "_repr_mimebundle_", None)
    if not callable(method):
        return
    try:
        found = method(include=None, exclude=None)
    except Exception:  # noqa: BLE001  # IPython too continues to the next representation
        return
    if isinstance(found, tuple):
        found, extra = found
        metadata.update(extra)
    for mime, content in (found or {}).items():
        data[mime] = _encoded(content)


def _from_method(value: Any, method: str, mime: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    try:
        call = getattr(value, method, None)
        found = call() if callable(call) else None
    except Exception:  # noqa: BLE001  # IPython too continues to the next representation
        return
    if isinstance(found, tuple) and len(found) == 2:
        found, metadata[mime] = found
    if found is not None:
        data[mime] = _encoded(found)


def _encoded(content: Any) -> Any:
    return base64.b64encode(content).decode("ascii") if isinstance(content, bytes) else content


def _figure_png(value: Any) -> str | None:
    cls = type(value)
    if cls.__name__ != "Figure" or not cls.__module__.startswith("matplotlib."):
        return None
    drawn = png_of_drawn(value)
    return None if drawn is None else base64.b64encode(drawn).decode("ascii")


def png_of_drawn(figure: Any) -> bytes | None:
    """Return a figure as PNG; None for one on which nothing is drawn, of which IPython too shows the text only."""
    return png(figure) if figure.axes or figure.lines else None


def png(figure: Any) -> bytes:
    """Return a figure of matplotlib's as PNG, cut to its content."""
    buffer = io.BytesIO()
    figure.canvas.print_figure(  # as IPython: not by the settings of `savefig`
        buffer,
        format="png",
        dpi=figure.dpi,
        facecolor=figure.get_facecolor(),
        edgecolor=figure.get_edgecolor(),
        bbox_inches="tight",
    )
    return buffer.getvalue()


class DisplayHandle:
    """What `display(..., display_id=True)` returns where there is no IPython."""

    def __init__(self, display_id: str, show: Callable[..., Any]) -> None:
        self.display_id, self._show = display_id, show

    def display(self, obj: Any, **kwargs: Any) -> None:
        """Show something more under this id."""
        self._show(obj, display_id=self.display_id, **kwargs)

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Show something in place of what was shown."""
        self._show(obj, display_id=self.display_id, update=True, **kwargs)

    def __reduce__(self) -> Any:
        return rebuild.display_handle, (self.display_id,)


def make_display(outputs: Outputs) -> Callable[..., Any]:
    """Return what `display` is for captured code: IPython's as soon as something has imported that, else our own."""

    def display(
        *objects: Any,
        metadata: dict[str, Any] | None = None,
        raw: bool = False,
        display_id: Any = None,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        clear: bool = False,
        **options: Any,
    ) -> Any:
        """Show objects in the notebook cell that this code came from."""
        real = sys.modules.get("IPython.core.display_functions")
        if real is None and any(map(_is_laid_out_by_ipython, objects)):
            with contextlib.suppress(ImportError):
                real = importlib.import_module("IPython.core.display_functions")
        if real is not None:
            options.update(metadata=metadata, raw=raw, display_id=display_id, transient=transient, clear=clear)
            return real.display(*objects, **options, **({"update": True} if update else {}))
        if clear:
            outputs.clear(wait=True)
        if display_id is True:
            display_id = os.urandom(16).hex()
        transient = {**(transient or {}), **({"display_id": display_id} if display_id else {})}
        for value in objects:
            if not raw and not isinstance(value, type) and callable(getattr(value, "_ipython_display_", None)):
                value._ipython_display_()
                continue
            data, extra = (dict(value), {}) if raw else mime_bundle(value)
            outputs.display(data, {**extra, **(metadata or {})}, transient=transient, update=update)
        return DisplayHandle(display_id, display) if display_id else None

    return display


def _is_laid_out_by_ipython(value: Any) -> bool:
    """Whether IPython shows an object's text otherwise than `repr`: over several lines, or as the object says."""
    return isinstance(value, list | tuple | dict | set | frozenset) or hasattr(type(value), "_repr_pretty_")
