"""What a job's view may ask for, task by task."""

from __future__ import annotations

import csv
import io
from typing import Any

from lambdamagic.codec.home import Home
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.magics.details import JobDetails
from lambdamagic.protocol.envelope import Response, TaskSummary
from lambdamagic.protocol.report import Report
from lambdamagic.runs.tasks import UNREAD, Failed, TaskTable, short_repr
from lambdamagic.widgets.progress import ProgressListener
from tests.widgets.jobs import outcome, started


class _Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def _arrival(tasks: tuple[int, ...], outputs: list[dict[str, Any]]) -> Arrival:
    report = Report("id-7", 900.0, 1000.0, 512, 210, 100.0)
    return Arrival(Unit(tasks), Response({}, "done", outputs=outputs), [], None, report, "id-7")


def _table() -> TaskTable:
    return TaskTable(Home({}), lambda task, failure, arrival: ValueError())


def _details() -> JobDetails:
    listener = ProgressListener()
    for event in (started(4), outcome(2), outcome(3, "ValueError: bad")):
        listener(event)
    table = _table()
    table.items = ["a", _Broken(), list(range(100)), {"k": 1}]
    table.add(table.items)
    table.put({2: "x" * 1000, 3: Failed(ValueError("bad"))})
    details = JobDetails(listener, table)
    details.function = "worker"
    details.took(
        _arrival(
            (2, 3),
            [
                {"stream": "stdout", "text": "two\n", "task": 0},
                {"stream": "stderr", "text": "three\n", "task": 1},
                {"stream": "stderr", "text": "from both\n"},
            ],
        )
    )
    return details


def test_a_done_task() -> None:
    """Its argument and result in short, its own output, its invocation's id and report, and where its log is."""
    shown = _details().describe(2)
    assert shown.argument == "[0, 1, 2, 3, 4, 5, 6, 7, ...]"
    assert len(shown.result) <= 200
    assert shown.output == "two\nfrom both\n"
    assert (shown.request_id, shown.report) == ("id-7", "billed 1.0 s, cold start 100 ms, peak 210 of 512 MB")
    assert "/aws/lambda/worker" in shown.log_query
    assert '@requestId = "id-7"' in shown.log_query
    assert shown.traceback == ""


def test_a_failed_task_has_its_traceback() -> None:
    """It is rendered when it is asked for."""
    shown = _details().describe(3)
    assert shown.traceback.endswith("ValueError: bad\n")
    assert (shown.result, shown.output) == ("", "three\nfrom both\n")


def test_a_task_that_has_not_run_has_its_argument() -> None:
    """Also one whose repr is broken."""
    details = _details()
    assert details.describe(0).argument == "'a'"
    assert details.describe(1).argument.startswith("<_Broken instance at")
    assert details.describe(1).log_query == ""


def test_results_as_a_table() -> None:
    """One line a task, in order, with what is known of it."""
    rows = list(csv.DictReader(io.StringIO(_details().results_csv())))
    assert [row["state"] for row in rows] == ["waiting", "waiting", "done", "failed"]
    assert rows[3]["error"] == "ValueError('bad')"
    assert rows[2]["seconds"] == "0.500000"
    assert rows[0]["result"] == ""


def test_reprs_are_short() -> None:
    """Whatever it is, a person can read it."""
    assert len(short_repr({n: list(range(n)) for n in range(1000)})) < 1000


def test_an_unread_outcome_is_reported_as_such() -> None:
    """A result waits for the main thread; of a failure its type and message are known, and that more will come."""
    listener = ProgressListener()
    for event in (started(2), outcome(0), outcome(1, "ValueError: bad")):
        listener(event)
    details = JobDetails(listener, _table())
    response = Response({}, "done", tasks=[TaskSummary(0.1), TaskSummary(0.1, "ValueError: bad")])
    details.took(Arrival(Unit((0, 1)), response, [], None, None, "id-8"))
    assert details.describe(0).result == UNREAD
    assert details.describe(1).traceback == f"ValueError: bad\nTraceback {UNREAD}"
    assert "not run" not in details.results_csv()
