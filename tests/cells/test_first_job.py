"""The first job of a kernel, for which the embedded Lambda has to be started."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.kernels import Kernel

_STARTING = "starting the embedded Lambda"
#: Holds its start back.
_HELD = """\
import threading
from lambdamagic.magics import session
let_go, started = threading.Event(), session.open_target
session.open_target = lambda *given, **more: (let_go.wait(60), started(*given, **more))[1]"""


@pytest.mark.parametrize("magic", ["%%lambda", "%%lambda --bg"])
def test_it_says_that_the_embedded_lambda_is_started(own_home, magic):
    """The card does so, where the cell waits for it and where it does not; a name that it binds comes all the same."""
    with closing(Kernel()) as kernel:
        assert kernel.run("%load_ext lambdamagic").status == "ok"
        if "--bg" in magic:
            kernel.run(_HELD)
        first = kernel.run(f"{magic}\nanswer = 6 * 7")
        (shown, *_) = first.bundles("display_data")
        assert "answer = 6 * 7  … starting" in shown["text/plain"] and _STARTING in shown["text/plain"]
        opened = kernel.run("len(get_ipython()._lambdamagic.session._targets)")
        assert opened.value == ("0" if "--bg" in magic else "1"), "a background cell does not wait for it"
        if "--bg" in magic:
            kernel.run("let_go.set()")
        assert kernel.run("answer").value == "42"


def test_it_can_be_stopped_while_the_embedded_lambda_is_started(own_home):
    """The cell ends at once with one line, its card as cancelled, and the next cell has the embedded Lambda."""
    with closing(Kernel()) as kernel:
        assert kernel.run("%load_ext lambdamagic").status == "ok"
        message = kernel.send("%%lambda\nimport time\ntime.sleep(60)")
        kernel.wait_for_text(message, _STARTING)
        kernel.interrupt()
        replied = kernel.finish(message)
        assert replied.error["ename"] == "KeyboardInterrupt"
        assert [line.count("\n") for line in replied.error["traceback"]] == [0]
        assert "■ cancelled" in replied.bundles("update_display_data")[-1]["text/plain"]
        assert kernel.run("%%lambda -q\n6 * 7").value == "42"
        assert "■ cancelled" in kernel.run("%lambda jobs").value
