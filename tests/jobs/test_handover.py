"""Events that go through an invoker: together where there are many, and each with its own fate."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdamagic.errors import (
    CredentialsError,
    FunctionMissingError,
    InvocationLostError,
    LambdaMagicError,
    PayloadTooLargeError,
    ProtocolError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.events import Event
from lambdamagic.jobs.handover import Handover
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import LOST, NO_ANSWER, NOT_SENT, Batch, BatchAnswer, Fate
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.payload import Payload, inline_payload
from lambdamagic.protocol.report import Report
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import job_spec

REPORT = (
    "REPORT RequestId: r\tDuration: 90.00 ms\tBilled Duration: 100 ms\tMemory Size: 1024 MB\tMax Memory Used: 30 MB\t"
)
Batches = Callable[[list[str]], list[Fate]]


@pytest.fixture
def threads() -> Iterator[DaemonThreads]:
    made = DaemonThreads(64, "test-handover")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def all_are_ready_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are made when all is ready, however long a loaded machine takes for that."""
    monkeypatch.setattr("lambdamagic.jobs.handover._LINGER_S", 20.0)


class Recorder:
    """What an invoker and its function were reported."""

    def __init__(self, fates: Batches) -> None:
        self._fates = fates
        self.batches: list[list[str]] = []
        self.directly: list[str] = []

    @property
    def batched(self) -> list[str]:
        """All attempts that stood in batches."""
        return [attempt for batch in self.batches for attempt in batch]

    def __call__(self, invocation: InvokeCall) -> InvocationReply:
        document = json.loads(invocation.payload)
        if invocation.kind == "Event":
            assert invocation.function == "f"
            self.directly.append(document["attempt"])
            return InvocationReply(202, b"")
        assert (invocation.function, invocation.want_log_tail) == ("f-invoker", True)
        batch = Batch.from_json(document)
        attempts = [json.loads(batch.payload(number))["attempt"] for number in range(len(batch.own))]
        self.batches.append(attempts)
        answer = BatchAnswer(versions.here(), tuple(self._fates(attempts)))
        return InvocationReply(200, json.dumps(answer.to_json()).encode(), log_tail=REPORT, request_id="r")


def all_taken(attempts: list[str]) -> list[Fate]:
    return [Fate(202)] * len(attempts)


def job(transport: FakeTransport, **more: Any) -> JobSpec:
    """Return a job whose function has an invoker."""
    return job_spec(
        function=FunctionRef("f", 128, 3, invoker="f-invoker"),
        transport=transport,
        stager=Stager(MemoryObjectStore("bucket")),
        program=inline_payload([b"program"]),
        mode="event",
        **more,
    )


def send(
    threads: DaemonThreads,
    transport: FakeTransport,
    count: int,
    *,
    units: Callable[[int], Unit] = lambda number: Unit((number,)),
    reports: list[tuple[int, Report]] | None = None,
) -> list[Exception | None]:
    """Send events and return what became of each."""

    async def run() -> list[Any]:
        heard: list[tuple[int, Report]] = [] if reports is None else reports
        handover = Handover(job(transport), threads, lambda events, report: heard.append((events, report)))
        attempts = (handover.send(units(number), f"a{number}") for number in range(count))
        return await asyncio.gather(*attempts, return_exceptions=True)

    return asyncio.run(asyncio.wait_for(run(), 30))


def names(first: str, count: int) -> list[str]:
    """Return attempts, sorted as text."""
    return sorted(f"{first}{number}" for number in range(count))


def test_many_go_together_and_few_directly(threads: DaemonThreads) -> None:
    """A hundred in four batches, whose cost is reported; fifteen as if there were no invoker."""
    lambda_, reports = Recorder(all_taken), list[tuple[int, Report]]()
    assert send(threads, FakeTransport(then=lambda_), 100, reports=reports) == [None] * 100
    assert sorted(map(len, lambda_.batches)) == [25] * 4
    assert sorted(lambda_.batched) == names("a", 100)
    assert sorted(events for events, _ in reports) == [25] * 4
    assert {report.billed_ms for _, report in reports} == {100.0}
    lambda_ = Recorder(all_taken)
    assert send(threads, FakeTransport(then=lambda_), 15) == [None] * 15
    assert (lambda_.batches, len(lambda_.directly)) == ([], 15)


def test_each_event_keeps_its_own_fate(threads: DaemonThreads) -> None:
    """Taken, throttled, refused, lost, not reached: the errors that sending it directly gives."""
    fates = {
        "a1": Fate(429, "TooManyRequestsException", "Rate Exceeded.", 3.0),
        "a2": Fate(413, "RequestEntityTooLargeException", "too large"),
        "a3": Fate(500, "ServiceException", "internal"),
        "a4": Fate(NO_ANSWER, LOST, "broke"),
        "a5": Fate(NO_ANSWER, NOT_SENT, "no route"),
        "a6": Fate(403, "AccessDeniedException", "User: x is not authorized to perform: lambda:InvokeFunction on y"),
    }
    lambda_ = Recorder(lambda attempts: [fates.get(each, Fate(202)) for each in attempts])
    found = send(threads, FakeTransport(then=lambda_), 16)
    kinds = [ThrottledError, PayloadTooLargeError, InvocationLostError, InvocationLostError, UnreachableError]
    assert [type(each) for each in found[1:7]] == [*kinds, CredentialsError]
    assert found[0] is None and found[7:] == [None] * 9
    assert isinstance(found[1], ThrottledError) and found[1].retry_after_s == 3.0
    assert "The invoker's role lacks the permissions" in str(found[6]) and "--invoker" in str(found[6])


def test_unsent_events_go_with_the_next_batch(threads: DaemonThreads) -> None:
    """An invoker stops before its own deadline; if it got nowhere at all, that is an error and no endless round."""
    lambda_ = Recorder(lambda attempts: [Fate(202)] * 16 + [Fate(NO_ANSWER, NOT_SENT)] * (len(attempts) - 16))
    assert send(threads, FakeTransport(then=lambda_), 80) == [None] * 80
    assert len(lambda_.batched) + len(lambda_.directly) > 80
    found = send(
        threads, FakeTransport(then=Recorder(lambda attempts: [Fate(NO_ANSWER, NOT_SENT)] * len(attempts))), 20
    )
    assert [type(each) for each in found] == [UnreachableError] * 20


def test_an_invoker_without_room_is_gone_around(threads: DaemonThreads) -> None:
    """Lambda queues events also when it has no execution left for the invoker."""

    def full(attempts: list[str]) -> list[Fate]:
        raise ThrottledError("full")

    lambda_ = Recorder(full)
    assert send(threads, FakeTransport(then=lambda_), 100) == [None] * 100
    assert sorted(lambda_.directly) == names("a", 100)
    assert len(lambda_.batches) <= 4


@pytest.mark.parametrize(
    ("meets", "kind", "said"),
    [
        (InvocationLostError("broke"), InvocationLostError, "broke"),
        (FunctionMissingError("there is no function"), FunctionMissingError, "--invoker"),
        (
            InvocationReply(200, b'{"errorType": "Sandbox.Timedout", "errorMessage": "x"}', function_error="Unhandled"),
            InvocationLostError,
            "whether Lambda accepted its events",
        ),
        (
            InvocationReply(
                200, b'{"errorType": "Runtime.ImportModuleError", "errorMessage": "x"}', function_error="Unhandled"
            ),
            LambdaMagicError,
            "--invoker",
        ),
        (
            InvocationReply(
                200,
                json.dumps(
                    Response(versions.here(), "refused", detail="no", error_kind="ProtocolError").to_json()
                ).encode(),
            ),
            ProtocolError,
            "f-invoker refused a batch: no",
        ),
        (InvocationReply(200, b'{"statusCode": 200}'), ProtocolError, "not lambdamagic's"),
    ],
    ids=["connection broke", "gone", "timed out", "cannot start", "refused", "another's"],
)
def test_a_batch_that_fails_as_a_whole(threads: DaemonThreads, meets: Any, kind: type, said: str) -> None:
    """Each of its events raises, so that the engine decides for each; what a dead invoker has cost is reported."""
    reports = list[tuple[int, Report]]()
    if isinstance(meets, InvocationReply):
        meets = InvocationReply(200, meets.payload, meets.function_error, log_tail=REPORT, request_id="r")
    found = send(threads, FakeTransport(then=meets), 20, reports=reports)
    assert {type(each) for each in found if isinstance(each, kind)} and len(found) == 20
    assert all(isinstance(each, kind) and said in str(each) for each in found)
    assert len({id(each) for each in found}) == 20
    assert len(reports) == (isinstance(meets, InvocationReply) and kind is InvocationLostError)


def test_an_event_that_no_batch_takes_is_sent_by_itself(threads: DaemonThreads) -> None:
    """Lambda itself says what is too large."""
    lambda_ = Recorder(all_taken)

    def unit(number: int) -> Unit:
        size = AWS_LAMBDA.async_payload_bytes.most if number in (0, 30) else 10
        return Unit((number,), placed=lambda: Payload((), b"x" * size))

    assert send(threads, FakeTransport(then=lambda_), 40, units=unit) == [None] * 40
    assert {"a0", "a30"} <= set(lambda_.directly)
    assert sorted(lambda_.batched + lambda_.directly) == names("a", 40)


def test_a_unit_that_is_not_ready_does_not_delay_others(
    threads: DaemonThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment those are sent that are ready; the other one goes when it is."""
    monkeypatch.setattr("lambdamagic.jobs.handover._LINGER_S", 0.05)
    lambda_, others_went = Recorder(all_taken), threading.Event()

    def answer(invocation: InvokeCall) -> InvocationReply:
        others_went.set()
        return lambda_(invocation)

    def unit(number: int) -> Unit:
        def placed() -> Payload:
            assert number or others_went.wait(20)
            return Payload((), b"x")

        return Unit((number,), placed=placed)

    assert send(threads, FakeTransport(then=answer), 40, units=unit) == [None] * 40
    assert sorted(lambda_.batched + lambda_.directly) == names("a", 40)


def test_a_cancelled_waiting_event_is_not_sent(threads: DaemonThreads) -> None:
    """A job that is cancelled while its events wait for a batch sends them no more."""
    release, begun, ready = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def slow(attempts: list[str]) -> list[Fate]:
        begun.release()
        release.wait(20)
        return all_taken(attempts)

    class Journal:
        def __call__(self, event: Event) -> None:
            pass

        def sent(self, attempt_id: str) -> None:
            ready.release()

    lambda_ = Recorder(slow)
    spec = job(FakeTransport(then=lambda_), journal=Journal())

    async def run() -> None:
        handover = Handover(spec, threads, lambda events, report: None)
        loop = asyncio.get_running_loop()

        async def start(first: str, count: int) -> list[asyncio.Task[None]]:
            tasks = [loop.create_task(handover.send(Unit((number,)), f"{first}{number}")) for number in range(count)]
            for _ in range(count):
                await loop.run_in_executor(None, ready.acquire)
            return tasks

        early = await start("a", 64)
        for _ in range(4):
            await loop.run_in_executor(None, begun.acquire)
        late = await start("b", 40)
        for task in late:
            task.cancel()
        ended = await asyncio.gather(*late, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        release.set()
        await asyncio.gather(*early)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert sorted(lambda_.batched + lambda_.directly) == names("a", 64)


def test_a_report_of_another_invocation_is_not_the_invokers(threads: DaemonThreads) -> None:
    """A log's end may have one."""
    reports = list[tuple[int, Report]]()
    dead = b'{"errorType": "Sandbox.Timedout", "errorMessage": "x"}'
    meets = InvocationReply(200, dead, function_error="Unhandled", log_tail=REPORT, request_id="other")
    found = send(threads, FakeTransport(then=meets), 20, reports=reports)
    assert {type(each) for each in found} == {InvocationLostError}
    assert reports == []
