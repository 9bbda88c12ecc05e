"""Answers of events, looked for in the bucket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lambdamagic.errors import AnswerNotTrustedError, EnvironmentDiedError, IntegrityError
from lambdamagic.jobs.delivery import EventDelivery
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import keys
from lambdamagic.protocol.envelope import Request
from lambdamagic.protocol.life import DONE
from lambdamagic.protocol.payload import inline_payload
from lambdamagic.protocol.seal import seal
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import ObjectInfo
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import answering, collect, job_spec, start


class _WithIntruder(MemoryObjectStore):
    """A store into which another process writes what he likes, before the client reads it.

    Args:
        planted: What he puts in place of an answer.
        times: How often he does.
    """

    def __init__(self, planted: bytes, times: int) -> None:
        super().__init__("bucket")
        self.planted, self.times = planted, times

    def get(self, key: str, **more: Any) -> bytearray:
        if key.endswith("/answer") and self.times:
            self.times -= 1
            self.put(key, [self.planted])
        return super().get(key, **more)


def _function(store: MemoryObjectStore) -> Callable[[InvokeCall], InvocationReply]:
    """Return a function that takes events and stores its answers."""

    def run(invocation: InvokeCall) -> InvocationReply:
        request = Request.from_json(json.loads(invocation.payload))
        answer = json.loads(answering(lambda x: x * x)(invocation).payload)
        sealed = seal(answer, key=request.key, job_id=request.job_id, attempt_id=request.attempt_id)
        store.put(keys.answer_key(request.job_id, request.attempt_id), [sealed])
        store.put(keys.live_key(request.job_id, request.attempt_id), [DONE])
        return InvocationReply(202, b"")

    return run


@pytest.mark.parametrize("planted", [b"", b"no answer", b'{"answer": "{}", "signature": "forged"}'])
def test_an_answer_that_was_tampered_with_is_one_attempts(planted: bytes) -> None:
    """Its task is sent again under another name, and the job continues."""
    store = _WithIntruder(planted, times=2)
    transport = FakeTransport(then=_function(store))
    engine = Engine(jitter=lambda: 0.0)
    try:
        values, error = collect(
            start(engine, transport, range(8), stager=Stager(store), mode="event", answer_bound_s=60)
        )
    finally:
        engine.close()
    assert (values, error) == ({x: x * x for x in range(8)}, None)
    assert transport.attempts == 10


def test_an_answer_that_was_deleted_is_sent_again() -> None:
    """As an invocation that was lost: whether its code ran is unknown."""
    store = _WithIntruder(b"", times=0)
    function = _function(store)

    def losing(invocation: InvokeCall) -> InvocationReply:
        reply = function(invocation)
        if transport.attempts <= 2:
            request = Request.from_json(json.loads(invocation.payload))
            store.delete([keys.answer_key(request.job_id, request.attempt_id)])
        return reply

    transport = FakeTransport(then=losing)
    engine = Engine(jitter=lambda: 0.0)
    try:
        found = collect(start(engine, transport, range(6), stager=Stager(store), mode="event", answer_bound_s=60))
    finally:
        engine.close()
    assert found == ({x: x * x for x in range(6)}, None)
    assert transport.attempts >= 7


def test_answers_that_are_tampered_with_again_and_again_are_their_tasks() -> None:
    """Each such task fails with the error of its last attempt; what was not touched is done."""
    store = _WithIntruder(b"no answer", times=2)
    policy = RetryPolicy(losses=0, base_s=0.001, cap_s=0.002)
    engine = Engine(jitter=lambda: 0.0)
    try:
        more = {"stager": Stager(store), "mode": "event", "answer_bound_s": 60, "policy": policy}
        values, error = collect(start(engine, FakeTransport(then=_function(store)), range(8), **more))
    finally:
        engine.close()
    assert error is None
    failed = [value for value in values.values() if isinstance(value, IntegrityError)]
    assert [type(each) for each in failed] == [AnswerNotTrustedError] * 2
    assert len(values) == 8


_SPEC = job_spec(
    transport=FakeTransport(then=lambda invocation: InvocationReply(202, b"")),
    stager=Stager(MemoryObjectStore("bucket")),
    program=inline_payload([b"program"]),
    mode="event",
    answer_bound_s=600.0,
)


class _Unlisted(MemoryObjectStore):
    """A store whose listing fails with what is not an error of ours."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        raise OSError(f"{prefix} cannot be listed")


def test_an_unexpected_failure_ends_the_attempt() -> None:
    """It is raised at once; else each attempt would wait for as long as an event may take, and say something else."""
    spec = replace(_SPEC, stager=Stager(_Unlisted("bucket")))
    threads = DaemonThreads(4, "test-delivery")

    async def attempt() -> None:
        delivery = EventDelivery(spec, threads, lambda events, report: None)
        await delivery.attempt(Unit((0,)), "a0")

    try:
        with pytest.raises(OSError, match="cannot be listed"):
            asyncio.run(asyncio.wait_for(attempt(), 60))
    finally:
        threads.close()


def test_a_function_that_cannot_start_is_reported_at_once() -> None:
    """It gives no heartbeat, and its event would be sent again for eleven minutes; its log says why."""
    asked: list[tuple[str, float]] = []

    def failed_starts(function: str, since_s: float) -> str:
        asked.append((function, since_s))
        return "Runtime.ImportModuleError: No module named 'x'" if len(asked) > 1 else ""

    threads = DaemonThreads(4, "test-delivery")

    async def attempt() -> None:
        delivery = EventDelivery(replace(_SPEC, failed_starts=failed_starts), threads, lambda events, report: None)
        delivery._silent_s = 0.02
        await delivery.attempt(Unit((0,)), "a0")

    try:
        with pytest.raises(EnvironmentDiedError, match=r"function f cannot start: Runtime\.ImportModuleError"):
            asyncio.run(asyncio.wait_for(attempt(), 60))
    finally:
        threads.close()
    assert [function for function, _ in asked] == ["f", "f"] and asked[0][1] < asked[1][1]
