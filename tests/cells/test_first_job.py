"""The first job of a kernel, for which the embedded Lambda has to be started."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.kernels import Kernel

_STARTING = "… starting  starting the embedded Lambda"
#: Holds its start back until there is a certain file: it takes less than a second where nothing else runs.
_HELD = """\
import time
from pathlib import Path
from lambdamagic.magics import session
started = session.open_target
def held(*given, **more):
    while not Path(%r).exists():
        time.sleep(0.01)
    return started(*given, **more)
session.open_target = held"""


@pytest.fixture(scope="module")
def one_kernel(own_home):
    """A kernel for the first jobs of several sessions."""
    with closing(Kernel()) as found:
        yield found


@pytest.fixture
def unused(one_kernel, tmp_path):
    """A kernel without a job since lambdamagic was loaded; its embedded Lambda starts when the file `go` exists."""
    one_kernel.run("%unload_ext lambdamagic")
    assert one_kernel.run("%load_ext lambdamagic").status == "ok"
    assert one_kernel.run(_HELD % str(tmp_path / "go")).status == "ok"
    yield one_kernel
    one_kernel.run("session.open_target = started")


@pytest.mark.parametrize("magic", ["%%lambda", "%%lambda --bg"])
def test_the_start_of_the_embedded_lambda_is_shown(unused, tmp_path, magic):
    """The card does so, where the cell waits for it and where it does not; a name that it binds comes all the same."""
    message = unused.send(f"{magic}\nanswer = 6 * 7")
    unused.wait_for_text(message, f"answer = 6 * 7  {_STARTING}")
    if "--bg" in magic:
        unused.finish(message)
        opened = unused.run("len(get_ipython()._lambdamagic.session.opened.targets)")
        assert opened.value == "0", "a background cell does not wait for it"
    (tmp_path / "go").touch()
    if "--bg" not in magic:
        assert unused.finish(message).status == "ok"
    assert unused.run("answer").value == "42"


def test_a_cell_can_be_stopped_while_the_embedded_lambda_starts(unused, tmp_path):
    """The cell ends at once with one line, its card as cancelled, and the next cell has the embedded Lambda."""
    kernel = unused
    message = kernel.send("%%lambda\nimport time\ntime.sleep(60)")
    kernel.wait_for_text(message, _STARTING)
    kernel.interrupt()
    replied = kernel.finish(message)
    assert replied.error["ename"] == "KeyboardInterrupt"
    assert [line.count("\n") for line in replied.error["traceback"]] == [0]
    assert "■ cancelled" in replied.bundles("update_display_data")[-1]["text/plain"]
    (tmp_path / "go").touch()
    assert kernel.run("%%lambda -q\n6 * 7").value == "42"
    assert "■ cancelled" in kernel.run("%lambda jobs").value
