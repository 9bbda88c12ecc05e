"""One job in the engine: what is sent, under which names, how much at once, and how it ends."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from lambdamagic import events
from lambdamagic.errors import (
    CostLimitError,
    CredentialsError,
    EnvironmentDiedError,
    InvocationLostError,
    JobCancelledError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Arrival, FunctionRef, JobSpec, Unit
from lambdamagic.jobs.outcomes import encode_items
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.staging import Stager
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response
from lambdamagic.runs.sources import Units
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport
from tests.jobs.functions import DIED, HOME, answering, collect, items_of, job_spec, reply, start

QUICK = RetryPolicy(base_s=0.001, cap_s=0.002)


def same(x: Any) -> Any:
    return x


def heard() -> tuple[list[events.Event], Listeners]:
    happened, listeners = list[events.Event](), Listeners()
    listeners.add(happened.append)
    return happened, listeners


def most_under_way(happened: list[events.Event]) -> int:
    """Return how many invocations were under way at once, by what was reported."""
    now = most = 0
    for event in happened:
        now += isinstance(event, events.InvocationStarted) - isinstance(event, events.InvocationFinished)
        most = max(most, now)
    return most


def unit(number: int) -> Unit:
    return Unit((number,), lambda: encode_items(HOME, [number], number, "auto"))


@pytest.mark.parametrize("before", [0, 7])
def test_each_attempt_has_its_own_name(engine: Engine, before: int) -> None:
    """Numbers in order, behind those of a client that died: an answer is found by its attempt's name."""
    happened, listeners = heard()
    transport = FakeTransport([InvocationLostError("gone")], then=answering(same))
    more = {"listeners": listeners, "attempts_before": before, "max_concurrency": 1}
    assert collect(start(engine, transport, [1, 2], **more)) == ({0: 1, 1: 2}, None)
    names = [each.attempt_id for each in happened if isinstance(each, events.InvocationStarted)]
    assert names == [f"{before + 1:06}-0-1", f"{before + 2:06}-0-1", f"{before + 3:06}-1-1"]


@pytest.mark.parametrize(("most", "ramp"), [(1, 1_000), (3, 1_000), (9, 2)])
def test_no_more_begin_than_there_is_room_for(engine: Engine, most: int, ramp: int) -> None:
    """Neither above the job's own limit nor faster than Lambda makes environments."""
    happened, listeners = heard()
    limits = AWS_LAMBDA._replace(new_environments=AWS_LAMBDA.new_environments._replace(most=ramp), ramp_s=1e9)
    spec = spec_of(FakeTransport(then=answering(same)), Units(map(unit, range(20))), max_concurrency=most)
    job = engine.start(replace(spec, function=replace(spec.function, limits=limits)), listeners)
    assert collect(job) == ({x: x for x in range(20)}, None)
    assert most_under_way(happened) == min(most, ramp)


def spec_of(transport: FakeTransport, units: Any, **more: Any) -> JobSpec:
    return job_spec(transport=transport, units=units, policy=QUICK, inline_limit_bytes=1_000_000, **more)


class Broken(Units):
    """A source that fails when it learns of an outcome, or when it is asked for more."""

    def __init__(self, error: BaseException, *, gives: bool) -> None:
        super().__init__([unit(0)])
        self.error, self.gives = error, gives

    def take(self, slots: int) -> Unit | None:
        if not self.gives:
            raise self.error
        return super().take(slots)

    def learn(self, arrival: Arrival) -> None:
        raise self.error


class Odd(BaseException):
    """No exception that code should catch."""


@pytest.mark.parametrize(
    ("raised", "kind", "said", "gives"),
    [
        (ValueError("a bug"), ValueError, "a bug", True),
        (ValueError("a bug"), ValueError, "a bug", False),
        (Odd("x"), RuntimeError, r"Odd\('x'\)", True),
    ],
)
def test_a_failure_of_the_engines_own_ends_the_job(
    engine: Engine, raised: BaseException, kind: type[Exception], said: str, gives: bool
) -> None:
    """With that failure; it does not wait for an outcome that never comes."""
    happened, listeners = heard()
    job = engine.start(spec_of(FakeTransport(then=answering(same)), Broken(raised, gives=gives)), listeners)
    assert job.wait(60)
    with pytest.raises(kind, match=said):
        list(job.arrivals())
    assert job.state == "failed"
    assert isinstance(happened[-1], events.JobFinished) and happened[-1].error.startswith(f"{kind.__name__}: ")


def test_a_failed_job_says_why_and_a_stopped_one_does_not(engine: Engine) -> None:
    """Who stopped it knows, or its state says all."""
    happened, listeners = heard()
    collect(start(engine, FakeTransport(then=CredentialsError("none")), [1], listeners=listeners))
    assert isinstance(happened[-1], events.JobFinished)
    assert (happened[-1].state, happened[-1].error) == ("failed", "CredentialsError: none")
    for end in ("cancel", "give_up"):
        happened, listeners = heard()
        job = start(engine, FakeTransport(), [], units=Units(is_open=True), listeners=listeners)
        getattr(job, end)()
        assert type(collect(job)[1]) is JobCancelledError
        assert isinstance(happened[-1], events.JobFinished)
        assert (happened[-1].state, happened[-1].error) == ("cancelled" if end == "cancel" else "failed", "")


def test_an_answer_that_was_cancelled_stops_the_job(engine: Engine) -> None:
    """Another process has left the sign to stop: nothing more is sent."""
    transport = FakeTransport(then=reply(Response(versions.here(), "cancelled")))
    job = start(engine, transport, range(9), max_concurrency=1)
    assert type(collect(job)[1]) is JobCancelledError
    assert (job.state, transport.attempts) == ("cancelled", 1)


def test_a_connection_that_is_cut_for_being_idle_says_so(engine: Engine) -> None:
    """The task fails with what to do about it; a loss after another silence does not."""
    for silent_s, is_cut in ((60.0, True), (0.0, False)):
        lost = [InvocationLostError("gone") for _ in range(2)]
        lost[0].silent_s, lost[1].silent_s = 60.0, silent_s
        policy = replace(QUICK, losses=1)
        values, error = collect(start(engine, FakeTransport(lost, then=answering(same)), [1], policy=policy))
        assert error is None
        assert ("--mode event" in str(values[0])) is is_cut


def test_work_that_comes_after_the_engine_was_closed_is_not_waited_for() -> None:
    """The source may still be given some: that is no error of its owner's."""
    engine, submissions = Engine(), Units([unit(0)], is_open=True)
    job = engine.start(spec_of(FakeTransport(then=answering(same)), submissions), Listeners())
    assert next(job.arrivals()).error is None
    engine.close()
    submissions.put(unit(1))
    assert job.state == "cancelled"


@pytest.mark.parametrize("culprit", range(4))
def test_what_the_deadline_cut_off_is_sent_again_wherever_it_was(engine: Engine, culprit: int) -> None:
    """The task that ran then goes alone, those behind it together, and each has one outcome."""
    sent: list[list[int]] = []
    whole = answering(same)

    def answer(invocation: Any) -> Any:
        items = items_of(invocation)
        sent.append(items)
        response = Response.from_json(json.loads(whole(invocation).payload))
        if len(sent) == 1:
            response.status, response.tasks = "timed_out", response.tasks[:culprit]
        return reply(response)

    happened, listeners = heard()
    transport = FakeTransport(then=answer)
    found = collect(start(engine, transport, range(4), chunksize=4, max_concurrency=1, listeners=listeners))
    assert found == ({x: x for x in range(4)}, None)
    if culprit:  # else no task was done, and the chunk is halved as after a death
        behind = list(range(culprit + 1, 4))
        assert sent == [[0, 1, 2, 3], [culprit], *([behind] if behind else [])]
        reasons = [each.reason for each in happened if isinstance(each, events.InvocationRetried)]
        assert reasons == ["the deadline passed while it ran", "the deadline passed before it started"][: len(sent) - 1]


def test_a_task_that_raised_before_the_deadline_came_is_tried_again(engine: Engine) -> None:
    """Next to those that the deadline cut off; each has one outcome."""
    counts: dict[int, int] = {}

    def work(x: int) -> int:
        counts[x] = counts.get(x, 0) + 1
        if counts[x] == 1 and x == 0:
            raise ValueError(x)
        return x

    whole = answering(work)

    def answer(invocation: Any) -> Any:
        response = Response.from_json(json.loads(whole(invocation).payload))
        if len(items_of(invocation)) == 4:
            response.status, response.tasks = "timed_out", response.tasks[:2]
        return reply(response)

    policy = replace(QUICK, user_errors=1)
    assert collect(start(engine, FakeTransport(then=answer), range(4), chunksize=4, policy=policy)) == (
        {x: x for x in range(4)},
        None,
    )
    assert counts[0] == 2 and counts[1] == 1


def test_only_too_little_memory_asks_for_more(engine: Engine) -> None:
    """Another death is its task's, with its invocation's id."""
    asked: list[int] = []

    def resize(memory_mb: int) -> FunctionRef:
        asked.append(memory_mb)
        return FunctionRef("g", memory_mb, 3)

    policy = replace(QUICK, memory_cap_mb=1_024)
    job = start(engine, FakeTransport(then=replace(DIED, request_id="r-7")), [1], policy=policy, resize=resize)
    (arrival,) = job.arrivals()
    assert (type(arrival.error), arrival.request_id, asked) == (EnvironmentDiedError, "r-7", [])


def test_a_spent_budget_ends_the_job_at_the_attempt_that_spent_it(engine: Engine) -> None:
    """What was completed is kept, and nothing more is sent."""
    budget, transport = Budget(1e-9), FakeTransport(then=answering(same))
    values, error = collect(start(engine, transport, range(9), max_concurrency=1, budget=budget))
    assert (type(error), transport.attempts) == (CostLimitError, 1)
    assert set(values) <= {0}


def test_an_abandoned_job_leaves_the_sign_to_stop(engine: Engine) -> None:
    """Where something still runs, and there is a bucket; the request is counted."""
    store, began, release = MemoryObjectStore(), threading.Event(), threading.Event()

    def work(x: Any) -> Any:
        began.set()
        release.wait(20)
        return x

    job = start(engine, FakeTransport(then=answering(work)), [1], stager=Stager(store))
    assert began.wait(20)
    job.cancel()
    assert type(collect(job)[1]) is JobCancelledError
    release.set()
    assert job.spec.requests.total.writes == 1


def test_what_has_no_report_is_billed_for_as_long_as_it_was_out(engine: Engine) -> None:
    """Lost or abandoned, and not for all that its function might take."""
    began, release = threading.Event(), threading.Event()

    def work(x: Any) -> Any:
        began.set()
        release.wait(20)
        return x

    happened, listeners = heard()
    transport = FakeTransport([InvocationLostError("gone")], then=answering(work))
    spec = spec_of(transport, Units([unit(0)]))
    job = engine.start(replace(spec, function=FunctionRef("f", 1_024, 900)), listeners)
    assert began.wait(20)
    job.cancel()
    assert job.wait(20)
    release.set()
    seconds = [each.cost_usd / spec.prices.gb_second_usd for each in happened if isinstance(each, events.Charged)]
    assert len(seconds) == 2 and max(seconds) < 100
