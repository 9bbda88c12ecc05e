"""How a notebook shows figures, as data: cells on Lambda show them so too."""

from __future__ import annotations

import functools
from typing import Any

_RETINA: Any = ("image/png", "retina_figure", {})
_JPEG: Any = ("image/jpeg", "print_figure", {"fmt": "jpg"})
#: As `IPython.core.pylabtools.select_figure_formats` has them.
_INLINE_FORMATS: dict[str, Any] = {
    "png": ("image/png", "print_figure", {"fmt": "png"}),
    "retina": _RETINA,
    "png2x": _RETINA,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "svg": ("image/svg+xml", "print_figure", {"fmt": "svg"}),
    "pdf": ("application/pdf", "print_figure", {"fmt": "pdf"}),
}


#: As the inline backend shows figures.
DEFAULT = {"image/png": ("print_figure", {"fmt": "png", "bbox_inches": "tight"})}
#: In the function: how the notebook shows figures. It holds until the next cell: some are drawn when a cell has ended.
sent: list[dict[str, Any]] = []


def take(modules: Any) -> dict[str, Any]:
    """Return how the notebook shows figures: by MIME type IPython's function and its options.

    The shell's formatters have that from the first figure on, and before it `%config InlineBackend` alone, which the
    backend reads when it is made: `figure_format` over `figure_formats`, whichever came first.
    """
    if sent:
        return sent[0]
    kept = modules.modules.get("IPython.core.interactiveshell")
    shell = None if kept is None else kept.InteractiveShell._instance
    if shell is None:
        return {}
    found = {}
    drawn = modules.modules.get("matplotlib.figure")
    for mime, formatter in shell.display_formatter.formatters.items():
        printer: Any = None if drawn is None else formatter.type_printers.get(drawn.Figure)
        if isinstance(printer, functools.partial):
            options = {key: value for key, value in printer.keywords.items() if key != "base64"}
            found[mime] = printer.func.__name__, options
    if not found and any(type(each).__name__ == "InlineBackend" for each in shell.configurables):
        return {"": ("", {})}  # `figure_formats = []`: in none at all
    if not found:
        config = shell.config.get("InlineBackend", {})
        single = config.get("figure_format")
        for fmt in [single] if single else config.get("figure_formats", ["png"]):
            mime, name, options = _INLINE_FORMATS[fmt]
            found[mime] = name, {**options, **config.get("print_figure_kwargs", {"bbox_inches": "tight"})}
    return {} if found == DEFAULT else found
