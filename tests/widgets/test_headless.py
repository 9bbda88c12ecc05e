"""The same notebook through papermill, nbclient and nbconvert: a log that reads well, a page that shows the result."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

_CELLS = (
    "%load_ext lambdamagic\n%config LambdaMagics.memory_mb = 512",
    "import time\n\ndef slow(n):\n    time.sleep(0.3)\n    print('item', n)\n    return n / (n - 3)",
    "results = %lambda_map --on-error return --chunksize 1 --max-concurrency 2 slow range(8)",
)


_BACKGROUND = {
    "load": "%load_ext lambdamagic\n%config LambdaMagics.memory_mb = 512",
    "fit": "%%lambda --bg\nimport time\ntime.sleep(1)\nprint('fitted')\nmodel = [1, 2, 3]\nlen(model)",
    "read": "sum(model)",
    "fail": "%%lambda --bg\ncount = int('nothing')",
    "between": "_4.wait_for_end(60)",
    "after": "'not held up'",
    "map": "def ratio(n):\n    return n / (n - 3)\nm = %lambda_map --bg --on-error return ratio range(8)\nm",
    "map ended": "m.wait_for_end(60)",
    "late": "%%lambda --bg\nimport time\ntime.sleep(600)\nlate = 1",
    "refused": "count",
}


def _call(*arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == status, done.stderr[-3000:]
    return done.stderr


def _write(path: Path, cells: Iterable[str]) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def _outputs(path: Path) -> list[Any]:
    found: list[Any] = nbformat.read(path, as_version=4).cells[2].outputs
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that has not run."""
    return _write(tmp_path_factory.mktemp("headless") / "map.ipynb", _CELLS)


@pytest.mark.parametrize("runner", ["papermill", "nbclient"])
def test_a_notebook_without_a_viewer(runner: str, written: Path) -> None:
    """Lines while it runs, the result at the end, no widget; as an HTML page it shows what happened."""
    ran = written.with_name(f"{runner}.ipynb")
    if runner == "papermill":
        log = _call("papermill", "--log-output", "--no-progress-bar", str(written), str(ran))
        assert "λ slow × 8  ▶ running" in log
        assert "λ slow × 8  ! 1 of 8 failed  8/8 tasks" in log
    else:
        _call("nbconvert", "--execute", "--to", "notebook", "--output", ran.name, str(written))
    outputs = _outputs(ran)
    errors = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert errors.count("λ slow × 8  ▶ running") == 1
    assert "\r" not in errors
    (shown,) = [output.data for output in outputs if output.output_type == "display_data"]
    assert sorted(shown) == ["text/html", "text/plain"]
    assert "✗ 1 × ZeroDivisionError: division by zero" in shown["text/plain"]
    assert "Traceback of item 4" in shown["text/html"]
    _call("nbconvert", "--to", "html", str(ran))
    page = ran.with_suffix(".html").read_text()
    assert 'class="lmr ' in page
    assert "ZeroDivisionError: division by zero" in page


def test_background_jobs_in_a_notebook_without_a_viewer(tmp_path: Path) -> None:
    """Each cell shows how its job ended, also between two cells; one that runs at the notebook's end is stopped."""
    written, ran = _write(tmp_path / "background.ipynb", _BACKGROUND.values()), tmp_path / "ran.ipynb"
    log = _call("papermill", "--log-output", "--no-progress-bar", str(written), str(ran), status=1)
    assert "No handler found for comm" not in log
    assert log.count("λ waiting for model from job") == 1
    assert "ValueError: invalid literal for int() with base 10: 'nothing'" in log
    shown = {}
    for name, cell in _BACKGROUND.items():
        (outputs,) = [found.outputs for found in nbformat.read(ran, as_version=4).cells if found.source == cell]
        shown[name] = "\n".join(
            output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
            for output in outputs
        )
    assert "✓ done" in shown["fit"] and "fitted\n3" in shown["fit"]
    assert "waited" in shown["read"] and shown["read"].rstrip().endswith("6")
    assert "✗ ValueError: invalid literal" in shown["fail"]
    assert "running" not in shown["fail"]
    assert "failed: ValueError" in shown["between"] + shown["after"] and "not held up" in shown["after"]
    assert "8/8 tasks" in shown["map"]
    assert "Traceback of item 4" in ran.read_text()
    assert "It stops when the notebook ends" in shown["late"]
    assert "invalid literal for int() with base 10: 'nothing'" in shown["refused"]
