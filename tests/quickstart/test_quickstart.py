"""The quickstart notebook runs on the embedded Lambda, and shows what it says."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from rich.console import Console
from rich.text import Text

from notebooks import run_quickstart
from notebooks.install import Installing
from notebooks.run_quickstart import MAY_FAIL, NOTEBOOK, Narrator, folded, run

_PNG = b"\x89PNG\r\n\x1a\n"


class Executed:
    """The executed notebook, by cell id, and what was reported about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = io.StringIO()
        self.notebook = run(Console(file=text, width=120, highlight=False), folder)
        self.printed = text.getvalue()
        self.after = {child.pid for child in psutil.Process().children(recursive=True)}

    def outputs(self, cell_id: str, kind: str | None = None) -> list[Any]:
        (cell,) = [cell for cell in self.notebook.cells if cell.id == cell_id]
        return [output for output in cell.outputs if kind in (None, output.output_type)]

    def stream(self, cell_id: str, name: str = "stdout") -> str:
        return "".join(output.text for output in self.outputs(cell_id, "stream") if output.name == name)

    def plain(self, cell_id: str) -> str:
        (result,) = self.outputs(cell_id, "execute_result")
        return result.data["text/plain"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """The notebook, executed once for all tests of this file."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    done = Executed(tmp_path_factory.mktemp("quickstart"))
    assert done.notebook is not None, done.printed
    done.after -= before
    return done


def test_the_plan_names_what_the_search_reads(executed: Executed) -> None:
    """The helper function and the training data are in it; what is read here only is not."""
    plan = executed.plain("plan")
    for name in ("build", "X_train", "y_train", "cross_val_score"):
        assert re.search(rf"^ *{name} ", plan, re.MULTILINE)
    for name in ("X_test", "digits"):
        assert not re.search(rf"\b{name}\b", plan)
    assert "Nothing was sent" in plan
    assert "<table" in executed.outputs("plan", "execute_result")[0].data["text/html"]


def test_the_search_finds_a_good_model(executed: Executed) -> None:
    """The best candidate is right about more than 96 of 100 unseen digits."""
    found = re.search(r"accuracy on unseen digits: (0\.\d+)", executed.stream("fit"))
    assert found is not None
    assert 0.96 < float(found[1]) < 1


def test_the_fitted_model_came_back(executed: Executed) -> None:
    """It is a pipeline that predicts in the kernel, and the list that was sorted in place is still one list."""
    assert executed.plain("use").startswith("('Pipeline'")
    assert "accuracy" in executed.outputs("fit", "execute_result")[0].data["text/html"]


@pytest.mark.parametrize("cell_id", ["picture", "figure"])
def test_a_picture_is_shown_and_saved(executed: Executed, cell_id: str) -> None:
    """One is drawn here and one on Lambda; both are PNGs in the notebook and in the folder."""
    pictures = [o for o in executed.outputs(cell_id, "display_data") if "image/png" in o.data]
    assert len(pictures) == 1
    content = base64.b64decode(pictures[0].data["image/png"])
    assert content.startswith(_PNG)
    assert (executed.folder / f"{cell_id}.png").read_bytes() == content


def test_the_error_has_its_own_type_and_the_notebooks_lines(executed: Executed) -> None:
    """The traceback goes through both functions of the notebook, each at the line that was running."""
    (error,) = executed.outputs("error", "error")
    assert (error.ename, error.evalue) == ("KeyError", "'gamma'")
    text = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))
    assert re.search(r"-+> \d+ +return cross_val_score\(build\(candidate\)", text)
    assert re.search(r"-+> \d+ +return make_pipeline\(StandardScaler\(\), SVC\(", text)
    assert "lambdamagic/" not in text


def test_exceptions_can_be_among_the_results(executed: Executed) -> None:
    """With --on-error return the good candidate has its score and the bad one its exception."""
    assert re.fullmatch(r"\[(np\.float64\()?0\.9\d+\)?, KeyError\('gamma'\)\]", executed.plain("return"))


def test_the_jobs_are_listed(executed: Executed) -> None:
    """The search, two cells and two short maps, with their states."""
    jobs = executed.plain("jobs")
    assert "evaluate × 30" in jobs
    assert "30/30" in jobs
    assert len(re.findall(r"✓ done", jobs)) == 3


def test_the_run_is_printed_in_order(executed: Executed) -> None:
    """Headings, cells, outputs, pictures and what next are printed, in their order."""
    marks = ["The search", "scores = %lambda_map", "30/30 tasks", "accuracy on unseen", "KeyError", "What next", "✓ 13"]
    places = [executed.printed.index(mark) for mark in marks]
    assert places == sorted(places)


def test_the_section_that_it_names_is_in_the_readme(executed: Executed) -> None:
    """A reader finds it under that heading."""
    (named,) = re.findall(r"the section “(.+?)” of README.md", executed.printed)
    assert f"\n## {named}\n" in (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_no_process_is_left(executed: Executed) -> None:
    """No process that the notebook started is alive when the run has ended."""
    assert not executed.after


def test_the_stored_notebook_is_the_executed_one(executed: Executed) -> None:
    """What a reader sees on the web has the same kinds of output, no unexpected error and no path of a machine."""
    stored = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(stored)

    def kinds(notebook: Any) -> dict[str, set[str]]:
        # Whether a quick job shows its view depends on the machine.
        return {
            cell.id: {
                *(o.output_type for o in cell.outputs if o.output_type in ("execute_result", "error")),
                *(mime for o in cell.outputs if "data" in o for mime in o.data if mime == "image/png"),
            }
            for cell in notebook.cells
            if cell.cell_type == "code"
        }

    assert kinds(stored) == kinds(executed.notebook)
    for cell in stored.cells:
        if cell.cell_type == "code":
            failed = any(output.output_type == "error" for output in cell.outputs)
            assert failed == (MAY_FAIL in cell.metadata.get("tags", []))
    text = NOTEBOOK.read_text()
    assert not re.search(r"/home/|/Users/|/tmp/|ipykernel_\d", text)
    assert len(text) < 200_000


def _run_other(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, str]:
    """Run another notebook of one cell in the quickstart's place."""
    path = tmp_path / "other.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    monkeypatch.setattr(run_quickstart, "NOTEBOOK", path)
    text = io.StringIO()
    done = run(Console(file=text, width=200, highlight=False), tmp_path / "out", **options)
    return done, text.getvalue()


def test_an_unexpected_error_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails, names the error, and keeps the notebook as far as it came."""
    done, printed = _run_other("1 / 0", tmp_path, monkeypatch)
    assert done is None
    assert "a cell failed that should not: ZeroDivisionError" in printed
    assert (tmp_path / "out" / "other.ipynb").exists()


def test_it_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that never ends is abandoned, and its kernel with it."""
    done, printed = _run_other("while True: pass", tmp_path, monkeypatch, timeout_s=6)
    assert done is None
    assert "took longer than 6 s" in printed
    assert not psutil.Process().children(recursive=True) or "stayed behind" not in printed


def test_a_jobs_end_is_shown_once(executed: Executed) -> None:
    """As the cell's result, not as one more line of its progress too."""
    ends = [line for line in executed.printed.splitlines() if "✓ done  " in line and "λ" in line]
    assert len(ends) == len(set(ends)) and ends
    streams = [each.text for cell in executed.notebook.cells for each in cell.get("outputs", []) if "text" in each]
    assert not any("✓ done  " in text for text in streams)


@pytest.mark.parametrize("width", [40, 76, 116])
def test_facts_are_folded_between_them(width: int) -> None:
    """A job's line continues indented, and loses no fact; other text is left to the terminal."""
    facts = ["λ evaluate × 30  ✓ done  30/30 tasks", "15.9 s", "4 cold starts", "billed 1 min 00 s", "$0.0020 on AWS"]
    lines = [line.plain for line in folded(Text(" · ".join(facts)), width)]
    assert all(len(line) <= width for line in lines)
    assert " · ".join(line.strip() for line in lines) == " · ".join(facts)
    assert folded(Text("a word " * 40), width)[0].plain == "a word " * 40


def test_a_markdown_heading_is_shown_without_its_marks() -> None:
    """Markdown's number signs are not for a terminal."""
    text = io.StringIO()
    narrator = Narrator(Console(file=text, width=60), Path())
    narrator.heading("## The search\n\nmore")
    narrator.heading("no heading")
    assert text.getvalue().strip().startswith("The search ─")
    assert "no heading" not in text.getvalue()


def test_installing_shows_how_far_it_is(tmp_path: Path) -> None:
    """What pip collects by its own words, and then how many packages are there, as pip says nothing meanwhile."""
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "pip-26.dist-info").mkdir(parents=True)
    installing = Installing(tmp_path)
    installing.hear("  Using cached numpy-2.4.0-cp311-cp311-manylinux_2_27_x86_64.whl.metadata (66 kB)")
    assert installing.reported() == "Installing: collecting numpy · 0 s"
    installing.hear("Installing collected packages: numpy, six, lambdamagic")
    (packages / "numpy-2.4.0.dist-info").mkdir()
    assert installing.reported() == "Installing: 1 of 3 packages · 0 s"


def test_the_command_exists() -> None:
    """`make demo` calls a module that knows its options; it starts nothing before it is asked to."""
    done = subprocess.run(
        [sys.executable, "-m", "notebooks.run_quickstart", "--help"],
        cwd=NOTEBOOK.parent.parent,
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "--save" in done.stdout
    assert "python -m notebooks.run_quickstart" in done.stdout
