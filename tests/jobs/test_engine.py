"""The engine, with a transport whose failures are scripted and whose attempts are counted."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
import zlib

import pytest

from lambdamagic import events
from lambdamagic.errors import (
    CredentialsError,
    JobCancelledError,
    ProtocolError,
)
from lambdamagic.events import Listeners
from lambdamagic.jobs.engine import Engine, find_job
from lambdamagic.jobs.outcomes import outcomes
from lambdamagic.jobs.places import Places
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply
from tests.jobs.functions import HOME, answering, collect, start


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


def test_jobs_that_share_their_places(engine):
    """All together have no more running than there are places, and all of them end."""
    transport, places = FakeTransport(then=answering(lambda x: time.sleep(0.002) or x)), Places(3)
    jobs = [start(engine, transport, range(20), max_concurrency=10, places=places) for _ in range(4)]
    assert [collect(job) for job in jobs] == [({n: n for n in range(20)}, None)] * 4
    assert transport.most_at_once == 3


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


def test_an_item_that_cannot_be_sent_fails_alone(engine):
    """Named by its number; the others of its chunk are sent."""
    transport = FakeTransport(then=answering(lambda x: x))
    values, error = collect(start(engine, transport, [1, zlib.compressobj(), 3, 4], max_concurrency=1, chunksize=4))
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
    happened = []
    listeners = Listeners()
    listeners.add(happened.append)
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
    assert isinstance(happened[0], events.JobStarted)
    assert isinstance(happened[-1], events.JobFinished)
    assert happened[-1].state == "cancelled"


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


class Journal:
    """Notes the events of a job."""

    def __init__(self):
        self.happened = []

    def __call__(self, event):
        self.happened.append(event)

    def sent(self, attempt_id):
        raise AssertionError("a synchronous job sends no events")


def test_a_jobs_journal_hears_its_events_before_the_listeners_of_all_jobs(engine):
    """It is safe on disk by then."""
    journal, order = Journal(), []
    remove = events.EVERY_JOB.add(lambda event: order.append(len(journal.happened)))
    try:
        collect(start(engine, FakeTransport(then=answering(lambda x: x)), [1], journal=journal))
    finally:
        remove()
    assert isinstance(journal.happened[-1], events.JobFinished)
    assert order == list(range(1, len(journal.happened) + 1))


def test_a_job_is_found_while_it_is_referred_to(engine):
    """By its id, whichever engine runs it."""
    job = start(engine, FakeTransport(then=answering(lambda x: x)), [1])
    assert find_job(job.job_id) is job
    assert find_job("other") is None
    collect(job)


def test_the_engines_thread_keeps_no_process_alive_and_leaves_no_task(caplog):
    """Closing it cancels what is under way, and says nothing."""
    gc.collect()
    caplog.clear()  # what earlier tests left
    before = set(threading.enumerate())
    engine, release = Engine(), threading.Event()
    job = start(engine, FakeTransport(then=answering(lambda x: release.wait(20))), [1])
    (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "lambdamagic-engine"]
    assert thread.daemon
    engine.close()
    release.set()
    assert job.state == "cancelled"
    del job
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
