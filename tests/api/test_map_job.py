"""A map job, over an engine whose function is no process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

import pytest

from lambdamagic.api.launcher import Launcher
from lambdamagic.api.map_job import MapJob
from lambdamagic.api.options import read_options
from lambdamagic.codec.frames import Frames
from lambdamagic.config import load_settings
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.outcomes import encode_items
from lambdamagic.runs.opened import Place
from lambdamagic.runs.sources import ChunkedItems, Sizing
from lambdamagic.runs.spec import RunRequest
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import HOME, answering
from tests.runs.targets import FakeTarget


@pytest.fixture
def engine() -> Iterator[Engine]:
    found = Engine(jitter=lambda: 0.0)
    yield found
    found.close()


class _Work:
    """Three tasks that fail; when they are sent again, something happens meanwhile, and they do not come to an end."""

    label = "work"

    def __init__(self, release: threading.Event) -> None:
        self._release, self._sent = release, 0
        self.transport = FakeTransport(then=self._answer)
        self.meanwhile: Callable[[], None] = lambda: None

    def request(self, tasks: Sequence[int], count: int) -> RunRequest:
        self._sent += 1
        if self._sent > 1:
            self.meanwhile()
        return RunRequest("map", "work", ChunkedItems(_encode, Sizing(3, 1_000_000, 1), tasks), count)

    def _answer(self, invocation: InvokeCall) -> InvocationReply:
        if self._sent > 1:
            self._release.wait(60)
        return _fails(invocation)


class _Launcher(Launcher):
    """Starts jobs in an engine of the test's."""

    def __init__(self, engine: Engine, transport: FakeTransport) -> None:
        super().__init__(read_options({}))
        self._place = Place(load_settings(), lambda: FakeTarget(transport), engine.start)

    def place(self) -> Place:
        return self._place


def _encode(chunk: Sequence[int], first: int) -> Frames:
    return encode_items(HOME, chunk, first, "auto")


def _fail(item: int) -> None:
    raise ValueError(item)


_fails = answering(_fail)


def test_a_cancel_during_a_resend_takes_effect(engine: Engine) -> None:
    """It meets the job that has ended, and stops the one that is about to begin."""
    release = threading.Event()
    work = _Work(release)
    job = MapJob(_Launcher(engine, work.transport), work)
    job.table.reach(3)
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
