"""Attempts that are lost, die, time out or raise: what is sent again, and what has its outcome."""

from __future__ import annotations

import json

import pytest

from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationLostError,
)
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response
from lambdamagic.transports.fake import FakeTransport, failed
from tests.jobs.functions import DIED, answering, collect, items_of, reply, start

TIMED_OUT = failed("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 3.00 seconds")


@pytest.mark.parametrize(("losses", "allowed", "lives"), [(2, 2, True), (3, 2, False)])
def test_lost_invocations(engine, losses, allowed, lives):
    """Tried again up to the policy; then the loss is the task's outcome."""
    transport = FakeTransport([InvocationLostError("gone")] * losses, then=answering(lambda x: x))
    policy = RetryPolicy(losses=allowed, base_s=0.001, cap_s=0.002)
    values, error = collect(start(engine, transport, [7], policy=policy))
    assert error is None
    assert transport.attempts == min(losses, allowed) + 1
    assert (values[0] == 7) if lives else (type(values[0]) is InvocationLostError)


def test_a_death_in_a_chunk_does_not_take_its_siblings(engine):
    """The chunk is divided until the culprit stands alone."""
    transport = FakeTransport(then=answering(lambda x: DIED if x == 5 else x))
    values, error = collect(start(engine, transport, range(8), chunksize=8))
    assert error is None
    assert type(values.pop(5)) is EnvironmentDiedError
    assert values == {x: x for x in range(8) if x != 5}
    assert transport.attempts <= 2 * 8


def test_a_poison_task_in_a_chunk_of_a_hundred(engine):
    """Only it fails; the others are run again in halves, at most as often as a hundred can be halved."""
    runs = []

    def work(x):
        runs.append(x)
        return DIED if x == 41 else x

    values, error = collect(start(engine, FakeTransport(then=answering(work)), range(100), chunksize=100))
    assert error is None
    assert type(values.pop(41)) is EnvironmentDiedError
    assert values == {x: x for x in range(100) if x != 41}
    assert max(runs.count(x) for x in range(100)) <= 8


def test_a_timeout_in_a_chunk(engine):
    """Lambda's own timeout, without any outcome."""
    transport = FakeTransport(then=answering(lambda x: TIMED_OUT if x == 0 else x))
    values, error = collect(start(engine, transport, range(4), chunksize=4))
    assert error is None
    assert type(values.pop(0)) is FunctionTimedOutError
    assert values == {1: 1, 2: 2, 3: 3}


def test_the_watchdogs_timeout_keeps_what_was_done(engine):
    """Finished tasks are not run again."""
    ran = []
    whole = answering(lambda x: ran.append(x) or x)

    def first(invocation):
        items = items_of(invocation)
        if 2 not in items:
            return whole(invocation)
        if items == [2]:
            return reply(Response(versions.here(), "timed_out", detail="the stack"))
        done = Response.from_json(json.loads(answering(lambda x: x)(invocation).payload))
        done.status, done.tasks, done.detail = "timed_out", done.tasks[: items.index(2)], "the stack"
        return reply(done)

    values, error = collect(start(engine, FakeTransport(then=first), range(5), chunksize=5))
    assert error is None
    late = values.pop(2)
    assert type(late) is FunctionTimedOutError
    assert late.stacks == "the stack"
    assert values == {0: 0, 1: 1, 3: 3, 4: 4}
    assert sorted(ran) == [3, 4]


def test_retries_of_the_users_errors(engine):
    """Only the tasks that raised are run again."""
    counts = {}

    def work(x):
        counts[x] = counts.get(x, 0) + 1
        if x == 1 and counts[x] < 3:
            raise ValueError(counts[x])
        return counts[x]

    policy = RetryPolicy(user_errors=2, base_s=0.001, cap_s=0.002)
    values, error = collect(start(engine, FakeTransport(then=answering(work)), [0, 1, 2], chunksize=3, policy=policy))
    assert (values, error) == ({0: 1, 1: 3, 2: 1}, None)


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), OSError(5, "no disk"), KeyError("UploadId"), MemoryError()])
def test_an_unexpected_error_fails_one_attempt(engine, bug):
    """It is tried again as a lost invocation is, and the other tasks continue."""
    transport = FakeTransport([bug, bug], then=answering(lambda x: x))
    values, error = collect(start(engine, transport, range(20)))
    assert (values, error) == ({x: x for x in range(20)}, None)
    assert transport.attempts == 22


def test_a_repeated_unexpected_error_fails_its_tasks(engine):
    """The task says what it was; the job and its other tasks are done."""

    def broken(invocation):
        if items_of(invocation) == [3]:
            raise RuntimeError("a bug")
        return answering(lambda x: x)(invocation)

    values, error = collect(start(engine, FakeTransport(then=broken), range(5)))
    assert error is None
    failed_task = values.pop(3)
    assert values == {0: 0, 1: 1, 2: 2, 4: 4}
    assert type(failed_task) is InvocationLostError
    assert "RuntimeError: a bug" in str(failed_task)
    assert isinstance(failed_task.__cause__, RuntimeError)
