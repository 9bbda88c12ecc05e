"""The kernel's side of JupyterLab's panel, against the examples that the page's side is tested with too."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.events import JobFinished, JobQueued, JobStarted
from lambdamagic.widgets.panel import JobsPanel, job_facts
from lambdamagic.widgets.progress import Progress, ProgressListener
from tests.widgets.jobs import JOB, ended, outcome, over, sent, started

_EXAMPLES = Path(__file__).parents[1] / "fixtures" / "comm"
_DEADLINE_S = 60.0


class _Comm:
    """A comm whose page is the test."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_open = True
        self._arrived = threading.Condition()
        self._hear: Callable[[dict[str, Any]], None] = lambda message: None

    def send(self, data: dict[str, Any]) -> None:
        with self._arrived:
            self.sent.append(json.loads(json.dumps(data)))
            self._arrived.notify()

    def on_msg(self, callback: Callable[[dict[str, Any]], None]) -> None:
        self._hear = callback

    def close(self) -> None:
        self.is_open = False

    def say(self, **data: Any) -> None:
        self._hear({"content": {"data": data}})

    def wait_for(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: any(map(is_it, self.sent)), _DEADLINE_S), self.sent
            return next(message for message in self.sent if is_it(message))


def _example(name: str) -> Any:
    return json.loads((_EXAMPLES / f"{name}.json").read_text())


def _same_but_now(message: dict[str, Any], name: str) -> None:
    """The clock apart, the message is the example; what is left is estimated by that clock."""
    example = _example(name)
    assert {**message, "now": 0} == {**example, "now": 0}


class _Jobs:
    """What a kernel knows of its jobs: one map that failed, and can be run again once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_running = False
        self.listeners: dict[str, ProgressListener] = {}

    def listener_of(self, job_id: str) -> ProgressListener | None:
        return self.listeners.get(job_id)

    def cell_of(self, job_id: str) -> str:
        return "cell-1"

    def cancel(self, job_id: str) -> bool:
        self.asked.append(f"cancel {job_id}")
        return self.is_running

    def logs(self, job_id: str) -> str:
        return f"logs of {job_id}"

    def can_retry(self, job_id: str) -> bool:
        return job_id == JOB and "submit" not in self.asked

    def has_table(self, job_id: str) -> bool:
        return self.can_retry(job_id)

    def table_of(self, job_id: str) -> str | None:
        self.asked.append(f"table {job_id}")
        return "task,state\r\n0,done\r\n" if self.has_table(job_id) else None

    def can_attach(self, job_id: str) -> bool:
        return False

    def retry(self, job_id: str) -> bool:
        self.asked.append(f"retry {job_id}")
        return self.asked.count(f"retry {job_id}") == 1

    def view_of(self, job_id: str) -> str:
        return "model-1" if self.can_retry(job_id) else ""

    def result_of(self, job_id: str) -> dict[str, str] | None:
        return {"text/html": "<div>result</div>", "text/plain": "result"} if job_id == JOB else None

    def outputs_of(self, job_id: str) -> list[dict[str, Any]] | None:
        printed = {"output_type": "stream", "name": "stdout", "text": "printed\n"}
        return [printed] if self.view_of(job_id) else None


@pytest.fixture
def comm() -> _Comm:
    """An open comm."""
    return _Comm()


@pytest.fixture
def jobs() -> _Jobs:
    """What the kernel knows."""
    return _Jobs()


@pytest.fixture
def panel(comm: _Comm, jobs: _Jobs) -> Any:
    """A panel with a job that can no longer be cancelled, and its logs."""
    found = JobsPanel(jobs, every_s=0.01)
    found.connect(comm)
    yield found
    found.close()


def test_sent_messages_match_the_examples(panel: JobsPanel, comm: _Comm, jobs: _Jobs) -> None:
    """Everything to a page that says hello, then what changed."""
    for event in (started(4), sent("a", 0, 1), ended("a", 0, 1, is_cold=True, cost=0.0025), outcome(0)):
        panel(event)
    panel(outcome(1, "ValueError: no"))
    panel(over("failed", "ValueError: no"))
    comm.say(kind="hello")
    _same_but_now(comm.sent[0], "whole")
    comm.say(kind="result", job=JOB)
    assert comm.wait_for(lambda message: message["kind"] == "result") == _example("result")
    jobs.asked.append("submit")  # which is no map
    panel(started(None, "submit"))
    _same_but_now(
        comm.wait_for(lambda message: message.get("whole") is False and message["jobs"][0]["label"] == "submit"),
        "change",
    )
    comm.say(kind="logs", job=JOB)
    assert comm.wait_for(lambda message: message["kind"] == "logs") == _example("logs")
    comm.say(kind="cancel", job=JOB)
    assert comm.wait_for(lambda message: message["kind"] == "refused") == _example("refused")


def test_failed_tasks_run_again_as_long_as_the_job_is_known(panel: JobsPanel, comm: _Comm) -> None:
    """The page learns that it runs, and the second time why it does not; a deleted result is not mentioned."""
    comm.say(kind="retry", job=JOB)
    assert comm.sent == [_example("retrying")]
    comm.say(kind="retry", job=JOB)
    assert comm.sent[1]["to"] == "retry" and "Run its cell again" in comm.sent[1]["reason"]
    comm.say(kind="result", job="another")
    assert len(comm.sent) == 2


def test_messages_of_pages_are_understood(comm: _Comm) -> None:
    """Each example of a page's message reaches what it is meant for."""
    jobs = _Jobs()
    jobs.is_running = True
    panel = JobsPanel(jobs, every_s=0.01)
    panel.connect(comm)
    try:
        for message in _example("to_kernel"):
            comm.say(**message)
        assert jobs.asked == [f"cancel {JOB}", f"retry {JOB}", f"table {JOB}"]
        assert [message["kind"] for message in comm.sent] == ["jobs", "logs", "retrying", "table", "result"]
    finally:
        panel.close()


def test_nothing_is_sent_before_a_page_says_hello(panel: JobsPanel, comm: _Comm) -> None:
    """A notebook that runs without a page pays for nothing, not even a thread."""
    for event in (started(), sent("a", 0), outcome(0), over()):
        panel(event)
    assert comm.sent == []
    assert not [thread for thread in threading.enumerate() if thread.name == "lambdamagic-panel"]


def test_many_events_make_few_messages(comm: _Comm) -> None:
    """Between two messages is the requested time; the last state is always sent."""
    panel = JobsPanel(_Jobs(), every_s=0.2)
    panel.connect(comm)
    try:
        comm.say(kind="hello")
        panel(started(10_000))
        for task in range(10_000):
            panel(outcome(task))
        panel(over())
        comm.wait_for(lambda message: any(job["state"] == "done" for job in message["jobs"]))
        assert len(comm.sent) < 200
    finally:
        panel.close()
    assert not comm.is_open


def test_running_jobs_are_sent_again_without_events(comm: _Comm) -> None:
    """A page that was reloaded while the kernel is busy cannot ask; it learns of the running job, and of no other."""
    panel = JobsPanel(_Jobs(), every_s=0.01, alive_s=0.05)
    panel.connect(comm)
    try:
        for event in (started(1), over()):
            panel(type(event)(**{**vars(event), "job_id": "ended"}))
        panel(started(1))
        comm.say(kind="hello")
        comm.wait_for(lambda message: not message["whole"])
        seen = len(comm.sent)
        comm.wait_for(lambda message: message in comm.sent[seen:])
        assert [job["id"] for job in comm.sent[-1]["jobs"]] == [JOB]
    finally:
        panel.close()


def test_a_long_name_and_error_are_sent_whole_and_an_endless_one_ends_in_an_ellipsis(panel: JobsPanel) -> None:
    """The page shows what fits, and the whole as a title."""
    long, endless = "simulate " * 40, "x" * 5_000
    facts = [job_facts(replace(Progress("j"), label=text, error=text), "", 0.0) for text in (long, endless)]
    assert facts[0]["label"] == facts[0]["error"] == long
    assert facts[1]["label"] == facts[1]["error"] == "x" * 999 + "…"


def test_old_jobs_are_forgotten_and_their_cost_is_not(panel: JobsPanel, comm: _Comm) -> None:
    """The latest are kept; the session's total counts all."""
    for number in range(250):
        for event in (started(1), ended("a", 0, cost=0.01), over()):
            panel(type(event)(**{**vars(event), "job_id": f"job-{number:03d}"}))
    comm.say(kind="hello")
    message = comm.sent[0]
    assert len(message["jobs"]) == 200
    assert message["jobs"][-1]["id"] == "job-249"
    assert message["session"]["jobs"] == 250
    assert round(message["session"]["costUsd"], 6) == 2.5


def test_a_table_comes_as_in_the_example(panel: JobsPanel, comm: _Comm) -> None:
    """As CSV, or refused with a reason when it is no longer kept."""
    comm.say(kind="table", job=JOB)
    comm.say(kind="table", job="other")
    assert comm.sent[0] == _example("table")
    assert comm.sent[1] == {
        "kind": "refused",
        "to": "table",
        "job": "other",
        "reason": "The table of this job is no longer kept.",
    }


def test_a_widget_that_was_opened_is_sent_at_once(panel: JobsPanel, comm: _Comm, jobs: _Jobs) -> None:
    """A page knows which output shows a job before anything else happens to it: its kernel may die."""
    jobs.asked.append("submit")  # no widget yet
    panel(started(4))
    comm.say(kind="hello")
    comm.wait_for(lambda message: not message["whole"])
    assert all(job["view"] == "" for message in comm.sent for job in message["jobs"])
    jobs.asked.clear()
    panel.touch(JOB)
    panel.touch("another")
    comm.wait_for(lambda message: [job["view"] for job in message["jobs"]] == ["model-1"])


def test_a_job_with_a_view_is_not_followed_twice(panel: JobsPanel, comm: _Comm, jobs: _Jobs) -> None:
    """The panel says what the view's own listener knows, and takes in no task itself, with a page or without."""
    own = jobs.listeners[JOB] = ProgressListener()

    def happens(*happened: Any) -> None:
        for event in happened:
            own(event)
            panel(event)

    happens(started(4), sent("a", 0), outcome(0))
    comm.say(kind="hello")
    assert comm.sent[0]["jobs"][0]["done"] == 1
    happens(ended("a", 0, cost=0.5))
    shown = comm.wait_for(lambda message: message["session"]["costUsd"] == 0.5)
    assert [job["costUsd"] for job in shown["jobs"]] == [0.5]
    happens(over("cancelled"))
    assert comm.wait_for(lambda message: [job["state"] for job in message["jobs"]] == ["cancelled"])


def test_stopped_invocations_make_the_cost_a_minimum(panel: JobsPanel, comm: _Comm) -> None:
    """A job that was cancelled while something ran costs more than what was reported, and so does the session."""
    for event in (started(4), sent("a", 0), sent("b", 1), ended("a", 0, cost=0.5), over("cancelled")):
        panel(event)
    comm.say(kind="hello")
    assert comm.sent[0]["jobs"][0]["isAtLeast"] and comm.sent[0]["session"]["isAtLeast"]


def test_a_queued_job_is_shown_before_it_begins_and_counted_once(panel: JobsPanel, comm: _Comm) -> None:
    """With what it waits for and since when; if it never begins it is reported as ended."""
    comm.say(kind="hello")
    panel(JobQueued("q", "b = sum(a)", 1, True, "waits for job 1 (a)", 1000.0))
    (job,) = comm.wait_for(lambda message: bool(message["jobs"]))["jobs"]
    assert (job["state"], job["note"], job["startedAt"]) == ("queued", "waits for job 1 (a)", 1000.0)
    panel(JobStarted("q", "b = sum(a)", 1, 512, False, 1002.0))
    running = comm.wait_for(lambda message: any(each["state"] == "running" for each in message["jobs"]))
    assert running["session"]["jobs"] == 1
    assert running["jobs"][0]["note"] == ""
    panel(JobQueued("r", "c", 1, True, "waits for job q (b)", 1003.0))
    panel(JobFinished("r", "cancelled", "", 1004.0))
    assert comm.wait_for(lambda message: any(each["state"] == "cancelled" for each in message["jobs"]))
