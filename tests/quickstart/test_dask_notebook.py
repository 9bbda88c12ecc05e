"""notebooks/dask.ipynb runs on the embedded Lambda, and shows what Dask's threads give."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from notebooks.run_quickstart import NOTEBOOK, ThisPythonsKernel


def _text(cell: nbformat.NotebookNode) -> str:
    """Return what a cell shows: two prints are one output or two, as it happens."""
    outputs = cell.get("outputs", ())
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_notebook_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "1")
    notebook = nbformat.read(NOTEBOOK.with_name("dask.ipynb"), as_version=4)
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPythonsKernel,
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    kept = nbformat.read(NOTEBOOK.with_name("dask.ipynb"), as_version=4)
    for cell, stored in zip(notebook.cells, kept.cells, strict=True):
        assert _text(cell) == _text(stored), f"cell {cell.id}: save the notebook with today's outputs"
    cells = {cell.id: cell for cell in notebook.cells}

    def shown(name: str) -> str:
        return _text(cells[name])

    assert "True" in shown("array")
    assert "501.0" in shown("frame")
    assert shown("delayed") == "570"
    assert shown("failure") == "division by zero - in the graph's task 'share'\n"
    assert "stays in the bucket: ndarray (100000,), 0.8 MB" in shown("keep")
    assert "300000.0" in shown("keep")
