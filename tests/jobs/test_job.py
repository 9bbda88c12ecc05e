"""A job as its owner sees it: what arrives, how it ends, and what is known of each invocation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.errors import CredentialsError
from lambdamagic.events import Listeners
from lambdamagic.jobs.job import Arrival, Job, Unit, new_job_id
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response, TaskSummary
from tests.jobs.functions import job_spec

_SPEC = job_spec()


def arrival(*errors: str, **more: Any) -> Arrival:
    """Return an invocation's end, with what each task's code raised."""
    response = Response(
        versions.here(), "done", tasks=[TaskSummary(0.0, error) for error in errors], outputs=[{"a": 1}]
    )
    return replace(Arrival(Unit(tuple(range(len(errors)))), response, [], None, None), **more)


def test_ids_sort_by_time_and_differ() -> None:
    """They are names of files and of objects, too."""
    found = {new_job_id() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", each) for each in found)


def test_what_a_job_is_unless_it_is_said() -> None:
    """Synchronous, one at a time, billed, and with no secret in its representation."""
    spec = replace(_SPEC, key=b"secret", trigger_secret=b"secret", environment={"A": "secret"})
    assert (spec.mode, spec.max_concurrency, spec.inline_limit_bytes, spec.attempts_before) == ("sync", 1, 0, 0)
    assert (spec.answer_bound_s, spec.collects, spec.is_billed) == (0.0, True, True)
    assert (spec.keeps_remote, spec.backups, spec.cached) == (False, False, ())
    assert "secret" not in repr(spec)
    assert spec.function.runs_graphs and not spec.function.is_restored
    assert _SPEC.job_id != replace(_SPEC, job_id=new_job_id()).job_id and len(_SPEC.key) == 32
    assert "secret" not in repr(Arrival(Unit(()), None, [], None, None))


@pytest.mark.parametrize("mode", ["sync", "event", "trigger"])
def test_an_event_takes_less_than_a_request(mode: Any) -> None:
    """But never more than the job's own limit."""
    most = AWS_LAMBDA.event_inline_bytes
    large, small = (replace(_SPEC, mode=mode, inline_limit_bytes=most + step) for step in (5, -5))
    assert large.event_limit_bytes == (most + 5 if mode == "sync" else most)
    assert small.event_limit_bytes == most - 5


def test_arrivals_come_until_the_end() -> None:
    """In order; an error of the whole job comes last. They are taken once."""
    job = Job(_SPEC, Listeners(), clock := ManualClock(50.0))
    assert (job.state, job.started_at, job.finished_at, job.error, job.wait(0)) == ("running", 50.0, None, None, False)
    first, second = arrival("", ""), arrival("")
    job.arrived(first)
    job.arrived(second)
    clock.advance(7.0)
    job.finished("failed", CredentialsError("none"))
    assert (job.state, job.finished_at, job.wait(0), job.job_id) == ("failed", 57.0, True, _SPEC.job_id)
    arrivals = job.arrivals()
    assert [next(arrivals), next(arrivals)] == [first, second]
    with pytest.raises(CredentialsError):
        next(arrivals)
    done = Job(_SPEC, Listeners())
    done.finished("done", None)
    assert list(done.arrivals()) == []


def test_a_view_is_called_while_nothing_arrives() -> None:
    """From the waiting thread; nothing else is between it and what arrives then."""
    job, ticks = Job(_SPEC, Listeners()), list[int]()

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 3:
            job.arrived(only)
            job.finished("done", None)

    only = arrival("")
    assert list(job.arrivals(tick, every_s=0.001)) == [only]
    assert len(ticks) == 3


def test_stopping_before_the_engine_has_it_changes_nothing() -> None:
    """It is given to the engine first."""
    job = Job(_SPEC, Listeners())
    job.cancel()
    job.give_up()
    assert job.state == "running"
    ends: list[str] = []
    job._cancel, job._give_up = (lambda: ends.append("cancel")), (lambda: ends.append("give up"))
    job.cancel()
    job.give_up()
    assert ends == ["cancel", "give up"]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (arrival("", ""), ""),
        (arrival("", "E: x", "F: y"), "E: x"),
        (arrival("D: w", "E: x", superseded=frozenset({0})), "E: x"),
        (arrival("D: w", superseded=frozenset({0})), ""),
        (arrival("E: x", unit=Unit((4, 5))), "E: x"),
        (arrival("", unit=Unit((4, 5))), ""),
        (arrival(response=None), ""),
    ],
)
def test_the_first_exception_of_an_invocation_is_its_line(found: Arrival, line: str) -> None:
    """One of a task that runs again does not count."""
    assert (found.error_line, found.has_failed) == (line, bool(line))


def test_an_invocation_that_died_has_failed() -> None:
    """What its error brought is what it showed; without one, what its answer has."""
    error = ValueError("dead")
    assert arrival(response=None, error=error).has_failed
    assert arrival(response=None, error=error).outputs == []
    error.outputs = [{"b": 2}]  # type: ignore[attr-defined]
    assert arrival(response=None, error=error).outputs == [{"b": 2}]
    assert arrival("", error=error).outputs == [{"a": 1}]
