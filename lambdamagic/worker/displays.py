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
import struct
import sys
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import figure_settings, rebuild
from lambdamagic.worker.recorder import Outputs

#: Set for the time of a run: shows a matplotlib figure in the cell. It is here and not in `inline_figures`, which
#: imports matplotlib, because it must be set before the user's code first calls `plt.show()`.
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
        if type(value).__name__ == "Figure" and type(value).__module__.startswith("matplotlib."):
            figures, extra = figure_bundle(value)
            data = {**figures, **data}
            metadata.update(extra)
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


def figure_bundle(figure: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a figure of matplotlib's in the formats in which the notebook shows figures, and their metadata.

    There is none of one on which nothing is drawn: IPython too shows its text only.
    """
    data, metadata = {}, {}
    for mime in figure_formats():
        found = figure_as(mime, figure)
        if isinstance(found, tuple):
            found, metadata[mime] = found
        if found is not None:
            data[mime] = found
    return data, metadata


def figure_formats() -> dict[str, Any]:
    """Return how the notebook shows figures; see `figure_settings`."""
    sent = figure_settings.sent
    return (sent[0] if sent else {}) or figure_settings.DEFAULT


def figure_as(mime: str, figure: Any) -> Any:
    """Return a figure in one format, as `IPython.core.pylabtools` draws it; None for what is not shown so."""
    name, options = figure_formats().get(mime, ("", {}))
    if not name or not (figure.axes or figure.lines):
        return None
    is_retina = name == "retina_figure" or options.get("fmt") == "retina"
    fmt = "png" if is_retina else options.get("fmt", "png")
    drawing = {
        "facecolor": figure.get_facecolor(),
        "edgecolor": figure.get_edgecolor(),
        "bbox_inches": "tight",
        **{key: value for key, value in options.items() if key != "fmt"},
        "dpi": options.get("dpi", figure.dpi * (2 if is_retina else 1)),
    }
    buffer = io.BytesIO()
    figure.canvas.print_figure(buffer, format=fmt, **drawing)
    drawn = buffer.getvalue()
    if fmt == "svg":
        return drawn.decode()
    encoded = base64.b64encode(drawn).decode("ascii")
    if not is_retina:
        return encoded
    width, height = struct.unpack(">II", drawn[16:24])  # a PNG's first chunk begins with these
    return encoded, {"width": width // 2, "height": height // 2}


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
