"""Libraries that ask for the front end, formats of figures, and handlers of loggers: as in the kernel."""

from __future__ import annotations

import sys
import textwrap

import pytest


def _shown(ran):
    """What a cell showed, with the text of its displays and the length of pictures."""
    kinds = ("display_data", "execute_result")
    return [(kind, content["data"], content["metadata"]) for kind, content in ran.messages if kind in kinds]


@pytest.mark.parametrize(
    "body",
    [
        "from rich.table import Table\nfrom rich.console import Console\nt = Table('a', title='t')\n"
        "t.add_row('[red]1')\nConsole().print(t)",
        "from rich import print\nprint({'a': [1, 2]}, '[bold]x')",
    ],
    ids=["a table of rich", "rich's print"],
)
def test_libraries_that_ask_for_the_front_end(kernel, body):
    """They show the same as in the kernel, also in the first cell of an environment, which has not loaded IPython."""
    plain = _shown(kernel.run(body))
    assert plain
    assert _shown(kernel.run(f"%%lambda --quiet\n{body}")) == plain


_DRAW = "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, 3])"


@pytest.mark.parametrize(
    ("choice", "back"),
    [
        ("%config InlineBackend.figure_formats = ['png', 'jpeg']", "%config InlineBackend.figure_formats = ['png']"),
        (
            "from matplotlib_inline.backend_inline import set_matplotlib_formats\nset_matplotlib_formats('retina')",
            "set_matplotlib_formats('png')",
        ),
        (
            "%config InlineBackend.print_figure_kwargs = {'bbox_inches': None, 'facecolor': 'red'}",
            "%config InlineBackend.print_figure_kwargs = {'bbox_inches': 'tight'}",
        ),
        (
            "%config InlineBackend.figure_format = 'retina'\n%config InlineBackend.figure_formats = {'jpeg'}",
            "%config InlineBackend.figure_format = 'png'",
        ),
        ("%config InlineBackend.figure_formats = []", "%config InlineBackend.figure_formats = ['png']"),
    ],
    ids=["two formats", "a sharp one", "options", "the last of two choices", "none"],
)
def test_figures_have_the_format_that_the_notebook_has_chosen(kernel, choice, back):
    """Those that a cell shows itself and those that are open at its end; the next choice holds for the next cell."""
    body = f"{_DRAW}\nplt.show()\n{_DRAW}"
    kernel.run(_DRAW)
    first = _shown(kernel.run(body))
    kernel.run(choice)
    plain = _shown(kernel.run(body))
    assert plain != first
    assert _shown(kernel.run(f"%%lambda --quiet\n{body}")) == plain
    kernel.run(back)
    assert _shown(kernel.run(f"%%lambda --quiet\n{body}")) == first


def test_code_that_asks_for_the_inline_backend(kernel):
    """As tutorials do, before they show the current figure in a loop: the answer is the kernel's."""
    body = (
        "import matplotlib, matplotlib.pyplot as plt\nfrom IPython import display\n"
        "if 'inline' in matplotlib.get_backend():\n"
        "    plt.plot([1, 2])\n    display.display(plt.gcf())\n    plt.close()"
    )
    plain = _shown(kernel.run(body))
    assert len(plain) == 1
    assert _shown(kernel.run(f"%%lambda --quiet\n{body}")) == plain


@pytest.mark.parametrize(
    "choice",
    [
        "%config InlineBackend.figure_formats = ['svg']",
        "%config InlineBackend.figure_format = 'svg'\n%config InlineBackend.figure_formats = ['jpeg']",
    ],
    ids=["formats", "a format"],
)
@pytest.mark.parametrize("is_imported", [True, False], ids=["imported", "not imported"])
def test_a_choice_before_the_first_figure(notebook, monkeypatch, choice, is_imported):
    """The kernel takes it at its first figure, `figure_format` first; so does a cell, also the only one with pyplot."""
    notebook.ok(f"{choice}\nimport matplotlib.pyplot")
    if not is_imported:
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, name)
    body = f"def draw():\n{textwrap.indent(_DRAW, '    ')}\n    plt.show()\ndraw()"
    try:
        (shown,) = notebook.remote(body).displays
    finally:
        notebook.shell.config.pop("InlineBackend")
    assert "image/svg+xml" in shown and not {"image/png", "image/jpeg"} & set(shown)


def test_a_handler_of_the_notebook_stays_when_a_cell_sets_another_logger(kernel):
    """The root's handler is the same object, with its format, and cells use it as before."""
    kernel.run("import logging\nlogging.basicConfig(level=20, format='%(levelname)s: %(message)s', force=True)")
    kernel.run("handler = logging.root.handlers[0]")
    try:
        kernel.run("%%lambda\nlogging.getLogger('mine').setLevel(10)")
        ran = kernel.run("logging.info('here')\nlogging.root.handlers == [handler], logging.getLogger('mine').level")
        assert (ran.value, ran.stream("stderr")) == ("(True, 10)", "INFO: here\n")
        assert kernel.run("%%lambda\nlogging.info('there')").stream("stderr") == "INFO: there\n"
    finally:
        kernel.run("logging.root.handlers.remove(handler)\nlogging.root.setLevel(30)")
