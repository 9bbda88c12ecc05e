"""The engine, with a transport whose failures are scripted and whose attempts are counted."""

from __future__ import annotations

import gc
import json
import threading
import time
import tracemalloc
from dataclasses import replace

import pytest

from lambdamagic import events
from lambdamagic.codec.failures import reassemble
from lambdamagic.errors import (
    CredentialsError,
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationLostError,
    JobCancelledError,
    NotReadyError,
    ProtocolError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.outcomes import Failure, encode_items, outcomes
from lambdamagic.jobs.places import Places
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.payload import Payload
from lambdamagic.runs.sources import Units
from lambdamagic.transports.fake import FakeTransport, failed
from lambdamagic.transports.transport import InvocationReply
from tests.jobs.functions import HOME, answering, items_of, reply, start

DIED = failed("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: exit status 1")
TIMED_OUT = failed("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 3.00 seconds")


@pytest.fixture
def engine():
    before = set(threading.enumerate())
    found = Engine(jitter=lambda: 0.0)
    yield found
    found.close()
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert "lambdamagic-engine" not in left


def collect(job):
    """Return task to value or error, and the job's own error."""
    found, error = {}, None
    try:
        for arrival in job.arrivals():
            for task, outcome in outcomes(arrival, HOME):
                assert task not in found, "a task has one outcome"
                found[task] = outcome
    except Exception as raised:
        error = raised
    values = {
        task: (outcome.error or reassemble(outcome.records)) if isinstance(outcome, Failure) else outcome
        for task, outcome in found.items()
    }
    return values, error


def test_every_task_has_its_outcome(engine):
    """Values and the callable's own exceptions."""
    transport = FakeTransport(then=answering(lambda x: 10 // x))
    values, error = collect(start(engine, transport, [5, 0, 2], chunksize=2))
    assert error is None
    assert (values[0], values[2]) == (2, 5)
    assert type(values[1]) is ZeroDivisionError
    assert transport.attempts == 2


def test_no_more_at_once_than_allowed(engine):
    """The transport never holds more than the limit, and reaches it."""
    together = threading.Barrier(3, timeout=20)

    def work(x):
        together.wait()
        return x

    transport = FakeTransport(then=answering(work))
    values, error = collect(start(engine, transport, range(9), max_concurrency=3))
    assert (error, len(values), transport.most_at_once) == (None, 9, 3)


def test_throttling_is_tried_again(engine):
    """As often as it takes; nothing ran, so nothing is lost."""
    transport = FakeTransport([ThrottledError("429")] * 5, then=answering(lambda x: x))
    told = []
    listeners = Listeners()
    listeners.add(told.append)
    values, error = collect(start(engine, transport, [1, 2], listeners=listeners))
    assert (values, error) == ({0: 1, 1: 2}, None)
    assert transport.attempts == 7
    assert sum(isinstance(event, events.InvocationThrottled) for event in told) == 5


def test_throttling_beyond_patience_ends_the_job(engine):
    """With the throttling error itself."""
    transport = FakeTransport(then=ThrottledError("429"))
    policy = RetryPolicy(base_s=0.001, cap_s=0.002, throttle_patience_s=0.02)
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


def test_jobs_that_share_their_places(engine):
    """All together have no more under way than there are places, and all come to their end."""
    transport, places = FakeTransport(then=answering(lambda x: time.sleep(0.002) or x)), Places(3)
    jobs = [start(engine, transport, range(20), max_concurrency=10, places=places) for _ in range(4)]
    assert [collect(job) for job in jobs] == [({n: n for n in range(20)}, None)] * 4
    assert transport.most_at_once == 3


def test_a_call_that_is_never_taken_fails_alone(engine):
    """Throttling beyond the deadline is that call's failure; the executor's job continues."""
    transport = FakeTransport(then=ThrottledError("429"))
    policy = RetryPolicy(throttle_patience_s=0.02)
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


@pytest.mark.parametrize(("losses", "allowed", "lives"), [(2, 2, True), (3, 2, False)])
def test_lost_invocations(engine, losses, allowed, lives):
    """Tried again up to the policy; then the loss is the task's outcome."""
    transport = FakeTransport([InvocationLostError("gone")] * losses, then=answering(lambda x: x))
    policy = RetryPolicy(losses=allowed, base_s=0.001, cap_s=0.002)
    values, error = collect(start(engine, transport, [7], policy=policy))
    assert error is None
    assert transport.attempts == min(losses, allowed) + 1
    assert (values[0] == 7) if lives else (type(values[0]) is InvocationLostError)


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
    told, listeners = [], Listeners()
    listeners.add(told.append)
    values, error = collect(start(engine, transport, [1], policy=policy, listeners=listeners))
    assert (values, error) == ({0: 1}, None)
    reasons = [each.reason for each in told if isinstance(each, events.InvocationRetried)]
    assert reasons == ["the function is Pending"] * 12


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


def test_a_finished_task_leaves_little_behind(engine):
    """Less than 1 KB a task in the kernel, with a view that listens, if the results are not kept."""
    from lambdamagic.widgets.progress import ProgressListener

    listeners = Listeners()
    listeners.add(ProgressListener())
    transport = Forgetful(then=answering(lambda x: x))
    job = start(engine, transport, range(12_000), chunksize=40, listeners=listeners)
    finished, sizes = 0, {}
    tracemalloc.start()
    try:
        for arrival in job.arrivals():
            finished += sum(1 for _ in outcomes(arrival, HOME))
            del arrival
            if finished in (2_000, 12_000):
                gc.collect()
                sizes[finished] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert (sizes[12_000] - sizes[2_000]) / 10_000 <= 1024


class Forgetful(FakeTransport):
    """Does not keep what it was sent."""

    def invoke(self, invocation):
        try:
            return super().invoke(invocation)
        finally:
            self.invocations.clear()


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
        return reply(replace(done, status="timed_out", tasks=done.tasks[: items.index(2)], detail="the stack"))

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


def test_an_error_of_the_job_ends_it(engine):
    """No credentials: the other tasks are not tried."""
    transport = FakeTransport(then=CredentialsError("none"))
    values, error = collect(start(engine, transport, range(50), max_concurrency=2))
    assert values == {}
    assert type(error) is CredentialsError
    assert transport.attempts <= 3


@pytest.mark.parametrize(
    "answer",
    [
        InvocationReply(200, b"no json"),
        InvocationReply(200, b"[]"),
        InvocationReply(200, b'{"lambdamagic": {}}'),
        InvocationReply(200, b"null"),
    ],
)
def test_answers_of_another_shape(engine, answer):
    """A ProtocolError, and never a hang."""
    values, error = collect(start(engine, FakeTransport(then=answer), [1]))
    assert values == {}
    assert type(error) is ProtocolError


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), OSError(5, "no disk"), KeyError("UploadId"), MemoryError()])
def test_what_was_not_foreseen_is_one_attempts(engine, bug):
    """It is tried again as a lost invocation is, and the other tasks continue."""
    transport = FakeTransport([bug, bug], then=answering(lambda x: x))
    values, error = collect(start(engine, transport, range(20)))
    assert (values, error) == ({x: x for x in range(20)}, None)
    assert transport.attempts == 22


def test_what_was_not_foreseen_and_does_not_pass_is_its_tasks(engine):
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


def test_an_item_that_cannot_be_sent_fails_alone(engine):
    """Named by its number; the others of its chunk are sent."""
    transport = FakeTransport(then=answering(lambda x: x))
    values, error = collect(start(engine, transport, [1, memoryview(b"x"), 3, 4], max_concurrency=1, chunksize=4))
    assert error is None
    assert (values[0], values[2], values[3]) == (1, 3, 4)
    assert "item 1 cannot be sent to Lambda" in str(values[1])


def test_cancelling(engine):
    """Waiting is over at once, nothing more is launched, and the events say so."""
    started, release = threading.Event(), threading.Event()

    def work(x):
        started.set()
        release.wait(20)
        return x

    transport = FakeTransport(then=answering(work))
    told = []
    listeners = Listeners()
    listeners.add(told.append)
    job = start(engine, transport, range(100), max_concurrency=2, listeners=listeners)
    assert started.wait(20)
    job.cancel()
    job.cancel()
    assert job.wait(60)
    values, error = collect(job)
    release.set()
    assert values == {}
    assert type(error) is JobCancelledError
    assert job.state == "cancelled"
    assert transport.attempts <= 2
    assert isinstance(told[0], events.JobStarted)
    assert isinstance(told[-1], events.JobFinished)
    assert told[-1].state == "cancelled"


def test_a_thousand_tasks(engine):
    """Each has one outcome, and the engine does not keep them."""
    transport = FakeTransport(then=answering(lambda x: -x))
    values, error = collect(start(engine, transport, range(1000), chunksize=None, max_concurrency=8))
    assert error is None
    assert values == {x: -x for x in range(1000)}


def test_a_listener_that_raises_is_dropped(engine, capsys):
    """The job continues, and its error is shown once."""
    listeners = Listeners()

    def broken(event):
        raise ValueError("a broken view")

    listeners.add(broken)
    values, error = collect(start(engine, FakeTransport(then=answering(lambda x: x)), [1, 2], listeners=listeners))
    assert (values, error) == ({0: 1, 1: 2}, None)
    assert capsys.readouterr().err.count("ValueError: a broken view") == 1


def test_closing_twice():
    """And starting again after it."""
    engine = Engine()
    engine.close()
    engine.close()


def test_closing_the_engine_ends_its_jobs():
    """Whoever waits for a job of an engine that is closed hears that it was cancelled, and does not wait for ever."""
    engine = Engine()
    release = threading.Event()

    def work(x):
        release.wait(20)
        return x

    job = start(engine, FakeTransport(then=answering(work)), range(3))
    engine.close()
    values, error = collect(job)
    release.set()
    assert values == {}
    assert type(error) is JobCancelledError
    assert job.state == "cancelled"
