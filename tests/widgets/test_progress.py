"""What a view knows of a job, made from its events alone."""

from __future__ import annotations

import pytest

from lambdamagic import events
from lambdamagic.protocol.report import Report
from lambdamagic.widgets.progress import ProgressListener
from tests.widgets.jobs import JOB, START, after, ended, outcome, over, sent, started


def test_a_job_under_way_counts_tasks_in_invocations_that_have_begun() -> None:
    """Two invocations of three tasks each: one is over, one is under way."""
    progress = after(
        started(), sent("a", 0, 1, 2), sent("b", 3, 4, 5), ended("a", 0, 1, 2), *(outcome(n) for n in range(3))
    )
    assert (progress.done, progress.failed, progress.running, progress.state) == (3, 0, 3, "running")
    assert progress.finished_tasks == 3
    assert not progress.is_over


def test_reports_add_up() -> None:
    """Billed time, cold starts, requests and cost are sums, memory is the highest."""
    progress = after(
        started(),
        sent("a", 0),
        sent("b", 1),
        ended("a", 0, is_cold=True, peak=120, cost=0.25),
        outcome(0),
        ended("b", 1, peak=90, cost=0.5),
        outcome(1),
    )
    assert (progress.billed_ms, progress.cold_starts, progress.s3_requests) == (3000.0, 1, 4)
    assert (progress.peak_memory_mb, progress.cost_usd, progress.running) == (120, 0.75, 0)


def test_an_invokers_cost_is_shown_and_its_run_is_not_a_task() -> None:
    """Its price is in the sum; its billed time, memory and cold start are not those of the tasks' invocations."""
    of_invoker = Report("i", 300.0, 700.0, 1024, 40, 400.0)
    handed = events.BatchHandedOver(JOB, 2, of_invoker, 0.25, START + 2)
    progress = after(started(), sent("a", 0), sent("b", 1), handed, ended("a", 0, cost=0.5), outcome(0))
    assert (progress.cost_usd, progress.billed_ms, progress.cold_starts) == (0.75, 1500.0, 0)
    assert (progress.memory_mb, progress.peak_memory_mb, progress.running) == (512, 100, 1)


def test_throttled_and_retried_tasks_are_not_running() -> None:
    """Both remove their tasks from the running ones, and are counted."""
    throttled = events.InvocationThrottled(JOB, "a", (0, 1), 0.2, START + 2)
    retried = events.InvocationRetried(JOB, "b", (2, 3), "died", True, 0.2, START + 2)
    progress = after(started(), sent("a", 0, 1), sent("b", 2, 3), throttled, retried)
    assert (progress.running, progress.throttled, progress.retried) == (0, 1, 2)


def test_equal_errors_are_counted_together() -> None:
    """A thousand times the same mistake is one line for display."""
    progress = after(started(), outcome(0, "ValueError: x"), outcome(1, "ValueError: x"), outcome(2, "KeyError: 'k'"))
    assert progress.errors.most_common() == [("ValueError: x", 2), ("KeyError: 'k'", 1)]


@pytest.mark.parametrize(
    ("end", "outcomes", "state"),
    [
        (over(), [outcome(0)], "done"),
        (over(), [outcome(0, "ValueError: x")], "failed"),
        (over(), [outcome(0, "ValueError: x"), outcome(1)], "partly"),
        (over("failed"), [outcome(0, "ValueError: x"), outcome(1)], "failed"),
        (over("failed", "OutOfMemoryError"), [], "failed"),
        (over("cancelled"), [outcome(0)], "cancelled"),
    ],
)
def test_the_end(end: events.JobFinished, outcomes: list[events.TaskFinished], state: str) -> None:
    """A job that ended well with failed tasks has failed for whoever looks at it."""
    progress = after(started(1), sent("a", 0), *outcomes, end)
    assert progress.state == state
    assert progress.is_over
    assert progress.running == 0
    assert progress.elapsed_s(START + 99) == 10


def test_the_remaining_time_follows_from_the_pace_so_far() -> None:
    """Four tasks one after the other took two seconds each; nothing is reported before the first and after the end."""
    first = (started(), sent("a", 0), ended("a", 0), outcome(0))
    assert after(*first).remaining_s(START + 3) == pytest.approx(18)
    assert after(started()).remaining_s(START + 8) is None
    assert after(started(None), *first[1:]).remaining_s(START + 8) is None
    assert after(*first, over()).remaining_s(START + 8) is None


def test_a_snapshot_does_not_change() -> None:
    """What a view holds is its own, also the errors."""
    listener = ProgressListener()
    listener(started())
    before = listener.snapshot()
    listener(outcome(0, "ValueError: x"))
    assert before.failed == 0
    assert not before.errors


def test_backups_are_counted() -> None:
    """A second attempt of a straggler leaves the task under way once."""
    backup = events.InvocationBackedUp(JOB, (0,), 4.0, START + 2)
    progress = after(started(), sent("a", 0), backup, sent("b", 0))
    assert (progress.backed_up, progress.running) == (1, 1)
