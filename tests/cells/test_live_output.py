"""What a job prints is seen while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from lambdamagic.errors import CredentialsError
from lambdamagic.magics.live_output import LiveOutput
from lambdamagic.widgets.actions import OutputLog


def _wait_for(what: Callable[[], bool]) -> None:
    """Wait for what another process does; the test's own time limit is further away."""
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def test_what_runs_is_shown_before_it_answers(notebook, gate):
    """The lines of each invocation under way, and none of Lambda's own; they go when its answer is there."""
    notebook.ok("def step(n):\n    print('step', n)\n    if n == 1:\n        " + gate.code + "\n    return n")
    job = notebook.ok("job = %lambda_map --bg --chunksize 1 step range(2)\njob").value
    gate.reached()
    session = notebook.session
    (target,) = session._targets.values()
    log = OutputLog()
    live = LiveOutput(job.job_id, log, lambda clock: target.logs(session.history[-1].function, clock))
    live.tick()
    assert log.now == "", "nobody looks"
    log.is_watched = True
    live._clock.moved_at -= 60.0  # quiet for long
    live.tick()
    _wait_for(lambda: "step 1" in log.now)
    assert log.now == "── task 1\nstep 1", "what has ended is no longer there"
    live.stop()
    assert log.now == ""
    gate.open()
    assert job.result() == [0, 1]


def test_a_log_that_cannot_be_read_is_told(notebook):
    """In the place of the lines; the job is none the worse for it."""

    def refused(clock):
        raise CredentialsError("these credentials may not do that")

    log = OutputLog()
    live = LiveOutput("nobody", log, refused)
    log.is_watched = True
    live._clock.moved_at -= 60.0
    live.tick()
    _wait_for(lambda: log.now != "")
    assert log.now == "What runs cannot be followed: these credentials may not do that"
    live.stop()
    assert log.now == ""
