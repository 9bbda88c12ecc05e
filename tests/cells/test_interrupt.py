"""Ctrl-C stops waiting at once, cancels, and leaves the notebook usable."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from lambdamagic.errors import JobCancelledError
from lambdamagic.jobs.engine import find_job
from lambdamagic.magics.session import Session
from lambdamagic.runs.handle import Run
from tests.local.conftest import REPORT


def test_interrupting_a_cell(kernel, mailbox):
    """The cell ends within two seconds, the remote code is stopped, and the next cell runs."""
    kernel.run("x = [1]")
    message = kernel.send(
        "%%lambda -q\n"
        + REPORT.lstrip()
        + f"""
import time
x.append(2)
report({mailbox.port}, 'started')
try:
    time.sleep(60)
except BaseException as stopped:
    report({mailbox.port}, type(stopped).__name__)
    raise
"""
    )
    assert mailbox.receive() == "started"
    began = time.monotonic()
    kernel.interrupt()
    replied = kernel.finish(message)
    assert time.monotonic() - began < 20.0
    assert replied.error["ename"] == "KeyboardInterrupt"
    assert len(replied.error["traceback"]) == 1
    assert "Tasks still running on Lambda are being stopped" in replied.error["traceback"][0]
    assert kernel.run("%%lambda -q\nx + [3]").value == "[1, 3]"
    assert mailbox.receive() == "Interrupted"
    assert "■ cancelled" in kernel.run("%lambda jobs").value


def test_a_cell_that_is_stopped_keeps_what_it_has_printed(kernel, gate):
    """It is read from the log; the message says for how long it ran, and which names it did not bind."""
    body = f"print('epoch 1')\nprint('loss 0.5', end='\\r')\n{gate.code}\nmodel = scores = 1"
    message = kernel.send(f"%%lambda -q\n{body}")
    gate.reached()
    kernel.interrupt()
    replied = kernel.finish(message)
    assert replied.stream("stdout") == "epoch 1\nloss 0.5\n"
    (shown,) = replied.error["traceback"]
    assert re.search(r"cancelled after [\d.]+ m?s; not bound: model, scores. Tasks still running", shown), shown


def test_interrupting_a_map_keeps_what_is_done(kernel, mailbox):
    """Results that came before are in `%lambda last`."""
    kernel.run(
        REPORT.lstrip()
        + f"""
import time
def work(i):
    if i == 0:
        return 'done'
    report({mailbox.port}, i)
    time.sleep(60)
"""
    )
    message = kernel.send("r = %lambda_map -q --chunksize 1 --max-concurrency 2 work range(4)")
    mailbox.receive()
    mailbox.receive()
    began = time.monotonic()
    kernel.interrupt()
    replied = kernel.finish(message)
    assert time.monotonic() - began < 20.0
    assert replied.error["ename"] == "KeyboardInterrupt"
    assert [*map(str.count, replied.error["traceback"], "\n")] == [0], "one line, and none of our frames"
    assert kernel.run("last = %lambda last\nlast.results").value == "['done', <not run>, <not run>, <not run>]"
    assert kernel.run("%%lambda -q\n5").value == "5"


@pytest.mark.parametrize("moment", ["it is prepared", "it is started"])
def test_a_button_works_at_any_moment_before_the_job_begins(moment, notebook, monkeypatch):
    """Buttons are heard in a separate thread, also while the first job's target has just been opened."""
    begin, start, runs = Run.begin, Session.start, []

    def begin_meanwhile(run):
        runs.append(run)
        if moment == "it is prepared":
            run.cancel()
        return begin(run)

    def start_meanwhile(session, *args):
        job = start(session, *args)
        if moment == "it is started":
            threading.Thread(target=runs[-1].cancel).start()
        return job

    monkeypatch.setattr(Run, "begin", begin_meanwhile)
    monkeypatch.setattr(Session, "start", start_meanwhile)
    stopped = notebook.run("%%lambda\nimport time\ntime.sleep(60)")
    assert isinstance(stopped.error, JobCancelledError)
    assert notebook.session.history[-1].progress.state == "cancelled"


@pytest.mark.parametrize(("where", "name"), [(Session, "start"), (Run, "begin")])
def test_an_interrupt_works_at_any_moment_after_the_job_has_begun(where, name, notebook, gate, monkeypatch):
    """Also where the cell's code is reached before the notebook has recorded the job."""
    begins, logs = getattr(where, name), notebook.session.target(notebook.session.settings()).access.client("logs")

    def printed():
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        found = [logs.filter_log_events(logGroupName=group, startTime=began_ms)["events"] for group in groups]
        return [event["message"].strip() for events in found for event in events]

    def begin_and_interrupt(*args):
        job = begins(*args)
        gate.reached()
        while "epoch 1" not in printed():  # the log has it a moment after it was printed
            time.sleep(0.05)
        signal.raise_signal(signal.SIGINT)
        return job

    monkeypatch.setattr(where, name, begin_and_interrupt)
    began_ms = int(time.time() * 1000)
    stopped = notebook.run(f"%%lambda\nprint('epoch 1')\n{gate.code}\nmodel = 1")
    assert isinstance(stopped.error, KeyboardInterrupt) and stopped.stdout == "epoch 1\n"
    record = notebook.session.history[-1]
    assert record.progress.state == "cancelled"
    job = find_job(record.job_id)
    assert job is None or job.state == "cancelled"
