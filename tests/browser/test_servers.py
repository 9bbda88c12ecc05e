"""The tests' own servers: a cell runs on Lambda in JupyterLab and in Notebook, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.jupyter import Jupyter


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_cell_runs_on_lambda(app: str, tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """What the cell shows is in the page."""
    server = Jupyter(tmp_path, app)
    try:
        path = server.write("cell.ipynb", "%load_ext lambdamagic", "%%lambda\nprint('printed there')\n6 * 7")
        page = open_page(strict=False)
        notebook = server.open(page, path.name)
        notebook.run(0)
        notebook.run(1)
        shown = notebook.output(1).text_content()
        assert "printed there" in shown
        assert "42" in shown
    finally:
        server.close()
