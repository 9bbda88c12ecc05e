"""The last expression is `Out[n]` and is shown as the kernel shows it."""

from __future__ import annotations

import base64

import pytest

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_last_expression_is_out_n(notebook):
    """It is returned, shown, and kept in `Out` and `_`."""
    ran = notebook.remote("x = 20\nx + 1")
    assert (ran.value, ran.text) == (21, "21")
    assert notebook.ok("_ + 1").value == 22


@pytest.mark.parametrize(("body", "value"), [("21;", None), ("x = 1;", None), ("x = 21\nx;  # silent", None)])
def test_a_semicolon_silences(notebook, body, value):
    """Nothing is shown, as in the kernel."""
    ran = notebook.remote(body)
    assert (ran.value, ran.out, ran.stdout) == (value, None, "")


@pytest.mark.parametrize("body", ["None", "x = 5", "if True:\n    5", "for i in [1]:\n    i", "def f(): pass"])
def test_nothing_is_shown_without_a_last_expression(notebook, body):
    """Statements show nothing; nor does None."""
    ran = notebook.remote(body)
    assert ran.out is None
    assert ran.value is None


def test_the_hidden_name_of_the_value_does_not_show(notebook):
    """No internal name is left in the namespace."""
    before = set(notebook.names)
    notebook.remote("5")
    assert {name for name in set(notebook.names) - before if not name.startswith("_")} == set()
    assert not [name for name in notebook.names if "lambdamagic" in name]


def test_a_dataframe_is_shown_as_html(notebook):
    """The notebook's own formatters see the real object."""
    ran = notebook.remote("import pandas as pd\npd.DataFrame({'a': [1, 2]})")
    assert "<table" in ran.out["text/html"]
    assert ran.text == "   a\n0  1\n1  2"
    assert notebook.ok("_['a'].sum()").value == 3


def test_an_object_with_rich_representations(notebook):
    """`_repr_html_` of a notebook's class is called in the notebook, on its own instance."""
    notebook.ok("class Rich:\n    def _repr_html_(self): return '<b>rich</b>'\n    def __repr__(self): return 'Rich()'")
    ran = notebook.remote("Rich()")
    assert ran.out == {"text/html": "<b>rich</b>", "text/plain": "Rich()"}


def test_a_figure_is_shown_as_png(notebook):
    """Open figures are shown at the end of the cell, as the inline backend does."""
    ran = notebook.remote("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    (shown,) = ran.displays
    assert base64.b64decode(shown["image/png"]).startswith(PNG)
    assert shown["text/plain"] == "<Figure size 640x480 with 1 Axes>"


def test_several_figures_and_show(notebook):
    """`plt.show()` shows what is open there and then, in the order of the output."""
    ran = notebook.remote("""
        import matplotlib.pyplot as plt
        plt.figure(); plt.plot([1]); plt.show()
        plt.figure(figsize=(2, 2)); plt.plot([1]);
    """)
    assert [shown["text/plain"] for shown in ran.displays] == [
        "<Figure size 640x480 with 1 Axes>",
        "<Figure size 200x200 with 1 Axes>",
    ]


def test_display_shows_in_the_cell(notebook):
    """`display` works with and without an import, as in the kernel."""
    ran = notebook.remote("""
        class Rich:
            def _repr_html_(self): return '<i>x</i>'
            def __repr__(self): return 'Rich()'
        display(Rich(), 5)
        from IPython.display import display as show, HTML
        show(HTML('<b>h</b>'))
    """)
    assert ran.displays[0] == {"text/html": "<i>x</i>", "text/plain": "Rich()"}
    assert ran.displays[1] == {"text/plain": "5"}
    assert ran.displays[2]["text/html"] == "<b>h</b>"


def test_a_value_that_cannot_come_back_is_shown_all_the_same(notebook):
    """Its representation is made on Lambda."""
    ran = notebook.remote("__import__('zlib').compressobj()")
    assert ran.value is None
    (shown,) = ran.displays
    assert shown["text/plain"].startswith("<zlib.Compress object")
    assert "the shown value (Compress) stayed on Lambda" in ran.stderr


def test_the_same_object_is_shown_that_the_notebook_has(notebook):
    """`Out[n]` is the notebook's own object where the cell shows one."""
    notebook.ok("a = [1]")
    assert notebook.remote("a").value is notebook.names["a"]


def test_a_figure_that_came_back_by_name_is_a_picture(kernel):
    """Also the first figure of a notebook that has imported pyplot, and those among the results of a map."""
    code = "import matplotlib.pyplot as plt\ndef draw(n):\n    figure = plt.figure(figsize=(n, 1))\n"
    kernel.run(f"{code}    figure.add_subplot()\n    plt.close(figure)\n    return figure")
    kernel.run("%%lambda\nfig = draw(1)")
    figures = "results = %lambda_map draw [1, 2]\nresults[1]"
    for cell in ("fig", figures, "display(fig)"):
        shown = kernel.run(cell)
        kinds = [set(content["data"]) for kind, content in shown.messages if kind in ("execute_result", "display_data")]
        assert kinds[-1] == {"image/png", "text/plain"}, cell


@pytest.mark.parametrize(
    "code", ["plt.plot([1, 2])", "plt.plot([1, 2])\nprint('shown')\n1 / 0", "plt.plot([1]);\nplt.show()\n2"]
)
def test_open_figures_come_after_the_value_as_in_the_kernel(kernel, code):
    """`df.plot()` shows its axes first; what is shown by the code itself stands where it was."""
    kernel.run("import matplotlib.pyplot as plt\nplt.close(plt.figure())")

    def order(ran):
        shown = [(kind, set(content.get("data", ()))) for kind, content in ran.messages]
        return [each for each in shown if each[0] in ("stream", "error", "execute_result", "display_data")]

    assert order(kernel.run(f"%%lambda -q\n{code}")) == order(kernel.run(code))
