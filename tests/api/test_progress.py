"""`progress=True`: what a program shows of its jobs while they run."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest

from lambdamagic import LambdaExecutor
from lambdamagic.errors import ConfigError

_PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
from lambdamagic import LambdaExecutor

def square(x):
    if x == 3:
        print("three")
    return x * x

def cube(x):
    return x ** 3

with LambdaExecutor(2, progress=True) as executor:
    first, second = executor.map(square, range(40)), executor.map(cube, range(30))
    assert sum(first) == 20540 and sum(second) == 189225
    assert executor.submit(abs, -1).result() == 1
print("behind it")
"""


def _on_a_terminal(
    environment: dict[str, str], source: str = _PROGRAM, see: Callable[[str], object] = lambda written: None
) -> str:
    """Run a program with a terminal of 100 columns as stdout and stderr; return what it wrote.

    Args:
        environment: Its environment.
        source: Its code.
        see: Called with all that it has written so far, whenever that is more.
    """
    ours, theirs = pty.openpty()
    environment = {**environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen([sys.executable, "-c", source], env=environment, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        written = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux's end of a terminal that its program has left
                break
            if not read:
                break
            written += read
            see(written.decode(errors="replace"))
        os.close(ours)
    assert program.returncode == 0, written.decode()
    return written.decode()


def _lines(written: str) -> list[str]:
    """Return what was written without control sequences, in lines that are not empty."""
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", written)]
    return [line.rstrip() for line in lines if line.strip()]


def test_bars_in_a_terminal(programs_environment):
    """Maps that run at the same time are drawn together, prints stand above, and the terminal is given back."""
    written = _on_a_terminal(programs_environment)
    lines = _lines(written)
    for label, count in (("square", 40), ("cube", 30)):
        assert any(re.search(rf"λ {label} +✓ done .*━.* {count}/{count} tasks", line) for line in lines), lines
    assert any(re.search(r"λ submit +✓ done +1 tasks", line) for line in lines), lines
    assert "[task 3] three" in lines
    assert lines[-1] == "behind it"
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")  # the cursor that was hidden is shown


_SLOW = """
from pathlib import Path
import sys, time
from lambdamagic import LambdaExecutor

def fit(x, gate={gate!r}):
    print("begin")
    for percent in (10, 40):
        sys.stdout.write(f"\\r{{percent}}%")
        sys.stdout.flush()
    while not Path(gate).exists():
        time.sleep(0.02)
    sys.stdout.write("\\r100%\\n")
    return x

with LambdaExecutor(2, progress=True) as executor:
    print(list(executor.map(fit, range(2))))
"""

_SLOW_GRAPH = (
    _SLOW[: _SLOW.index("with LambdaExecutor")].replace(
        "from lambdamagic import LambdaExecutor",
        "from dask import delayed\nfrom lambdamagic.graphs.dask_scheduler import DaskScheduler",
    )
    + """
walks = DaskScheduler(mode="event", max_concurrency=2, progress=True)
print(delayed(list)([delayed(fit)(number) for number in range(2)]).compute(scheduler=walks))
"""
)


@pytest.mark.parametrize(("program", "label"), [(_SLOW, "fit"), (_SLOW_GRAPH, "list")], ids=["map", "walks"])
def test_prints_of_running_tasks_stand_above_the_bar(programs_environment, tmp_path, program, label):
    """They are seen while the tasks wait, a bar's line as its last state; at the end each is there once, whole.

    So are those of a graph that runs in walks.
    """
    gate = tmp_path / "gate"
    seen = ""

    def see(written: str) -> None:
        nonlocal seen
        if not gate.exists() and len(set(re.findall(r"\[task \d\] 40%", written))) == 2:
            seen = written
            gate.touch()

    written = _on_a_terminal(programs_environment, program.format(gate=str(gate)), see)
    assert "done" not in seen
    assert set(dict(re.findall(r"\[task (\d)\] (\d+)%", seen)).values()) == {"40"}, "the last state of each stands last"
    lines = _lines(written)
    last = set(re.findall(r"\[task \d\] 40%", seen))  # whichever of them came later
    assert any(line in last and below.startswith(f"λ {label}  ▶ running") for line, below in pairwise(lines)), lines
    end = _lines(written[len(seen) :])
    assert [end.count(line.replace("40", "100")) for line in last] == [1, 1]
    assert "[0, 1]" in end


def test_lines_in_a_pipe(programs_environment):
    """One when a job begins and one at its end, without control characters; stdout is the program's."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=programs_environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == ["[task 3] three", "behind it"], done.stderr
    assert "\x1b" not in done.stderr
    assert re.search(r"square.*✓ done  40/40 tasks", done.stderr)
    assert re.search(r"cube.*✓ done  30/30 tasks", done.stderr)


def test_a_view_in_a_notebook(kernel):
    """It stands below the cell that started the job, is updated in place, and the result takes its place."""
    shown = kernel.run(
        "from lambdamagic import LambdaExecutor\n"
        "with LambdaExecutor(2, progress=True) as executor:\n"
        "    print(sum(executor.map(abs, range(-20, 0))))"
    )
    assert shown.status == "ok", shown.messages
    assert shown.stream("stdout").strip() == "210"
    last = shown.bundles("update_display_data")[-1]
    assert "abs" in last["text/plain"]
    assert "done" in last["text/plain"]


def test_nothing_without_it(capfd, lambda_executor):
    """By default a program's terminal is its own."""
    assert list(lambda_executor.map(abs, [-1])) == [1]
    assert capfd.readouterr() == ("", "")


def test_what_it_is_not():
    """Whoever means a bar's options, or a callable, hears that there are none."""
    with pytest.raises(ConfigError, match="progress is True or False, not 'bar'"):
        LambdaExecutor(progress="bar")
