"""A job's account: what is reported of it, what of that is billed, and what is kept of its logs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambdamagic import events
from lambdamagic.clock import ManualClock
from lambdamagic.errors import (
    EnvironmentDiedError,
    InvocationLostError,
    JobCancelledError,
    LambdaMagicError,
    ResultError,
    ThrottledError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.job import Arrival, FunctionRef, Job, Unit
from lambdamagic.jobs.ledger import Ledger
from lambdamagic.jobs.prices import S3_READ_USD, S3_WRITE_USD, Prices
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response, TaskSummary, Usage
from lambdamagic.protocol.report import Report
from tests.jobs.functions import job_spec

#: At 128 MB a second costs a dollar, and a request a hundred.
_PRICES = Prices(8.0, 100.0)
_REPORT_LINE = (
    "REPORT RequestId: r\tDuration: 1500.00 ms\tBilled Duration: 2000 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t"
)
_UNIT = Unit((4, 5))
_AT = 77.0


class Account:
    """A ledger, with what it said and spent."""

    def __init__(self, **more: Any) -> None:
        self.spec = job_spec(label="work", task_count=9, prices=_PRICES, budget=Budget(1e9), job_id="j", **more)
        self.happened: list[events.Event] = []
        listeners = Listeners()
        listeners.add(self.happened.append)
        clock = ManualClock(_AT)
        self.job = Job(self.spec, listeners, clock)
        self.ledger = Ledger(self.job, clock)

    @property
    def spent_usd(self) -> float:
        assert self.spec.budget is not None
        return self.spec.budget._spent_usd

    def billed(self) -> list[float]:
        """Return the costs that were reported; their sum is what was spent."""
        costs = [each.cost_usd for each in self.happened if isinstance(each, events.Billed)]
        assert self.spent_usd == pytest.approx(sum(costs))
        return costs


def arrival(usage: Usage | None = None, report: Report | None = None, **more: Any) -> Arrival:
    """Return the answer of an invocation."""
    response = Response(versions.here(), "done", usage=usage, tasks=[TaskSummary(1.0), TaskSummary(2.0, "E: x")])
    return replace(Arrival(_UNIT, response, [], None, report), **more)


def test_a_job_begins_with_what_is_known():
    """Its tasks whose outcomes are cached are done."""
    account = Account(cached=(2, 7))
    account.ledger.job_started()
    started = events.JobStarted("j", "work", 9, 128, True, _AT, ())
    cached = [events.TaskFinished("j", task, False, "", 0.0, _AT, True) for task in (2, 7)]
    assert account.happened == [started, *cached]


def test_what_is_tried_again_is_reported_with_its_reason():
    """Unless it is said otherwise the code may have run, nothing waits, and the memory is the same."""
    account = Account()
    account.ledger.started(_UNIT, "a")
    account.ledger.throttled((4,), "a", 0.5)
    account.ledger.backed_up(_UNIT, 9.0)
    account.ledger.retried((4, 5), "why")
    account.ledger.retried((4,), "why", attempt_id="a", may_have_run=False, wait_s=2.0, memory_mb=512)
    assert account.happened == [
        events.InvocationStarted("j", "a", (4, 5), _AT),
        events.InvocationThrottled("j", "a", (4,), 0.5, _AT),
        events.InvocationBackedUp("j", (4, 5), 9.0, _AT),
        events.InvocationRetried("j", "", (4, 5), "why", True, 0.0, _AT, 0),
        events.InvocationRetried("j", "a", (4,), "why", False, 2.0, _AT, 512),
    ]


@pytest.mark.parametrize(
    ("usage", "report", "billed_s"),
    [
        (Usage(1500.0), None, 1.5),
        (Usage(1500.0, cold=True, init_ms=200.0), None, 1.7),
        (Usage(1500.0), Report(billed_ms=1000.0), 1.0),
        (Usage(1500.0), Report(billed_ms=2000.0), 2.0),
        (Usage(1500.0, cold=True), Report(billed_ms=1000.0), 1.5),
        (Usage(1500.0, cold=True), Report(billed_ms=2000.0), 2.0),
        (Usage(1500.0, cold=True), Report(billed_ms=1000.0, init_ms=0.5), 1.0),
        (Usage(1500.0, cold=True), Report(billed_ms=1000.0, failed_init_ms=0.5), 1.0),
    ],
    ids=["no report", "with init", "less", "more", "half a log", "a whole log", "init", "an init that failed"],
)
def test_an_answer_is_billed_by_the_report_that_has_its_init(usage: Usage, report: Report | None, billed_s: float):
    """A log that was cut off may lack an INIT that failed before; then what the function measured is the least."""
    account = Account()
    account.ledger.ended(arrival(usage, report), "a", "")
    assert account.billed() == [pytest.approx(100.0 + billed_s)]


def test_an_answer_is_reported_with_all_that_it_used():
    """Its requests to S3 by their prices; how long it ran is said by the report, if there is one."""
    account = Account()
    usage = Usage(1500.0, cold=True, environment_id="e", s3_requests=5, s3_writes=2)
    account.ledger.ended(arrival(usage), "a", "")
    account.ledger.ended(arrival(usage, Report(duration_ms=70.0, billed_ms=1500.0)), "b", "")
    cost_usd = pytest.approx(101.5 + 2 * S3_WRITE_USD + 3 * S3_READ_USD, rel=1e-9)
    assert account.billed() == [cost_usd] * 2
    first, second = account.happened
    assert first == events.InvocationFinished("j", "a", (4, 5), None, "e", True, 5, first.cost_usd, 1500.0, _AT)
    assert (second.report, second.duration_ms) == (Report(duration_ms=70.0, billed_ms=1500.0), 70.0)


@pytest.mark.parametrize(("is_cold", "is_restored"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_snapshot_is_billed_where_one_was_restored(is_cold: bool, is_restored: bool):
    """By a cold start of a function that has one, which may be another than the job's."""
    account = Account()
    unit = Unit((4, 5), function=FunctionRef("g", 256, 3, is_restored=is_restored))
    account.ledger.ended(arrival(Usage(1000.0, cold=is_cold), unit=unit), "a", "")
    restored = _PRICES.invocation_usd(billed_ms=1000.0, memory_mb=256, is_restored=is_cold and is_restored)
    assert account.billed() == [restored]


def dead(kind: type[LambdaMagicError], *, log: str = "", billed_s: float | None = None) -> LambdaMagicError:
    """Return the error of an attempt."""
    error = kind("it died")
    error.request_id, error.log_tail, error.billed_s = "r", log, billed_s
    return error


@pytest.mark.parametrize(
    ("error", "cost_usd"),
    [
        (dead(EnvironmentDiedError, log=_REPORT_LINE, billed_s=9.0), 102.0),
        (dead(InvocationLostError, billed_s=0.5), 100.5),
        (dead(ResultError, billed_s=0.5), 100.5),
        (dead(InvocationLostError, billed_s=9.0), 103.0),
        (dead(InvocationLostError), 101.25),
        (dead(ThrottledError), None),
        (dead(ResultError), None),
    ],
    ids=["a report", "seen", "said", "longer than it may run", "lost", "throttled", "nothing ran"],
)
def test_an_attempt_without_an_answer_is_billed_by_what_is_known(error: LambdaMagicError, cost_usd: float | None):
    """By its log, else by how long it was seen, else by how long it was out if it may have run at all."""
    account = Account()
    account.ledger.died(_UNIT, "a", error, elapsed_s=1.25)
    assert account.billed() == ([] if cost_usd is None else [pytest.approx(cost_usd)])
    is_reported = bool(error.log_tail)
    assert [type(each) for each in account.happened] == (
        [] if cost_usd is None else [events.InvocationFinished if is_reported else events.Charged]
    )
    assert account.job.log_tails == ([error.log_tail] if is_reported else [])


def test_a_death_in_a_cold_environment_is_reported_so():
    """With the time that its report has."""
    account = Account()
    account.ledger.died(_UNIT, "a", dead(EnvironmentDiedError, log=f"{_REPORT_LINE}Init Duration: 9 ms\t"), elapsed_s=9)
    (found,) = account.happened
    assert isinstance(found, events.InvocationFinished)
    assert (found.is_cold, found.duration_ms, found.environment_id, found.s3_requests) == (True, 1500.0, "", 0)


def test_what_is_left_behind_is_billed_for_as_long_as_it_was_out():
    """By its own function, whose timeout ends it."""
    account = Account()
    account.ledger.left(_UNIT, 2.0)
    account.ledger.left(Unit((1,), function=FunctionRef("g", 256, 1)), 2.0)
    assert account.happened == [
        events.Charged("j", "unreported", pytest.approx(102.0), _AT),
        events.Charged("j", "unreported", pytest.approx(102.0), _AT),
    ]
    account.billed()


def test_requests_and_bytes_are_reported_when_there_are_new_ones():
    """Each once."""
    account = Account()
    account.ledger.requests_made()
    assert account.happened == []
    meter = account.spec.requests
    meter.add(writes=3, reads=2)
    meter.sent(10)
    meter.received(7)
    account.ledger.requests_made()
    account.ledger.requests_made()
    cost_usd = 3 * S3_WRITE_USD + 2 * S3_READ_USD
    assert account.happened == [events.BytesMoved("j", 10, 7), events.Charged("j", "s3", pytest.approx(cost_usd), _AT)]
    account.billed()


def test_a_batch_is_billed_next_to_its_events():
    """The invoker has memory of another size."""
    account = Account()
    report = Report(billed_ms=500.0, memory_mb=1024)
    account.ledger.handed_over(40, report)
    assert account.happened == [events.BatchHandedOver("j", 40, report, 104.0, _AT)]
    account.billed()


def test_tasks_end_with_their_outcomes():
    """A task whose outcome does not count has none yet; a death is the end of all."""
    account = Account()
    account.ledger.delivered(arrival())
    account.ledger.delivered(arrival(superseded=frozenset({5})))
    account.ledger.delivered(arrival(response=None, error=ValueError("a\nb")))
    done = events.TaskFinished("j", 4, False, "", 1.0, _AT)
    assert account.happened == [
        done,
        events.TaskFinished("j", 5, True, "E: x", 2.0, _AT),
        done,
        events.TaskFinished("j", 4, True, "ValueError: a", 0.0, _AT),
        events.TaskFinished("j", 5, True, "ValueError: a", 0.0, _AT),
    ]


def test_tasks_that_the_deadline_cut_off_have_no_end_yet():
    """The answer has outcomes of the first ones only."""
    account = Account()
    account.ledger.delivered(arrival(unit=Unit((4, 5, 6))))
    assert [each.task for each in account.happened if isinstance(each, events.TaskFinished)] == [4, 5]


def test_a_report_of_another_invocation_does_not_count():
    """A log's end may have one, or the code printed it."""
    account = Account()
    log = _REPORT_LINE.replace("RequestId: r", "RequestId: s")
    account.ledger.died(_UNIT, "a", dead(EnvironmentDiedError, log=log), elapsed_s=1.0)
    assert account.billed() == [101.0]


def test_the_end_says_why_in_one_line():
    """Nothing, where it ended well."""
    account = Account()
    account.ledger.job_finished("done", None)
    account.ledger.job_finished("failed", JobCancelledError("a", hint="b"))
    assert account.happened == [
        events.JobFinished("j", "done", "", _AT),
        events.JobFinished("j", "failed", "JobCancelledError: a", _AT),
    ]


def test_the_latest_logs_are_kept():
    """Twenty of them; an invocation without a log pushes none out."""
    account = Account()
    for number in range(25):
        account.ledger.ended(arrival(), "a", f"log {number}\n")
        account.ledger.ended(arrival(), "a", "")
    assert account.job.log_tails == [f"log {number}\n" for number in range(5, 25)]
