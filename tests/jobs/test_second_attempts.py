"""Backups, types of exceptions to retry, more memory after too little, and what all of it may cost."""

from __future__ import annotations

import json
import threading

import pytest

from lambdamagic import events
from lambdamagic.errors import ConfigError, CostLimitError, EnvironmentDiedError, OutOfMemoryError, ThrottledError
from lambdamagic.events import Listeners
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.job import FunctionRef, Unit
from lambdamagic.jobs.outcomes import encode_items, outcomes
from lambdamagic.jobs.policy import RetryPolicy, larger_memory_mb, wants_retry
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.report import Report
from lambdamagic.runs.sources import Units
from lambdamagic.transports.fake import FakeTransport, failed
from lambdamagic.transports.transport import InvocationReply
from tests.jobs.functions import DIED, HOME, answering, collect, items_of, start


def _heard():
    happened, listeners = [], Listeners()
    listeners.add(happened.append)
    return happened, listeners


class Slow:
    """Answers at once, but the first attempt of an item waits for `release`."""

    def __init__(self, slow_item, then=lambda x: x):
        self.release, self.runs = threading.Event(), []
        self._slow, self._lock = slow_item, threading.Lock()
        self._answer = answering(then)

    def __call__(self, invocation):
        items = items_of(invocation)
        with self._lock:
            is_first = self._slow in items and self._slow not in self.runs
            self.runs += items
        if is_first:
            self.release.wait(20)
        return self._answer(invocation)


def test_a_late_invocation_gets_a_backup_and_the_first_outcome_counts(engine, monkeypatch):
    """The job ends though its slow attempt never does; that task ran twice and has one outcome."""
    monkeypatch.setattr("lambdamagic.jobs.backups.SOONEST_S", 4.0)  # a busy machine is not late before
    slow = Slow(7)
    happened, listeners = _heard()
    job = start(engine, FakeTransport(then=slow), range(20), backups=True, listeners=listeners)
    values, error = collect(job)
    slow.release.set()
    assert (values, error) == ({x: x for x in range(20)}, None)
    assert sorted(slow.runs) == sorted([*range(20), 7])
    assert [event.tasks for event in happened if isinstance(event, events.InvocationBackedUp)] == [(7,)]
    assert sum(isinstance(event, events.TaskFinished) for event in happened) == 20


def test_a_backup_that_loses_changes_nothing(engine):
    """The slow attempt ends first after all: the backup's answer is not a second outcome, nor is its death."""
    slow = Slow(3)
    backup_began = threading.Event()
    hold = threading.Event()

    def lambda_(invocation):
        if items_of(invocation) == [3] and 3 in slow.runs:
            backup_began.set()
            slow.release.set()
            hold.wait(20)
            return DIED
        return slow(invocation)

    values, error = collect(start(engine, FakeTransport(then=lambda_), range(12), backups=True))
    hold.set()
    assert backup_began.is_set()
    assert (values, error) == ({x: x for x in range(12)}, None)


def test_a_loser_that_is_throttled_slows_nothing_down(engine):
    """Its refusal comes after the outcome of the other attempt: it is no event of the job's, and no reason to rest."""
    slow = Slow(3)
    backup_began, hold = threading.Event(), threading.Event()

    def lambda_(invocation):
        items = items_of(invocation)
        if items == [3] and 3 in slow.runs:
            backup_began.set()
            slow.release.set()
            hold.wait(20)
            raise ThrottledError("429")
        if items == [99]:
            hold.set()
            assert refused.wait(20)
        return slow(invocation)

    class Recording(FakeTransport):
        def invoke(self, invocation):
            try:
                return super().invoke(invocation)
            except ThrottledError:
                refused.set()
                raise

    refused = threading.Event()
    happened, listeners = _heard()
    submissions = Units(is_open=True)
    job = start(engine, Recording(then=lambda_), [], units=submissions, backups=True, listeners=listeners)
    for item in range(12):
        submissions.put(_unit(item))
    arrivals = job.arrivals()
    values = {task: outcome for _ in range(12) for task, outcome in outcomes(next(arrivals), HOME)}
    assert backup_began.is_set()
    submissions.put(_unit(99))  # the job continues, and the loser's refusal comes while it does
    submissions.close()
    values |= {task: outcome for arrival in arrivals for task, outcome in outcomes(arrival, HOME)}
    assert values == {**{item: item for item in range(12)}, 99: 99}
    assert not [event for event in happened if isinstance(event, events.InvocationThrottled | events.InvocationRetried)]


def _unit(item):
    return Unit((item,), lambda: encode_items(HOME, [item], item, "auto"))


def test_no_backups_unasked(engine):
    """A task runs once, however long it takes."""
    slow = Slow(0)
    job = start(engine, FakeTransport(then=slow), range(12))
    assert not job.wait(1.5)
    slow.release.set()
    assert collect(job)[1] is None
    assert slow.runs.count(0) == 1


def test_types_to_retry():
    """A type means its subclasses too; its name may come with its module or without."""
    kinds = ("json.decoder.JSONDecodeError", "builtins.ValueError", "builtins.Exception")
    for name in ("ValueError", "builtins.ValueError", "JSONDecodeError", "json.decoder.JSONDecodeError"):
        assert wants_retry(RetryPolicy(retry_on=(name,)), kinds)
    for name in ("KeyError", "Error", "coder.JSONDecodeError"):
        assert not wants_retry(RetryPolicy(retry_on=(name,)), kinds)
    assert wants_retry(RetryPolicy(), kinds)


def test_only_the_chosen_exceptions_are_tried_again(engine):
    """The others fail at once; a dead environment is not one of them either."""
    runs = []

    def work(x):
        runs.append(x)
        if x == 0:
            raise KeyError(x)
        if x == 1 and runs.count(1) < 3:
            json.loads("no json")
        return DIED if x == 2 else x

    policy = RetryPolicy(user_errors=3, retry_on=("ValueError",), base_s=0.001, cap_s=0.002)
    values, error = collect(start(engine, FakeTransport(then=answering(work)), [0, 1, 2, 3], policy=policy))
    assert error is None
    assert (type(values[0]), values[1], type(values[2]), values[3]) == (KeyError, 1, EnvironmentDiedError, 3)
    assert (runs.count(0), runs.count(1), runs.count(2)) == (1, 3, 1)


def test_the_memory_to_try_next():
    """Twice, up to the cap, and only for tasks that exceeded it."""
    policy = RetryPolicy(memory_cap_mb=3000)
    too_little = OutOfMemoryError("m")
    assert [larger_memory_mb(policy, too_little, mb) for mb in (512, 1024, 2048, 3000)] == [1024, 2048, 3000, None]
    assert larger_memory_mb(policy, EnvironmentDiedError("d"), 512) is None
    assert larger_memory_mb(RetryPolicy(), too_little, 512) is None


def _out_of_memory(mb):
    log = (
        f"REPORT RequestId: r\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\tMemory Size: {mb} MB\t"
        f"Max Memory Used: {mb} MB\t\n"
    )
    dead = failed("Runtime.OutOfMemory", "RequestId: r Error: Runtime exited with error: signal: killed")
    return InvocationReply(200, dead.payload, "Unhandled", log_tail=log, request_id="r")


def test_the_culprit_alone_is_run_again_with_more_memory(engine):
    """Its siblings stay on the small function; events have the memory, and what the deaths cost counts."""
    on = []

    def work_on(invocation):
        memory_mb = int(invocation.function.removeprefix("f") or 128)
        on.extend((item, memory_mb) for item in items_of(invocation))
        return answering(lambda x: _out_of_memory(memory_mb) if x == 2 and memory_mb < 500 else x)(invocation)

    happened, listeners = _heard()
    policy = RetryPolicy(memory_cap_mb=1024)
    job = start(
        engine,
        FakeTransport(then=work_on),
        range(4),
        chunksize=4,
        policy=policy,
        listeners=listeners,
        resize=lambda memory_mb: FunctionRef(f"f{memory_mb}", memory_mb, 3),
    )
    values, error = collect(job)
    assert (values, error) == ({x: x for x in range(4)}, None)
    assert [mb for item, mb in on if item == 2] == [128, 128, 128, 256, 512]
    assert {mb for item, mb in on if item != 2} == {128}
    assert [
        event.memory_mb for event in happened if isinstance(event, events.InvocationRetried) and event.memory_mb
    ] == [
        256,
        512,
    ]
    deaths = [event for event in happened if isinstance(event, events.InvocationFinished) and event.report is not None]
    assert [event.report.memory_mb for event in deaths] == [128, 128, 128, 256]
    assert deaths[-1].cost_usd == pytest.approx(1.0 * 256 / 1024 * 0.0000166667 + 0.2e-6)


def test_without_a_larger_function_the_error_says_so(engine):
    """It stays what it was, and says why it was not tried with more."""

    def refuse(memory_mb):
        raise ConfigError("the function f has 128 MB")

    policy = RetryPolicy(memory_cap_mb=1024)
    job = start(engine, FakeTransport(then=_out_of_memory(128)), [1], policy=policy, resize=refuse)
    values, error = collect(job)
    assert error is None
    assert type(values[0]) is OutOfMemoryError
    assert "Not retried with 256 MB: the function f has 128 MB" in str(values[0])


def _costing(usd):
    """Answer as if each invocation had been billed about that much at 128 MB."""
    whole = answering(lambda x: x)

    def answer(invocation):
        response = Response.from_json(json.loads(whole(invocation).payload))
        billed_ms = usd / 0.0000166667 * 1024 / 128 * 1000
        log = (
            f"REPORT RequestId: r\tDuration: {billed_ms:.2f} ms\tBilled Duration: {billed_ms:.0f} ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 60 MB\t\n"
        )
        return InvocationReply(200, json.dumps(response.to_json()).encode(), log_tail=log, request_id="r")

    return answer


def test_a_budget_is_shared(engine):
    """Two jobs of one budget: what is over it is not launched, and a job that comes later launches nothing."""
    budget = Budget(1.0)
    transport = FakeTransport(then=_costing(0.15))
    assert collect(start(engine, transport, range(4), max_concurrency=1, budget=budget))[1] is None
    values, error = collect(start(engine, transport, range(10), max_concurrency=1, budget=budget))
    assert type(error) is CostLimitError
    assert 1 <= len(values) <= 3
    launched = transport.attempts
    assert type(collect(start(engine, transport, range(10), budget=budget))[1]) is CostLimitError
    assert transport.attempts == launched
    with pytest.raises(CostLimitError, match=rf"^the cost limit is reached: \${launched * 0.15:.2f} of "):
        budget.check()


def test_a_report_of_the_helper_is_read():
    """The tests' own REPORT line is one of Lambda's."""
    from lambdamagic.protocol.report import parse_report

    report = parse_report(_out_of_memory(128).log_tail, "r")
    assert isinstance(report, Report)
    assert (report.billed_ms, report.memory_mb) == (1000.0, 128)
