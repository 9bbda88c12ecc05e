"""Rich representations, made where the object lives.

The notebook shows what comes back by its own formatters. This is for what is displayed while the code runs, and for a
value that cannot come back.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

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
    except Exception:  # noqa: BLE001  # IPython too goes on to the next representation
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
    except Exception:  # noqa: BLE001  # IPython too goes on to the next representation
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
    return base64.b64encode(png(value)).decode("ascii")


def png(figure: Any) -> bytes:
    """Return a figure of matplotlib's as PNG, cut to its content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def make_display(outputs: Outputs) -> Callable[..., None]:
    """Return what `display` is for captured code."""

    def display(*objects: Any, metadata: dict[str, Any] | None = None, raw: bool = False, **_: Any) -> None:
        """Show objects in the notebook cell that this code came from."""
        for value in objects:
            data, extra = (dict(value), {}) if raw else mime_bundle(value)
            outputs.display(data, {**extra, **(metadata or {})})

    return display
