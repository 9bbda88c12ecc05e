"""Links end with the credentials that signed them: nothing that was paid for is run a second time for that."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from lambdamagic.codec.frames import Frames
from lambdamagic.errors import AnswerLostError
from lambdamagic.jobs.delivery import EventDelivery
from lambdamagic.jobs.job import FunctionRef, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import keys
from lambdamagic.protocol.life import beat, new_sign
from lambdamagic.protocol.payload import FrameRef, Payload, inline_payload
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import job_spec


class _Ending(MemoryObjectStore):
    """A store whose credentials end, and are followed by others."""

    key, lasts_s = "FIRST", 3600.0

    def links_last_s(self, needed_s: float) -> float:
        return self.lasts_s

    def signer(self) -> str:
        return self.key

    def presign_get(self, key: str, expires_s: int) -> str:
        return f"{super().presign_get(key, expires_s)}&X-Amz-Credential={self.key}%2Fscope"


def test_an_environment_that_falls_silent_when_its_links_end_is_not_dead() -> None:
    """Its answer could not be stored: that is a separate error, which no policy repeats."""
    store = _Ending("bucket")
    store.lasts_s = 0.0

    def run(invocation: InvokeCall) -> InvocationReply:
        store.put(keys.live_key(spec.job_id, "a0"), [beat(new_sign(), 0)])
        return InvocationReply(202, b"")

    spec = job_spec(
        function=FunctionRef("f", 128, 0),
        transport=FakeTransport(then=run),
        stager=Stager(store),
        program=inline_payload([b"program"]),
        mode="event",
        answer_bound_s=600.0,
    )
    threads = DaemonThreads(4, "test-links")

    async def attempt() -> None:
        delivery = EventDelivery(spec, threads, lambda events, report: None)
        delivery._silent_s = 0.2  # how long silence lasts is not the point here
        await delivery.attempt(Unit((0,)), "a0")

    try:
        with pytest.raises(AnswerLostError, match="not run again"):
            asyncio.run(asyncio.wait_for(attempt(), 60))
    finally:
        threads.close()


def test_links_of_other_credentials_are_signed_again() -> None:
    """As soon as others sign, a program that was placed before gets new links, once."""
    store = _Ending("bucket")
    stager = Stager(store)
    placed = stager.renewed(Payload((FrameRef(3, "ab" * 32, "url"),)))
    now = time.monotonic()
    assert stager.fresh(placed, now) is placed
    store.key = "SECOND"
    renewed = stager.fresh(placed, now)
    assert "SECOND" in renewed.frames[0].url
    assert stager.fresh(placed, now) is renewed


def test_links_of_sessions_have_room_in_an_event() -> None:
    """A link with a token of 2 kB takes as much of the event as a small array: the whole stays below Lambda's 6 MB."""

    class Long(MemoryObjectStore):
        def presign_get(self, key: str, expires_s: int) -> str:
            return f"{super().presign_get(key, expires_s)}&X-Amz-Security-Token={'x' * 2800}"

    arrays = [bytes([number % 256]) * 10_000 for number in range(900)]
    frames = Frames((b"stream", *arrays))
    payload = Stager(Long("bucket")).place(frames, limit_bytes=AWS_LAMBDA.inline_bytes)
    assert len(json.dumps(payload.to_json())) < AWS_LAMBDA.sync_payload_bytes.most


def test_credentials_that_end_too_soon_are_warned_about_once() -> None:
    """Before anything is sent, with how long they last."""
    store = _Ending("bucket")
    store.lasts_s = 900.0
    stager = Stager(store)
    assert stager.links_last_s(300.0, queued_s=600.0) == 900.0  # the timeout fits, and only a long queue would not
    with pytest.warns(UserWarning, match="expire in 15 minutes"):
        stager.links_last_s(1200.0)
    stager.links_last_s(1200.0)
