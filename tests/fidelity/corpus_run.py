"""`make fidelity`: notebooks run in real kernels, plainly and with `%%lambda`, and compared cell by cell.

The notebooks are those of `corpus`, the constructs of the tests here, those that installed packages ship, and generated
ones. Those that differ are run plainly again: a cell that differs between two plain runs proves nothing and is not
counted. `--few` runs a small part, and `--part 1/2` and `--part 2/2` are two halves for two processors.
`make fidelity-night` runs generated cells only; a notebook that differs is kept in `found`, and is a test from then on.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fidelity.constructs import Construct, constructs, numbered, plain_text

#: Generated notebooks that differed once.
FOUND = Path(__file__).parent / "found"
#: Their constructs need a folder of modules.
_WITH_FILES = {"test_own_modules"}
#: Cells that are the shell's: they run plainly in both.
_OF_THE_SHELL = re.compile(r"\s*(%%(?!time)|%|!|\?)")
_KINDS = ("error", "stdout", "value", "displays")


def notebooks(generated: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the cells of each notebook."""
    for path in sorted((Path(__file__).parent / "corpus").glob("*.txt")):
        if path.stem.startswith("constructs"):
            yield from _each_of(path.stem, constructs(path.read_text()))
        else:
            yield path.stem, cells_of(path)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem not in _WITH_FILES:
            for table in vars(importlib.import_module(f"tests.fidelity.{path.stem}")).values():
                if isinstance(table, dict) and isinstance(next(iter(table.values()), None), Construct):
                    yield from _each_of(path.stem.removeprefix("test_"), table)
    for path in sorted(FOUND.glob("*.txt")):
        yield path.stem, cells_of(path)
    yield from notebooks_in(Path(sysconfig.get_paths()["purelib"]))
    yield from _generated(generated, seed)


def _each_of(name: str, table: dict[str, Construct]) -> Iterator[tuple[str, list[str]]]:
    for title, each in table.items():
        yield f"{name}: {title}", [cell for cell in (each.setup, *each.cells, each.look) if cell.strip()]


def notebooks_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the notebooks below a folder."""
    for path in sorted(folder.rglob("*.ipynb")):
        found = json.loads(path.read_text())
        yield path.stem, ["".join(cell["source"]) for cell in found.get("cells", ()) if cell["cell_type"] == "code"]


def cells_of(path: Path) -> list[str]:
    """Return the cells of a notebook in the corpus."""
    parts = re.split(r"^# %%.*\n", path.read_text(), flags=re.M)
    return [cell.strip("\n") for cell in parts if cell.strip()]


def _generated(count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    from tests.fidelity.generated import SETUP, cells

    found: list[list[str]] = []

    @seeded(seed)
    @settings(max_examples=max(count, 1), database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cells())
    def draw(notebook: list[str]) -> None:
        found.append([SETUP, *notebook])

    draw()
    for number, notebook in enumerate(found[:count]):
        yield f"generated {seed}/{number}", notebook


def observed(kernel: Any, cells: list[str], *, remotely: bool) -> list[tuple[str, ...]]:
    """Run a notebook's cells in a kernel; return for each what a page shows of it, by kind."""
    kernel.run("%reset -f\nimport matplotlib.pyplot as _plt; _plt.close('all'); _plt.rcdefaults(); del _plt")
    # IPython keeps no results while builtins have `_`, which doctest leaves there.
    kernel.run("get_ipython().compile.reset_compiler_flags(); __import__('builtins').__dict__.pop('_', None)")
    seen = []
    for cell in cells:
        is_remote = remotely and not _OF_THE_SHELL.match(cell)
        ran = kernel.run(f"%%lambda -q\n{cell}" if is_remote else cell)
        seen.append(_shown(ran.messages, 1 if is_remote else 0))
    return seen


def _shown(messages: list[tuple[str, dict[str, Any]]], lines_above: int) -> tuple[str, ...]:
    """Return errors, text, values and displays as a page shows them: updated and cleared where the code says so."""
    errors, values = [], []
    outputs: list[tuple[str, Any, str]] = []
    clears = False
    for kind, content in messages:
        if kind == "clear_output":
            clears = True
            if not content.get("wait"):
                outputs, clears = [], False
            continue
        if kind in ("stream", "display_data", "execute_result", "error") and clears:
            outputs, clears = [], False
        name = str(content.get("transient", {}).get("display_id", ""))
        if kind == "error":
            errors.append(numbered(f"{content['ename']}: {content['evalue']}", lines_above))
        elif kind == "execute_result":
            values.append(sorted(content["data"].items()))
        elif kind == "stream" and content["name"] == "stdout":
            outputs.append(("", content["text"], ""))
        elif kind == "display_data":
            outputs.append(("shown", sorted(content["data"].items()), name))
        elif kind == "update_display_data":
            shown = sorted(content["data"].items())
            outputs = [(how, shown if name and of == name else each, of) for how, each, of in outputs]
    text = "".join(each for how, each, _ in outputs if not how)
    texts = (str(errors), text, str(values), str([each for how, each, _ in outputs if how]))
    return tuple(map(plain_text, texts))


def _around(one: str, other: str) -> str:
    """Return the part of a text where it begins to differ from another."""
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[max(0, same - 60) : same + 200]


def main() -> None:
    """Run the corpus and print how many cells agree, by notebook and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="a tenth of the notebooks")
    parser.add_argument("--part", default="1/1", help="every Nth notebook from the Kth on, as K/N")
    parser.add_argument("--generated", type=int, default=100, help="how many generated notebooks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--notebooks", type=Path, help="run those below this folder instead")
    parser.add_argument("--only-generated", action="store_true")
    parser.add_argument("--cells", type=int, default=0, help="end after so many cells")
    parser.add_argument(
        "--keep", action="store_true", help="keep generated notebooks that differ in tests/fidelity/found"
    )
    parser.add_argument("--least", type=float, default=0.0, help="fail below so many percent")
    options = parser.parse_args()
    if options.notebooks:
        found = notebooks_in(options.notebooks.resolve())
    elif options.only_generated:
        found = _generated(options.generated, options.seed)
    else:
        found = notebooks(options.generated, options.seed)
    folder = Path(tempfile.mkdtemp(prefix="lambdamagic-fidelity-"))
    os.chdir(folder)

    def run(cells: list[str], *, remotely: bool) -> list[tuple[str, ...]]:
        """Run a notebook in an empty folder."""
        for path in folder.iterdir():  # the folder itself is the embedded Lambda's too
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        kernel.run(f"import os; os.chdir({str(folder)!r}); del os")
        return observed(kernel, cells, remotely=remotely)

    from tests.kernels import Kernel

    kernel = Kernel()
    part, parts = map(int, options.part.split("/"))
    agreed, counted, unsteady, kinds = 0, 0, 0, Counter[str]()
    try:
        assert kernel.run("%load_ext lambdamagic").status == "ok"
        for number, (name, cells) in enumerate(found):
            if number % parts != part - 1 or (options.few and number // parts % 10):
                continue
            if options.cells and counted >= options.cells:
                break
            first, there = (run(cells, remotely=remotely) for remotely in (False, True))
            second = first if there == first else run(cells, remotely=False)
            steady = [position for position in range(len(cells)) if first[position] == second[position]]
            differing = [position for position in steady if there[position] != first[position]]
            unsteady += len(cells) - len(steady)
            counted, agreed = counted + len(steady), agreed + len(steady) - len(differing)
            for position in differing:
                kinds.update(
                    kind for kind, a, b in zip(_KINDS, first[position], there[position], strict=True) if a != b
                )
            if differing and options.keep and name.startswith("generated"):
                FOUND.mkdir(exist_ok=True)
                text = "".join(f"# %%\n{cell.strip()}\n" for cell in cells[: differing[0] + 1])
                (FOUND / f"{name.replace(' ', '_').replace('/', '_')}.txt").write_text(text)
            if differing:
                print(f"{name}: {len(steady) - len(differing)} of {len(steady)} cells agree", flush=True)
                for position in differing[: 1 if not options.notebooks else None]:
                    for kind, a, b in zip(_KINDS, first[position], there[position], strict=True):
                        if a != b:
                            print(f"  cell {position}, {kind}:")
                            print(f"    plain  {_around(a, b)!r}\n    lambda {_around(b, a)!r}")
    finally:
        kernel.close()
    percent = 100 * agreed / max(counted, 1)
    print(f"{agreed} of {counted} cells agree: {percent:.2f} % ({unsteady} more differ between two plain runs)")
    print("differences by kind:", dict(kinds) or "none")
    if percent < options.least:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
