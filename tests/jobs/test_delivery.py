"""Answers of events, looked for in the bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lambdamagic.jobs.delivery import EventDelivery
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import versions
from lambdamagic.protocol.payload import inline_payload
from lambdamagic.runs.sources import Units
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import ObjectInfo
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply


class _Unlisted(MemoryObjectStore):
    """A store whose listing fails with what is no error of ours."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        raise OSError(f"{prefix} cannot be listed")


def test_a_failure_that_nobody_foresaw_ends_the_attempt() -> None:
    """It is raised at once; else each attempt would wait for as long as an event may take, and say something else."""
    spec = JobSpec(
        kind="map",
        label="test",
        function=FunctionRef("f", 128, 3),
        transport=FakeTransport(then=lambda invocation: InvocationReply(202, b"")),
        stager=Stager(_Unlisted("bucket")),
        program=inline_payload([b"program"]),
        versions=versions.here(),
        units=Units(()),
        task_count=None,
        mode="event",
        answer_bound_s=600.0,
    )
    threads = DaemonThreads(4, "test-delivery")

    async def attempt() -> None:
        delivery = EventDelivery(spec, threads, lambda events, report: None)
        await delivery.attempt(Unit((0,)), "a0")

    try:
        with pytest.raises(OSError, match="cannot be listed"):
            asyncio.run(asyncio.wait_for(attempt(), 60))
    finally:
        threads.close()
