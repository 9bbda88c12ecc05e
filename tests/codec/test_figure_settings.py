"""How a notebook shows figures, as data."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lambdamagic.codec import figure_settings
from lambdamagic.codec.figure_settings import DEFAULT, take


class _Figure:
    """What matplotlib draws."""


class InlineBackend:
    """The backend's settings, once it was made."""


def _modules(
    printers: dict[str, Any] | None = None, config: dict[str, Any] | None = None, *, has_backend: bool = False
) -> Any:
    """Return the modules of a notebook whose formatters have printers for figures."""
    formatters = {mime: SimpleNamespace(type_printers={}) for mime in ("image/png", "image/svg+xml", "text/plain")}
    for mime, printer in (printers or {}).items():
        formatters[mime].type_printers[_Figure] = printer
    shell = SimpleNamespace(
        display_formatter=SimpleNamespace(formatters=formatters),
        configurables=[object(), *([InlineBackend()] if has_backend else [])],
        config={} if config is None else {"InlineBackend": config},
    )
    return SimpleNamespace(
        modules={
            "IPython.core.interactiveshell": SimpleNamespace(InteractiveShell=SimpleNamespace(_instance=shell)),
            "matplotlib.figure": SimpleNamespace(Figure=_Figure),
        }
    )


def print_figure() -> None:
    """As IPython's function is called."""


_PNG = functools.partial(print_figure, fmt="png", bbox_inches="tight", base64=True)  # type: ignore[call-arg]
_SVG = functools.partial(print_figure, fmt="svg")  # type: ignore[call-arg]


def test_without_a_shell_there_are_no_settings() -> None:
    """Neither without IPython."""
    assert take(SimpleNamespace(modules={})) == {}
    modules = _modules()
    modules.modules["IPython.core.interactiveshell"].InteractiveShell._instance = None
    assert take(modules) == {}


def test_the_formatters_say_it() -> None:
    """By IPython's function and its options; what the backend does anyway is no setting."""
    assert take(_modules({"image/png": _PNG})) == {}
    assert take(_modules({"image/svg+xml": _SVG, "text/plain": print})) == {
        "image/svg+xml": ("print_figure", {"fmt": "svg"})
    }
    assert take(_modules({"image/png": _PNG, "image/svg+xml": _SVG}, has_backend=True)) == {
        **DEFAULT, "image/svg+xml": ("print_figure", {"fmt": "svg"})
    }  # fmt: skip


def test_figures_that_are_shown_in_no_format() -> None:
    """A backend without formats; one that has not been made shows PNG."""
    assert take(_modules(has_backend=True)) == {"": ("", {})}
    assert take(_modules()) == {}
    modules = _modules({"image/svg+xml": _SVG})
    del modules.modules["matplotlib.figure"]
    assert take(modules) == {}


_TIGHT = {"bbox_inches": "tight"}


def _written(fmt: str, **options: Any) -> tuple[str, dict[str, Any]]:
    return "print_figure", {"fmt": fmt, **options}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"figure_format": "png"}, {}),
        ({"figure_format": "svg", "figure_formats": ["png"]}, {"image/svg+xml": _written("svg", **_TIGHT)}),
        ({"figure_formats": ["pdf"]}, {"application/pdf": _written("pdf", **_TIGHT)}),
        ({"figure_formats": ["jpg"]}, {"image/jpeg": _written("jpg", **_TIGHT)}),
        ({"figure_formats": ["jpeg"]}, {"image/jpeg": _written("jpg", **_TIGHT)}),
        ({"figure_formats": ["retina"]}, {"image/png": ("retina_figure", _TIGHT)}),
        ({"figure_formats": ["png2x"]}, {"image/png": ("retina_figure", _TIGHT)}),
        (
            {"figure_formats": ["png", "svg"], "print_figure_kwargs": {"dpi": 9}},
            {"image/png": _written("png", dpi=9), "image/svg+xml": _written("svg", dpi=9)},
        ),
        ({"print_figure_kwargs": {}}, {"image/png": _written("png")}),
    ],
)  # fmt: skip
def test_before_the_first_figure_the_configuration_says_it(config: dict[str, Any], expected: dict[str, Any]) -> None:
    """`figure_format` over `figure_formats`, with the options for all."""
    assert take(_modules(config=config)) == expected


@pytest.fixture
def _sent() -> Iterator[None]:
    figure_settings.sent[:] = [{"image/png": ("retina_figure", {})}]
    yield
    figure_settings.sent.clear()


def test_the_function_has_what_was_sent(_sent: None) -> None:
    """It has no shell that could say it."""
    assert take(_modules()) == {"image/png": ("retina_figure", {})}
