"""What Lambda refuses, or cannot be asked for, has not run: it is sent again, for a while."""

from __future__ import annotations

import threading
import time

import pytest

from lambdamagic import events
from lambdamagic.errors import (
    NotReadyError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.outcomes import encode_items, outcomes
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.protocol.payload import Payload
from lambdamagic.runs.sources import Units
from lambdamagic.transports.fake import FakeTransport
from tests.jobs.functions import HOME, answering, collect, items_of, start


def test_throttling_is_tried_again(engine):
    """As often as it takes; nothing ran, so nothing is lost."""
    transport = FakeTransport([ThrottledError("429")] * 5, then=answering(lambda x: x))
    happened = []
    listeners = Listeners()
    listeners.add(happened.append)
    values, error = collect(start(engine, transport, [1, 2], listeners=listeners))
    assert (values, error) == ({0: 1, 1: 2}, None)
    assert transport.attempts == 7
    assert sum(isinstance(event, events.InvocationThrottled) for event in happened) == 5


def test_throttling_beyond_the_deadline_ends_the_job(engine):
    """With the throttling error itself."""
    transport = FakeTransport(then=ThrottledError("429"))
    policy = RetryPolicy(base_s=0.001, cap_s=0.002, throttle_deadline_s=0.02)
    values, error = collect(start(engine, transport, [1], policy=policy))
    assert values == {}
    assert type(error) is ThrottledError


def test_a_storm_of_throttles_ends(engine):
    """At a quota of three, a job that asks for forty at once learns it, and refusals stay few."""
    quota = threading.Semaphore(3)
    whole = answering(lambda x: x)

    def at_most_three(invocation):
        if not quota.acquire(blocking=False):
            raise ThrottledError("429")
        try:
            return whole(invocation)
        finally:
            quota.release()

    transport = FakeTransport(then=at_most_three)
    values, error = collect(start(engine, transport, range(200), max_concurrency=40))
    assert (values, error) == ({x: x for x in range(200)}, None)
    assert transport.attempts < 200 + 200


def test_retry_after_is_respected(engine):
    """Lambda's own word: the task is not sent again before."""
    refused = ThrottledError("429")
    refused.retry_after_s = 0.3
    at = []
    whole = answering(lambda x: x)

    def noting(invocation):
        at.append(time.monotonic())
        if len(at) == 1:
            raise refused
        return whole(invocation)

    values, error = collect(start(engine, FakeTransport(then=noting), [1]))
    assert (values, error) == ({0: 1}, None)
    assert at[1] - at[0] >= 0.3


def test_refused_work_does_not_go_behind_newer_work(engine):
    """While what was refused must rest, nothing newer is sent that would take its place."""
    refused = ThrottledError("429")
    refused.retry_after_s = 0.2
    order, whole = [], answering(lambda x: x)

    def noting(invocation):
        order.extend(items_of(invocation))
        if order == [0]:
            raise refused
        return whole(invocation)

    values, error = collect(start(engine, FakeTransport(then=noting), range(6), max_concurrency=1))
    assert (len(values), error) == (6, None)
    assert order == [0, 0, 1, 2, 3, 4, 5]


def test_a_call_that_is_never_taken_fails_alone(engine):
    """Throttling beyond the deadline is that call's failure; the executor's job continues."""
    transport = FakeTransport(then=ThrottledError("429"))
    policy = RetryPolicy(throttle_deadline_s=0.02)
    submissions = Units(is_open=True)
    job = start(engine, transport, [], policy=policy, units=submissions)
    submissions.put(Unit((0,), lambda: encode_items(HOME, [1], 0, "auto"), program=lambda: Payload(())))
    arrivals = job.arrivals()
    assert type(next(arrivals).error) is ThrottledError
    assert job.state == "running"
    transport._then = answering(lambda x: x)
    submissions.put(Unit((1,), lambda: encode_items(HOME, [5], 1, "auto"), program=lambda: Payload(())))
    submissions.close()
    assert [outcome for arrival in arrivals for _, outcome in outcomes(arrival, HOME)] == [5]


@pytest.mark.parametrize(("refusals", "lives"), [(4, True), (5, False)])
def test_an_endpoint_that_cannot_be_reached_for_a_moment(engine, refusals, lives):
    """Nothing was sent, so it is tried again for a while; then the job ends with what is wrong."""
    policy = RetryPolicy(base_s=0.001)
    transport = FakeTransport([UnreachableError("no route")] * refusals, then=answering(lambda x: x))
    values, error = collect(start(engine, transport, [1], policy=policy))
    assert (values == {0: 1}) is lives
    assert isinstance(error, UnreachableError) is not lives


def test_a_function_that_wakes_is_waited_for(engine):
    """More refusals than an endpoint's are retried, each is reported with its reason, and none counts as failed."""
    policy = RetryPolicy(base_s=0.001, cap_s=0.002)
    transport = FakeTransport([NotReadyError("the function is Pending")] * 12, then=answering(lambda x: x))
    happened, listeners = [], Listeners()
    listeners.add(happened.append)
    values, error = collect(start(engine, transport, [1], policy=policy, listeners=listeners))
    assert (values, error) == ({0: 1}, None)
    reasons = [each.reason for each in happened if isinstance(each, events.InvocationRetried)]
    assert reasons == ["the function is Pending"] * 12
