"""What a job prints is seen while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lambdamagic.api.live_output import LiveOutput
from lambdamagic.errors import CredentialsError
from lambdamagic.widgets.actions import OutputLog


def _watch(live: LiveOutput, log: OutputLog, what: Callable[[], bool]) -> None:
    """Look on, as a cell that waits does, until that is shown; the test's own time limit is further away."""
    log.is_watched = True
    until = time.monotonic() + 150
    while not what():
        assert time.monotonic() < until, f"it did not come: {log.now!r}"
        live.tick()
        time.sleep(0.05)


def _follow(notebook, job, **how):
    session, log = notebook.session, OutputLog()
    target = session.target(session.settings())
    return LiveOutput(job.job_id, log, lambda clock: target.logs(session.history[-1].function, clock), **how), log


def test_output_is_shown_while_a_cell_runs(notebook, gate):
    """The lines of each invocation under way, and none of Lambda's own, though they begin alike; not what has ended."""
    printing = "    print('step', n)\n    print('END of a step\\nREPORT ready')\n"
    notebook.ok(f"def step(n):\n{printing}    if n == 1:\n        {gate.code}\n    return n")
    job = notebook.ok("job = %lambda_map --bg --chunksize 1 step range(2)\njob").value
    gate.reached()
    live, log = _follow(notebook, job)
    live.tick()
    assert log.now == "", "nobody looks"
    _watch(live, log, lambda: log.now == "── item 2\nstep 1\nEND of a step\nREPORT ready")
    live.stop()
    assert log.now == ""
    gate.open()
    assert job.result() == [0, 1]


def test_a_log_that_cannot_be_read_is_reported(notebook):
    """It is shown in place of the lines; the job is not affected."""

    def refused(clock):
        raise CredentialsError("these credentials lack a permission")

    log = OutputLog()
    live = LiveOutput("nobody", log, refused)
    _watch(live, log, lambda: log.now != "")
    assert log.now == "Cannot follow the output: these credentials lack a permission"
    live.stop()
    assert log.now == ""


@pytest.mark.parametrize(
    "write", ["print('loading ...', end='')", "sys.stderr.write('loading ...')", "os.write(1, b'loading ...')"]
)
def test_a_line_without_its_end_is_seen(notebook, gate, write):
    """It is there while the cell runs, and is replaced by the whole line once that is ended."""
    notebook.ok(f"%%lambda --bg\nimport os, sys\nprint('begin')\n{write}\n{gate.code}\n{write}\nprint()\ndone = 1")
    job = notebook.ok("job = %lambda last\njob").value
    gate.reached()
    live, log = _follow(notebook, job, is_single=True)
    _watch(live, log, lambda: log.now.split("\n")[:2] == ["begin", "loading ..."])
    live.stop()
    gate.open()
    assert notebook.ok("done").value == 1


def test_a_progress_bar_is_its_latest_line(notebook, gate):
    """A line that replaces itself does so in what is shown while it runs; afterwards all of it comes to the cell."""
    job = notebook.ok(f"""
        %%lambda --bg
        import sys
        from tqdm.auto import tqdm
        print('begin')
        bar = tqdm(range(50), file=sys.stdout, mininterval=0)
        for n in bar:
            if n == 40:
                {gate.code}
        total = 50
    """)
    job = notebook.ok("job = %lambda last\njob").value
    gate.reached()
    live, log = _follow(notebook, job, is_single=True)
    _watch(live, log, lambda: "begin" in log.now and "%|" in log.now)
    assert [line.count("%|") for line in log.now.splitlines()] == [0, 1]
    live.stop()
    gate.open()
    assert notebook.ok("total").value == 50


def test_a_bar_that_is_a_widget_is_live(kernel, gate):
    """`tqdm.notebook` updates widgets, which have no page there: their state is shown as text, and its end stays."""
    message = kernel.send(f"""%%lambda
from tqdm.notebook import tqdm
for n in tqdm(range(4), mininterval=0, desc='fit'):
    if n == 2:
        {gate.code}
""")
    gate.reached()
    kernel.wait_for_text(message, "fit:  50%|█████     | 2/4 [")
    gate.open()
    replied = kernel.finish(message)
    assert "fit: 100%|██████████| 4/4 [" in replied.bundles("display_data")[-1]["text/plain"]


def test_displays_are_seen_while_the_cell_runs(kernel, gate):
    """As they are now: what was updated is new, what was cleared is gone; at the end all of it is the cell's."""
    message = kernel.send(f"""%%lambda
from IPython.display import HTML
handle = display('first', display_id=True)
display(HTML('<b>bold</b>'))
handle.update('second')
{gate.code}
last = 1
""")
    gate.reached()
    kernel.wait_for_text(message, "&#x27;second&#x27;</pre><b>bold</b>")
    gate.open()
    replied = kernel.finish(message)
    assert [bundle["text/plain"] for bundle in replied.bundles("display_data")][-2:] == [
        "'second'",
        "<IPython.core.display.HTML object>",
    ]
    assert "DISPLAYS" not in kernel.run("%lambda logs").stream("stdout")
