"""A map job, over an engine whose function is no process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

import pytest

from lambdamagic.api.map_job import MapJob
from lambdamagic.events import Event
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Job
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import answering, start


@pytest.fixture
def engine() -> Iterator[Engine]:
    found = Engine(jitter=lambda: 0.0)
    yield found
    found.close()


class _Work:
    """Three tasks that fail; when they are sent again, something happens meanwhile, and they do not come to an end."""

    label = "work"

    def __init__(self, engine: Engine, release: threading.Event) -> None:
        self._engine, self._release, self._launched = engine, release, 0
        self.meanwhile: Callable[[], None] = lambda: None

    def launch(self, tasks: Sequence[int], listener: Callable[[Event], None]) -> Job:
        self._launched += 1
        if self._launched > 1:
            self.meanwhile()
        return start(self._engine, FakeTransport(then=self._slow if self._launched > 1 else _fails), list(tasks))

    def _slow(self, invocation: InvokeCall) -> InvocationReply:
        self._release.wait(60)
        return _fails(invocation)

    @staticmethod
    def check(error: Exception) -> Exception:
        return error


def _fail(item: int) -> None:
    raise ValueError(item)


_fails = answering(_fail)


def test_a_cancel_that_comes_while_it_is_sent_again_is_heard(engine: Engine) -> None:
    """It meets the job that has ended, and stops the one that is about to begin."""
    release = threading.Event()
    work = _Work(engine, release)
    job = MapJob(work, 3)
    with pytest.raises(ValueError, match="0"):
        job.resume().result(60)
    work.meanwhile = job.cancel
    job.retry_failed()
    try:
        with pytest.raises(CancelledError):
            job.result(60)
    finally:
        release.set()
    assert job.state == "cancelled"
