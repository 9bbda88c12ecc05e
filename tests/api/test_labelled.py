"""Futures, results that will come and map jobs say what they stand for, plainly and in a notebook."""

from __future__ import annotations

import threading

import pytest

from lambdamagic.api.async_results import AsyncResult
from lambdamagic.api.labelled import CallFuture
from lambdamagic.errors import JobCancelledError


def test_a_future_shows_its_call_and_state():
    """From pending to its outcome; the value itself, which may be huge, is only named by its type."""
    future = CallFuture[list[int]]("evaluate")
    assert repr(future) == "<Future of evaluate: pending>"
    future.set_running_or_notify_cancel()
    assert repr(future) == "<Future of evaluate: running>"
    assert "▶ running" in future._repr_html_()
    future.set_result([1])
    assert repr(future) == "<Future of evaluate: done, returned list>"
    assert "✓ done" in future._repr_html_() and "returned list" in future._repr_html_()


def test_a_failed_and_a_cancelled_future():
    """The exception's type is reported; looking raises nothing."""
    failed, cancelled = CallFuture[int]("<lambda>"), CallFuture[int]("f")
    failed.set_exception(KeyError("x"))
    cancelled.cancel()
    assert repr(failed) == "<Future of <lambda>: failed, raised KeyError>"
    assert "λ &lt;lambda&gt;" in failed._repr_html_()
    assert repr(cancelled) == "<Future of f: cancelled>"


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (3, None, "done, returned int"),
        (None, ValueError("bad"), "failed, raised ValueError"),
        (None, JobCancelledError("terminated"), "cancelled"),
    ],
)
def test_an_async_result(value, error, shown):
    """As a future, under its own name."""
    result = AsyncResult[int]("evaluate")
    assert repr(result) == "<AsyncResult of evaluate: running>"
    result._settle(value, error)
    assert repr(result) == f"<AsyncResult of evaluate: {shown}>"
    assert shown.partition(",")[0] in result._repr_html_()


def test_what_the_apis_return(lambda_executor, lambda_pool):
    """They are named after the callable, while it runs and afterwards."""
    gate = threading.Event()
    future = lambda_executor.submit(divmod, 7, 2)
    future.add_done_callback(lambda _: gate.set())
    assert gate.wait(60)
    assert repr(future) == "<Future of divmod: done, returned tuple>"
    result = lambda_pool.map_async(abs, [-1, 2])
    result.wait(60)
    assert repr(result) == "<MapResult of abs: done, returned list>"
    job = lambda_executor.start_map(abs, [-1, 2])
    job.wait(60)
    assert "λ abs" in job._repr_html_() and "2/2 tasks" in job._repr_html_() and job.job_id in job._repr_html_()
