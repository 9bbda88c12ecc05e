"""Runs quickstart.ipynb on the embedded Lambda and reports, cell by cell, what happened: `make demo`.

It uses the Python that runs it, no configuration of the user's and no AWS account, ends within a bounded time, and
leaves no process behind.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

NOTEBOOK = Path(__file__).with_name("quickstart.ipynb")
OUTPUT = NOTEBOOK.parent.parent / "build" / "quickstart"
MAY_FAIL = "raises-exception"

_CELL_TIMEOUT_S = 180
_TIMEOUT_S = 600
_GONE_TIMEOUT_S = 15
_INDENT = (0, 0, 0, 4)
#: Between the facts of a job.
_BETWEEN = " · "


class ThisPythonsKernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels are installed on the machine."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


class Narrator:
    """Prints what the notebook does, and saves its pictures.

    Args:
        console: Where to.
        folder: Where pictures go.
    """

    def __init__(self, console: Console, folder: Path) -> None:
        self.console, self.folder = console, folder
        self.pictures: list[Path] = []
        self._began = 0.0
        self._status: Any = None

    @property
    def width(self) -> int:
        """What a cell's output has of the terminal's width, in characters."""
        return self.console.width - _INDENT[3]

    def heading(self, markdown: str) -> None:
        """Print the headings of a text cell."""
        for found in re.findall(r"^#+ (.+)$", markdown, re.MULTILINE):
            self.console.print()
            self.console.print(Rule(Text(found, style="bold"), align="left", style="dim"))

    def begin(self, cell: Any, number: int) -> None:
        """Print the first line of a cell that starts."""
        lines = [line for line in cell.source.splitlines() if line.strip()] or [""]
        more = f"  … {len(lines) - 1} more lines" if len(lines) > 2 else ""
        shown = lines if len(lines) <= 2 else lines[:1]
        self.console.print()
        for position, line in enumerate(shown):
            prompt = f"[{number}] " if position == 0 else "    "
            self.console.print(
                Text.assemble((prompt, "cyan"), (line, "bold"), (more, "dim")), no_wrap=True, overflow="ellipsis"
            )
        self._began = time.monotonic()
        if self.console.is_terminal:
            self._status = self.console.status("running …")
            self._status.start()

    def end(self, cell: Any, name: str) -> None:
        """Print what a cell gave and how long it took."""
        took_s = time.monotonic() - self._began
        if self._status is not None:
            self._status.stop()
            self._status = None
        for output in cell.outputs:
            self._output(output, name)
        if took_s >= 0.1:
            self._indented(Text(f"took {took_s:.1f} s", style="dim"))

    def _output(self, output: Any, name: str) -> None:
        if output.output_type == "stream":
            self._indented(Text.from_ansi(output.text.rstrip("\n"), style="yellow" if output.name == "stderr" else ""))
        elif output.output_type == "error":
            self._indented(Text.from_ansi("\n".join(output.traceback)))
        elif "image/png" in output.data:
            path = self.folder / f"{name}.png"
            path.write_bytes(base64.b64decode(output.data["image/png"]))
            self.pictures.append(path)
            self._indented(Text(f"a picture: {shown_path(path)}", style="green"))
        elif "text/plain" in output.data:
            self._indented(Text(output.data["text/plain"]))

    def _indented(self, text: Text) -> None:
        lines = [part for line in text.split() for part in folded(line, self.width)]
        self.console.print(Padding(Text("\n").join(lines), _INDENT, expand=False))


def folded(line: Text, width: int) -> list[Text]:
    """Return a line of text as lines of a width; a list of facts is cut between them, and continues indented."""
    if line.cell_len <= width or _BETWEEN not in line.plain:
        return [line]
    lines, start, end = [], 0, 0
    for found in [*re.finditer(re.escape(_BETWEEN), line.plain), None]:
        until = len(line) if found is None else found.start()
        if end > start and line[start:until].cell_len > width - (2 if lines else 0):
            lines.append(line[start:end])
            start = end + len(_BETWEEN)
        end = until
    lines.append(line[start:])
    return [lines[0], *(Text("  ") + each for each in lines[1:])]


class Run:
    """One execution of the notebook.

    Args:
        notebook: The notebook; outputs are written into it.
        narrator: Called with each cell.

    Attributes:
        cells_run: How many code cells have begun.
    """

    def __init__(self, notebook: Any, narrator: Narrator) -> None:
        self.notebook, self.narrator = notebook, narrator
        # Whoever calls this may have its own children: they do not concern the notebook.
        self._others = set(psutil.Process().children())
        self._started: set[psutil.Process] = set()
        self.cells_run = 0
        self._reported = 0

    async def execute(self, timeout_s: float) -> None:
        """Execute all cells.

        Raises:
            CellExecutionError: A cell failed that should not.
            CellTimeoutError, TimeoutError: It took too long.
            DeadKernelError: The kernel died.
        """
        with tempfile.TemporaryDirectory(prefix="lambdamagic-quickstart-") as folder:
            client = NotebookClient(
                self.notebook,
                timeout=_CELL_TIMEOUT_S,
                kernel_manager_class=ThisPythonsKernel,
                resources={"metadata": {"path": str(NOTEBOOK.parent)}},
                record_timing=False,
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
                on_cell_execute=self._begin,
                on_cell_executed=self._end,
            )
            try:
                async with asyncio.timeout(timeout_s) as deadline:
                    await client.async_execute(env=_environment(folder, self.narrator.width))
            except DeadKernelError as error:
                if deadline.expired():  # it is dead because it was abandoned
                    raise TimeoutError from error
                raise

    def _begin(self, *, cell: Any, cell_index: int) -> None:
        for before in self.notebook.cells[self._reported : cell_index]:
            if before.cell_type == "markdown":
                self.narrator.heading(before.source)
        self._reported = cell_index + 1
        self.cells_run += 1
        self.narrator.begin(cell, self.cells_run)

    def _end(self, *, cell: Any, cell_index: int, **_: Any) -> None:
        for child in set(psutil.Process().children()) - self._others:
            try:
                self._started.update([child, *child.children(recursive=True)])
            except psutil.NoSuchProcess:
                continue  # it ended while it was looked at
        self.narrator.end(cell, cell.get("id", f"cell-{cell_index}"))

    def end_processes(self) -> list[str]:
        """Wait until every process that the notebook started is gone; end and name those that stay."""
        _, alive = psutil.wait_procs(list(self._started), timeout=_GONE_TIMEOUT_S)
        names = []
        for process in alive:
            try:
                names.append(f"{process.pid} {process.name()}")
                process.kill()
            except psutil.NoSuchProcess:
                pass
        return names


def _environment(folder: str, width: int) -> dict[str, str]:
    """Return the kernel's environment: this process's, without what would change the demo on another machine.

    Args:
        folder: IPython's.
        width: How wide tables of text are, in characters.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAMBDAMAGIC_")}
    return kept | {
        "LAMBDAMAGIC_TARGET": "local",
        "COLUMNS": str(width),
        "IPYTHONDIR": folder,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def shown_path(path: Path) -> str:
    """Return a path as the reader would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def run(console: Console, folder: Path, *, timeout_s: float = _TIMEOUT_S) -> Any:
    """Execute the notebook and return it with its outputs, or None if it failed; what failed is printed.

    Args:
        console: Where to say what happens.
        folder: Where pictures and the executed notebook go.
        timeout_s: The deadline, in seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    narrator = Narrator(console, folder)
    execution = Run(notebook, narrator)
    problem = ""
    began = time.monotonic()
    try:
        asyncio.run(execution.execute(timeout_s))
    except CellExecutionError as error:
        problem = f"a cell failed that should not: {error.ename}: {error.evalue}"
    except CellTimeoutError:
        problem = f"a cell took longer than {_CELL_TIMEOUT_S} s"
    except TimeoutError:
        problem = f"the notebook took longer than {timeout_s:.0f} s"
    except DeadKernelError as error:
        problem = f"the kernel died: {error}"
    finally:
        stayed = execution.end_processes()
    if not problem:
        problem = _unexpected(notebook)
    if stayed:
        problem = problem or f"processes stayed behind and were ended: {', '.join(stayed)}"
    nbformat.write(notebook, folder / NOTEBOOK.name)
    console.print()
    if problem:
        console.print(Text(f"✗ The quickstart failed: {problem}", style="bold red"))
        console.print(f"  The notebook as far as it came: {shown_path(folder / NOTEBOOK.name)}")
        return None
    console.print(Rule(Text("What next", style="bold"), align="left", style="dim"))
    console.print(
        Text.assemble(
            ("✓ ", "bold green"),
            f"{execution.cells_run} cells in {time.monotonic() - began:.0f} s, "
            "on the embedded Lambda of this machine.\n"
            "  It has ended, and no process is left.\n\n",
            f"  Look at it    {shown_path(folder / NOTEBOOK.name)}\n",
            *(f"                {shown_path(picture)}\n" for picture in narrator.pictures),
            "  Try it        .venv/bin/ipython, then %load_ext lambdamagic, then %%lambda\n",
            "  Read          README.md, docs/cells.md, docs/maps.md\n",
            "  On AWS        the section “Run it on AWS” of README.md",
        ),
        soft_wrap=True,
    )
    return notebook


def _unexpected(notebook: Any) -> str:
    """Return what is wrong with a notebook that ran to its end: a cell marked as failing did not."""
    for cell in notebook.cells:
        should_fail = cell.cell_type == "code" and MAY_FAIL in cell.metadata.get("tags", [])
        if should_fail and not any(output.output_type == "error" for output in cell.outputs):
            return f"the cell that should fail did not: {cell.source.splitlines()[0]}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Run the notebook from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.run_quickstart", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="DIR", help="where pictures go")
    parser.add_argument("--timeout", type=float, default=_TIMEOUT_S, metavar="S", help="the deadline")
    parser.add_argument("--save", action="store_true", help="store the outputs in notebooks/quickstart.ipynb itself")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    notebook = run(console, options.output, timeout_s=options.timeout)
    if notebook is None:
        return 1
    if options.save:
        notebook.metadata = nbformat.read(NOTEBOOK, as_version=4).metadata  # not this machine's Python version
        nbformat.write(notebook, NOTEBOOK)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
