"""The outcomes of a run's tasks."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from lambdamagic.codec.encode import Encoder
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.outcomes import Failure
from lambdamagic.protocol.envelope import Response, TaskSummary
from lambdamagic.runs.tasks import NOT_RUN, Failed, TaskStream, TaskTable, exception_of
from tests.jobs.functions import HOME


def _explain(task: int, failure: Failure, arrival: Arrival) -> BaseException:
    return exception_of(failure, lambda error: error)


def _arrival(tasks: tuple[int, ...], *values: Any) -> Arrival:
    encoder = Encoder(HOME)
    for value in values:
        encoder.dump({"value": value, "seconds": 0.0})
    frames = [bytes(segment) for segment in encoder.frames().segments]
    return Arrival(Unit(tasks), Response({}, "done", tasks=[TaskSummary(0.0)] * len(values)), frames, None, None)


def test_what_is_to_run_again() -> None:
    """Tasks without an outcome, and those that failed if they are asked for; the list of results is the same one."""
    table = TaskTable(HOME, _explain)
    assert table.add("abcd") == ([range(4)], ())
    results = table.results
    table.take(_arrival((0, 1), "A", "B"))
    table.put({2: Failed(ValueError("c"))})
    assert [str(each) for each in results] == ["A", "B", "c", "<not run>"]
    assert (table.unfinished(failed=False), table.unfinished(failed=True)) == ([3], [2, 3])
    table.forget([2, 3])
    assert (results[2], table.failures) == (NOT_RUN, {})


def test_a_late_attempt_takes_no_value_away() -> None:
    """A second attempt may fail where the first has brought a value; a value fixes a failure."""
    table = TaskTable(HOME, _explain)
    table.add("ab")
    table.put({0: "A", 1: Failed(ValueError())})
    table.put({0: Failed(ValueError()), 1: "B"})
    assert (table.results, table.failures) == (["A", "B"], {})


def test_results_that_cannot_be_read_are_their_tasks_failure() -> None:
    """Others are not touched by it, and no caller waits for ever."""
    table = TaskTable(HOME, _explain)
    table.add("abc")
    broken = _arrival((1, 2), "B", "C")
    broken.frames[0] = broken.frames[0][:-3]
    table.take(_arrival((0,), "A"))
    table.take(broken)
    assert table.results[:2] == ["A", "B"]
    assert sorted(table.failures) == [2]
    table.add("de")
    table.take(dataclasses.replace(_arrival((3, 4), "D", "E"), frames=[b""]))
    assert sorted(table.failures) == [2, 3, 4]


def test_a_stream_keeps_what_was_not_taken() -> None:
    """Outcomes come in the order of the tasks or as they came, each once; then the end, or what ended the run."""
    stream = TaskStream(HOME, _explain)
    stream.put({1: "b", 0: "a", 3: "d"})
    assert stream.take_any(None) == ["b"]
    assert stream.take_from(0, None) == ["a"]
    with pytest.raises(TimeoutError):
        stream.take_from(2, time.monotonic() + 0.01)
    with pytest.raises(TimeoutError):
        stream.take_from(2, float("nan"))  # as in `concurrent.futures`: a moment that never comes has passed
    stream.end()
    assert stream.take_from(2, None) == []
    stream.end(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        stream.take_from(2, None)
    assert stream.take_any(None) == ["d"]
