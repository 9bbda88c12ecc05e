"""A whole notebook, run by nbclient as `Run All` and CI do."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def _run(cells, tmp_path):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    return book, client


def test_run_all_stops_at_a_failed_cell(own_home, tmp_path):
    """The cells after it do not run, and the error is in the notebook with the cell's own lines."""
    book, client = _run(
        [
            "%load_ext lambdamagic",
            "%%lambda -q\nprint('out')\nx = 20\nx + 1",
            "%%lambda -q\ny = 1\n1 / 0",
            "z = 'must not run'",
        ],
        tmp_path,
    )
    with pytest.raises(CellExecutionError) as caught:
        client.execute()
    assert caught.value.ename == "ZeroDivisionError"
    assert [output.output_type for output in book.cells[1].outputs] == ["stream", "execute_result"]
    assert book.cells[1].outputs[0].text == "out\n"
    assert book.cells[1].outputs[1].data["text/plain"] == "21"
    (error,) = book.cells[2].outputs
    assert (error.ename, error.evalue) == ("ZeroDivisionError", "division by zero")
    assert book.cells[3].execution_count is None
    assert book.cells[3].outputs == []
    nbformat.validate(book)
