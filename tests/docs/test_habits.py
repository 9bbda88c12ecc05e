"""Each row of docs/notebook-habits.md is what happens."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cells.conftest import Gate
from tests.deploy.wheels import make_wheel
from tests.docs.snippets import ROOT
from tests.notebooks import Notebook

_PAGE = ROOT / "docs" / "notebook-habits.md"
_ROWS: dict[str, Callable[[Notebook], None]] = {}


def _row(habit: str) -> Callable[[Callable[[Notebook], None]], None]:
    def note(check: Callable[[Notebook], None]) -> None:
        _ROWS[habit] = check

    return note


def _kinds(ran: Any) -> list[str]:
    return [kind for bundle in [*ran.displays, ran.out or {}] for kind in bundle]


@_row("Progress bars")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("from tqdm.auto import tqdm\nsum(tqdm(range(3)))")
    assert ran.value == 3 and "3/3" in ran.stderr
    ran = notebook.remote("from tqdm.notebook import tqdm as bars\nsum(bars(range(3)))")
    assert ran.value == 3 and "100%|██████████| 3/3 [" in str(ran.displays)


@_row("Plots")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert "image/png" in _kinds(ran)
    ran = notebook.remote("fig, axis = plt.subplots()\naxis.plot([1, 2])\nplt.close(fig)\nfig")
    assert "image/png" in _kinds(ran)


@_row("Displays")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("handle = display('first', display_id=True)\nhandle.update('second')")
    assert [bundle["text/plain"] for bundle in ran.displays] == ["'second'"]


@_row("Files that are read")
def _(notebook: Notebook) -> None:
    notebook.ok("from pathlib import Path\nPath('data.csv').write_text('1,2')")
    assert any("--file data.csv" in note for note in notebook.fails("open('data.csv')").error.__notes__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMBDAMAGIC_QUIET", "0")
        ran = notebook.ok("%%lambda\nwith open('data.csv', 'a') as file:\n    file.write('3')")
    assert "data.csv of this machine was not sent" in ran.stderr
    assert notebook.remote("open('data.csv').read()", "--file data.csv").value == "1,2"


@_row("Files that are written")
def _(notebook: Notebook) -> None:
    notebook.remote("open('out.txt', 'w').write('here')", "--fetch out.txt")
    assert notebook.ok("from pathlib import Path\nPath('out.txt').read_text()").value == "here"


@_row("Seeds")
def _(notebook: Notebook) -> None:
    draw = "(random.random(), np.random.rand())"
    notebook.ok("import random\nimport numpy as np\nrandom.seed(1)\nnp.random.seed(1)")
    there = notebook.remote(draw).value
    then = notebook.ok(draw).value
    assert [there, then] == notebook.ok(f"random.seed(1)\nnp.random.seed(1)\n[{draw}, {draw}]").value


@_row("Options and filters")
def _(notebook: Notebook) -> None:
    notebook.ok("import warnings\nimport numpy as np\nnp.set_printoptions(precision=2)")
    try:
        assert notebook.remote("print(np.array([1.23456]))").stdout == "[1.23]\n"
    finally:
        notebook.ok("np.set_printoptions(precision=8)")


@_row("Set-up")
def _(notebook: Notebook) -> None:
    notebook.ok("%%lambda_setup\nimport os\nos.environ['HABIT_MODE'] = 'fast'")
    try:
        assert notebook.remote("import os\nos.environ['HABIT_MODE']").value == "fast"
    finally:
        notebook.ok("%lambda_setup off\nimport os\ndel os.environ['HABIT_MODE']")


@_row("Environment variables and secrets")
def _(notebook: Notebook) -> None:
    notebook.ok("import os\nos.environ['HABIT_TOKEN'] = 'secret'\ntoken = os.environ.pop('HABIT_TOKEN')")
    assert notebook.remote("import os\nos.environ.get('HABIT_TOKEN')").value is None
    notebook.ok("os.environ['HABIT_TOKEN'] = token")
    ran = notebook.remote("import os\nlen(os.environ['HABIT_TOKEN'])", "--env HABIT_TOKEN")
    notebook.ok("del os.environ['HABIT_TOKEN']")
    assert ran.value == 6


@_row("Your own modules")
def _(notebook: Notebook) -> None:
    notebook.ok("from pathlib import Path\nPath('habit_module.py').write_text('def two():\\n    return 2\\n')")
    assert notebook.remote("import habit_module\nhabit_module.two()").value == 2
    notebook.ok("import sys\nsys.path.insert(0, '.')\nimport habit_module\nsys.path.remove('.')")
    notebook.ok("Path('habit_module.py').write_text('def two():\\n    return 22\\n')")
    plan = notebook.remote("habit_module.two()", "--plan").value
    there = notebook.remote("habit_module.two()").value
    notebook.ok("del sys.modules['habit_module']")
    assert there == 22 and any("habit_module was edited after" in note for note in plan.notes)


@_row("Large values")
def _(notebook: Notebook) -> None:
    notebook.ok("import numpy as np\nlarge = np.random.default_rng(1).random(1_000_000)")
    assert notebook.remote("len(large)").value == 1_000_000
    notebook.faults.stats(reset=True)
    assert notebook.remote("len(large) + 1").value == 1_000_001
    assert "PutObject" not in notebook.faults.stats()["requests"].get("s3", {})


@_row("Shell commands")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("word = 'hello'\n!echo {word}\nimport os\nos.system('echo again')")
    assert ran.stdout == "hello\r\nagain\n" and ran.value == 0


@_row("Installing packages")
def _(notebook: Notebook) -> None:
    wheel = make_wheel(Path.cwd(), "lm_habit_probe", "1.0", code="ANSWER = 42\n")
    code = f"!pip install --no-index --no-deps --quiet {wheel}\nimport lm_habit_probe\nlm_habit_probe.ANSWER"
    assert notebook.remote(code).value == 42
    assert notebook.remote("import lm_habit_probe\nlm_habit_probe.ANSWER").value == 42
    assert find_spec("lm_habit_probe") is None


@_row("Magics")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("%time total = sum(range(10))\ntotal")
    assert ran.value == 45 and "Wall time" in ran.stdout
    assert "%who cannot run on Lambda" in str(notebook.fails("%who").error)


@_row("await")
def _(notebook: Notebook) -> None:
    assert notebook.remote("import asyncio\nawait asyncio.sleep(0, 'awaited')").value == "awaited"


@_row("input()")
def _(notebook: Notebook) -> None:
    assert notebook.fails("input('name? ')").error is not None


@_row("Logging and warnings")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("import logging, warnings\nlogging.warning('logged')\nwarnings.warn('warned')")
    assert "logged" in ran.stderr and "UserWarning: warned" in ran.stderr


@_row("Exceptions")
def _(notebook: Notebook) -> None:
    notebook.ok(
        "try:\n    get_ipython().run_cell_magic('lambda', '', '1 / 0')\nexcept ZeroDivisionError as e:\n    kept = e"
    )
    assert notebook.remote("type(kept).__name__").value == "ZeroDivisionError"


@_row("Interrupts")
def _(notebook: Notebook) -> None:
    gate = Gate()
    code = f"print('epoch 1')\n{gate.code}\nmodel = 1"

    def stop() -> None:
        gate.reached()
        os.kill(os.getpid(), signal.SIGINT)

    stopping = threading.Thread(target=stop)
    stopping.start()
    ran = notebook.fails(code)
    stopping.join()
    gate.close()
    assert isinstance(ran.error, KeyboardInterrupt) and ran.stdout == "epoch 1\n"
    assert "not bound: model" in ran.traceback


@_row("Changes in place")
def _(notebook: Notebook) -> None:
    notebook.ok("log = []\nalias = log")
    notebook.remote("log.append('there')")
    assert notebook.ok("alias").value == ["there"]


@_row("Widgets")
def _(notebook: Notebook) -> None:
    ran = notebook.remote("import ipywidgets\ndisplay(ipywidgets.IntSlider(3))")
    assert ["IntSlider(value=3)" in bundle["text/plain"] for bundle in ran.displays] == [True]
    ran = notebook.remote(
        "from ipywidgets import interact\nprint('before')\n@interact(n=(0, 10))\ndef square(n=3):\n"
        "    print('square of', n)\n    return n * n\nprint('after')"
    )
    assert ran.stdout.split() == ["before", "square", "of", "3", "after"]
    assert [bundle["text/plain"][:11] for bundle in ran.displays] == ["9", "interactive"]
    assert "square (function) stayed on Lambda: widgets work only in the notebook's own process" in ran.stderr


def _habits() -> list[str]:
    return re.findall(r"^\| \*\*(.+?)\*\* \|", _PAGE.read_text(), re.MULTILINE)


def test_each_row_has_a_check_and_each_check_a_row() -> None:
    """In the page's order."""
    assert _habits() == list(_ROWS)


@pytest.mark.parametrize("habit", _ROWS)
def test_a_habit(notebook: Notebook, habit: str) -> None:
    """It does what its row says."""
    _ROWS[habit](notebook)
