"""When an event's answer is looked for, when it is sent again, and when it counts as lost: in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from benchmarks.virtual import VirtualLoop, VirtualThreads
from lambdamagic.errors import (
    AnswerLostError,
    EnvironmentDiedError,
    InvocationLostError,
    LambdaMagicError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.jobs.delivery import EventDelivery, SyncDelivery, answer_bound_s, delivery_for
from lambdamagic.jobs.job import Arrival, FunctionRef, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.life import DONE, beat, new_sign
from lambdamagic.protocol.payload import inline_payload
from lambdamagic.protocol.seal import seal
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import ObjectInfo
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.functions import job_spec

#: A function of 60 s shows every 4 s that it runs: six times that is silence.
_SILENT_S = 24.0
LOST, THROTTLED, UNREACHABLE = InvocationLostError("broke"), ThrottledError("429"), UnreachableError("no route")


class Bucket(MemoryObjectStore):
    """A store that notes when it is listed, and how long permissions were to last."""

    def __init__(self, loop: VirtualLoop, lasts_s: float) -> None:
        super().__init__("bucket", clock=loop)
        self.loop, self.lasts_s = loop, lasts_s
        self.listed, self.needed_s = list[float](), set[float]()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.listed.append(self.loop.time())
        return super().list(prefix)

    def links_last_s(self, needed_s: float) -> float:
        self.needed_s.add(needed_s)
        return self.lasts_s


class World:
    """An event's delivery in virtual time.

    Args:
        meets: What each sending meets; later ones are taken.
        lasts_s: How long permissions last.
        more: For the JobSpec.
    """

    def __init__(self, meets: Iterable[Exception] = (), *, lasts_s: float = float("inf"), **more: Any) -> None:
        self.loop = VirtualLoop()
        self.store = Bucket(self.loop, lasts_s)
        self.sent: list[float] = []
        script = iter(meets)

        def take(invocation: InvokeCall) -> InvocationReply:
            self.sent.append(self.loop.time())
            met = next(script, None)
            if met is not None:
                raise met
            return InvocationReply(202, b"")

        self.spec = job_spec(
            transport=FakeTransport(then=take),
            stager=Stager(self.store),
            program=inline_payload([b"program"]),
            job_id="j",
            **{"mode": "event", "answer_bound_s": 600.0, "function": FunctionRef("f", 128, 60), **more},
        )
        threads = cast(DaemonThreads, VirtualThreads(self.loop, lambda: 0.0))
        self.delivery = EventDelivery(self.spec, threads, lambda events, report: None)
        self.ended: dict[str, float] = {}

    def at(self, moment: float, call: Callable[..., Any], *arguments: Any) -> None:
        self.loop.call_at(moment, call, *arguments)

    def beats(self, *moments: float, attempt: str = "a") -> None:
        """Give signs of an attempt that runs."""
        sign = new_sign()
        for number, moment in enumerate(moments):
            self.at(moment, self.store.put, keys.live_key("j", attempt), [beat(sign, number)])

    def answers(self, moment: float, attempt: str = "a", *, is_shown: bool = True) -> None:
        """Store an answer, and show that it is there."""
        answer = seal(Response(versions.here(), "done").to_json(), key=self.spec.key, job_id="j", attempt_id=attempt)
        self.at(moment, self.store.put, keys.answer_key("j", attempt), [answer])
        if is_shown:
            self.at(moment, self.store.put, keys.live_key("j", attempt), [DONE])

    def run(self, *attempts: str, unit: Unit = Unit((0,))) -> list[Any]:  # noqa: B008  # it cannot be changed
        """Make attempts at once, and return their answers or errors."""

        async def one(attempt: str) -> Any:
            try:
                arrival, tail = await self.delivery.attempt(unit, attempt)
                assert tail == ""
                return arrival
            except LambdaMagicError as error:
                return error
            finally:
                self.ended[attempt] = self.loop.time()

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(one, attempts))

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            return runner.run(all_of_them())


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip([0.0, *moments], moments, strict=False)]


def test_the_bucket_is_listed_less_and_less_often_until_an_answer_comes() -> None:
    """From ten times a second to every three seconds; an answer that was found makes the next look come soon."""
    world = World()
    world.answers(19.0, "a")
    world.answers(20.0, "b")
    found = world.run("a", "b")
    assert [(type(each), each.unit.tasks) for each in found] == [(Arrival, (0,))] * 2
    waits = gaps(world.store.listed)
    first = next(number for number, wait_s in enumerate(waits) if number and wait_s < 0.11)
    assert waits[:first] == pytest.approx([min(3.0, 0.1 * 1.5**n) for n in range(first)])
    assert waits[first:] == pytest.approx([0.1 * 1.5**n for n in range(len(waits) - first)])
    assert 19.0 <= world.ended["a"] < 20.0 <= world.ended["b"] < 20.5
    assert world.sent == [0.0, 0.0]
    assert world.store.needed_s == {600.0 + 60.0 + 60.0}


@pytest.mark.parametrize(("mode", "left"), [("event", 1), ("trigger", 0)])
def test_heartbeats_that_were_read_are_deleted(mode: str, left: int) -> None:
    """And the request, where the function was triggered by it; the answer stays for who resumes the job."""
    world = World(mode=mode, trigger_secret=b"s" * 32)
    world.at(0.0, world.store.put, keys.trigger_key("f", "j", "a"), [b"request"])
    world.answers(5.0)
    (found,) = world.run("a")
    assert isinstance(found, Arrival)
    names = {info.key for info in world.store.list("")}
    assert names == {keys.answer_key("j", "a"), *([keys.trigger_key("f", "j", "a")] if left else [])}
    assert (world.sent == []) is (mode == "trigger")


def test_an_environment_that_falls_silent_has_died() -> None:
    """After six intervals without a change; it is billed for as long as it was seen."""
    world = World()
    world.loop._jump.now = 1_000.0
    world.beats(1_002.0, 1_006.0, 1_010.0)
    (found,) = world.run("a")
    assert type(found) is EnvironmentDiedError
    assert "no heartbeat for 24 s" in found.message
    assert 1_010.0 + _SILENT_S < world.ended["a"] < 1_010.0 + _SILENT_S + 6.0
    assert 5.0 < found.billed_s <= 8.0 + 3.0
    assert world.sent == [1_000.0]


def test_silence_of_exactly_that_length_is_borne() -> None:
    """A sign is late when it is later than that."""
    world = World()
    world.delivery._silent_s = 6.0
    world.beats(0.0)
    (found,) = world.run("a")
    assert type(found) is EnvironmentDiedError
    before, last = [moment for moment in world.store.listed if moment <= world.ended["a"]][-2:]
    seen = world.store.listed[0]
    assert before - seen <= 6.0 < last - seen


def test_an_answer_whose_last_sign_was_lost_is_found() -> None:
    """It is looked for before its environment counts as dead; it began, so it was not sent again."""
    world = World()
    world.beats(2.0)
    world.answers(6.0, is_shown=False)
    (found,) = world.run("a")
    assert isinstance(found, Arrival)
    assert world.store.requests["HEAD"] == 1
    assert world.sent == [0.0]


@pytest.mark.parametrize(("lasts_s", "kind"), [(61.0, AnswerLostError), (1_000.0, EnvironmentDiedError)])
def test_silence_after_the_permissions_ended_is_no_death(lasts_s: float, kind: type[LambdaMagicError]) -> None:
    """The answer could not be stored: it is not run again."""
    world = World(lasts_s=lasts_s)
    world.beats(2.0, 20.0, 40.0)
    (found,) = world.run("a")
    assert type(found) is kind
    assert 36.0 < found.billed_s < 42.0


def test_an_event_whose_connection_broke_is_sent_again_under_its_name() -> None:
    """At once, then later and later; when one was taken it is waited for."""
    for lost, sent in ((1, [0.0, 0.1]), (2, [0.0, 0.1, 0.5]), (3, [0.0, 0.1, 0.5, 2.1])):
        world = World([LOST] * lost)
        world.answers(4.0)
        assert isinstance(world.run("a")[0], Arrival)
        assert world.sent == pytest.approx(sent)


def test_an_event_that_was_lost_each_time_is_looked_for_before_it_counts_as_lost() -> None:
    """Four times, a second and a half apart; then it may be sent under another name."""
    world = World([LOST] * 4)
    (found,) = world.run("a")
    assert found is LOST
    assert world.sent == pytest.approx([0.0, 0.1, 0.5, 2.1])
    assert world.ended["a"] == pytest.approx(2.1 + 4 * 1.5)


@pytest.mark.parametrize("begins", [0.3, 3.0, 7.0])
def test_an_event_that_was_lost_and_runs_all_the_same_is_waited_for(begins: float) -> None:
    """It runs once: its heartbeat says that one of the sendings was taken."""
    world = World([LOST] * 4)
    world.beats(begins, begins + 4.0)
    world.answers(begins + 8.0)
    assert isinstance(world.run("a")[0], Arrival)
    assert len(world.sent) == 4


@pytest.mark.parametrize("is_done", [False, True])
def test_an_event_that_runs_before_it_is_sent_again_is_not_sent_again(is_done: bool) -> None:
    """Another attempt has the bucket listed meanwhile."""
    world = World(iter([cast(Exception, None), LOST, LOST]))
    world.answers(6.0, "other")
    if is_done:
        world.answers(0.12)
    else:
        world.beats(0.12, 3.0)
        world.answers(6.0)
    assert all(isinstance(each, Arrival) for each in world.run("other", "a"))
    assert world.sent == [0.0, 0.0, 0.1]


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE])
def test_an_event_that_was_refused_at_first_was_not_sent(error: Exception) -> None:
    """The engine decides what comes next."""
    world = World([error])
    assert world.run("a") == [error]
    assert (world.sent, world.ended["a"]) == ([0.0], 0.0)


def test_an_event_that_may_have_been_taken_gets_no_other_name_for_a_refusal() -> None:
    """It is sent again soon until one is taken or shows that it runs; a line that fails is tried as often as one that
    breaks."""
    world = World([LOST, THROTTLED, THROTTLED, THROTTLED])
    world.answers(9.0)
    assert isinstance(world.run("a")[0], Arrival)
    assert world.sent == pytest.approx([0.0, 0.1, 1.7, 3.3, 4.9])
    world = World([LOST, UNREACHABLE, UNREACHABLE, UNREACHABLE])
    assert world.run("a") == [LOST]
    assert world.sent == pytest.approx([0.0, 0.1, 0.5, 2.1])


def test_an_event_without_a_sign_is_sent_again_less_and_less_often_until_its_bound() -> None:
    """It may be in Lambda's queue, or have died before it could give one: sent twice, it runs once."""
    world = World()
    (found,) = world.run("a")
    assert type(found) is InvocationLostError
    assert "not answered within 600 s" in found.message
    assert world.sent == [0.0, 24.0, 72.0, 168.0, 360.0]
    assert (world.ended["a"], found.billed_s) == (600.0, 0.0)


def test_a_refusal_of_what_was_taken_before_changes_nothing() -> None:
    """Nor does a connection that breaks, or cannot be made: the first may be in the queue all the same."""
    for error in (THROTTLED, UNREACHABLE):
        world = World(iter([cast(Exception, None), error]))
        world.answers(40.0)
        assert isinstance(world.run("a")[0], Arrival)
        assert world.sent == pytest.approx([0.0, 24.0, 25.6])
    world = World(iter([cast(Exception, None), LOST, LOST, LOST, LOST]))
    world.answers(40.0)
    assert isinstance(world.run("a")[0], Arrival)
    assert world.sent == pytest.approx([0.0, 24.0, 24.1, 24.5, 26.1, 33.7])


def test_an_event_that_runs_longer_than_its_bound_is_billed_for_as_long_as_it_was_seen() -> None:
    """Its heartbeats came to the end."""
    world = World(answer_bound_s=60.0)
    world.beats(*(float(4 * n) for n in range(1, 20)))
    (found,) = world.run("a")
    assert type(found) is InvocationLostError
    assert world.ended["a"] == 60.0
    assert 48.0 < found.billed_s < 60.0


def test_an_event_that_a_client_sent_before_it_died_is_only_waited_for() -> None:
    """Under the name that it had; the answer may be there already, with its sign read and deleted."""
    world = World()
    world.answers(7.0, "old")
    (found,) = world.run("new", unit=Unit((0,), sent_as="old"))
    assert isinstance(found, Arrival)
    assert (found.unit.sent_as, found.attempt_id, world.sent) == ("", "old", [])


def test_what_a_function_says_that_cannot_start_is_asked_for_now_and_then() -> None:
    """Once for all of a job's attempts, when no sign came; with how long ago the job began."""
    asked: list[tuple[str, float, float]] = []

    def failed_starts(function: str, since_s: float) -> str:
        asked.append((function, since_s, world.loop.time()))
        return "it is broken" if len(asked) == 3 else ""

    world = World(failed_starts=failed_starts)
    world.loop._jump.now = 5.0
    found = world.run("a", "b")
    assert [type(each) for each in found] == [EnvironmentDiedError, InvocationLostError]
    assert "the function f cannot start: it is broken" in found[0].message
    assert asked == [("f", waited_s, waited_s + 5.0) for waited_s in (24.0, 72.0, 168.0, 360.0)]


def test_each_function_has_its_own_line_to_lambda() -> None:
    """A unit that needs more memory goes to another function, with the timeout of that."""
    world = World()
    larger = FunctionRef("g", 256, 90)
    world.answers(3.0)
    (found,) = world.run("a", unit=Unit((0,), function=larger))
    assert isinstance(found, Arrival)
    assert world.store.needed_s == {600.0 + 90.0 + 60.0}
    transport = world.spec.transport
    assert isinstance(transport, FakeTransport)
    assert [(each.function, each.timeout_s) for each in transport.invocations] == [("g", 90)]
    assert json.loads(transport.invocations[0].payload)["attempt"] == "a"


@pytest.mark.parametrize(("mode", "invoked"), [("event", ["f-invoker"]), ("trigger", [])])
def test_an_invoker_takes_events_only(mode: str, invoked: list[str]) -> None:
    """Many at once; where the bucket triggers the function, nothing is invoked."""
    names = [f"a{number}" for number in range(16)]
    world = World(mode=mode, trigger_secret=b"s" * 32, function=FunctionRef("f", 128, 60, invoker="f-invoker"))
    for name in names:
        world.answers(1.0, name)
    found = world.run(*names)
    transport = world.spec.transport
    assert isinstance(transport, FakeTransport)
    assert [each.function for each in transport.invocations] == invoked
    assert all(isinstance(each, LambdaMagicError if invoked else Arrival) for each in found)


def test_signs_of_attempts_that_are_not_waited_for_change_nothing() -> None:
    """Those of a client that died, or of one that was cancelled here."""
    world = World()
    world.beats(0.0, attempt="running")
    world.answers(0.0, "done")
    world.answers(40.0)
    assert isinstance(world.run("a")[0], Arrival)


def test_each_mode_has_its_delivery() -> None:
    """A synchronous one holds a connection; the others look into the bucket."""
    world = World()
    threads = DaemonThreads(1, "test-delivery")
    kinds = [
        type(delivery_for(replace(world.spec, mode=mode), threads, lambda events, report: None))
        for mode in ("sync", "event", "trigger")
    ]
    world.loop.close()
    threads.close()
    assert kinds == [SyncDelivery, EventDelivery, EventDelivery]


def test_looking_ends_with_the_last_attempt_and_begins_with_the_next() -> None:
    """An idle job does not list the bucket."""
    world = World()
    world.answers(1.0, "a")
    world.answers(100.0, "b")

    async def two() -> None:
        await world.delivery.attempt(Unit((0,)), "a")
        await asyncio.sleep(50.0)
        await world.delivery.attempt(Unit((0,)), "b")

    with asyncio.Runner(loop_factory=lambda: world.loop) as runner:
        runner.run(two())
    assert not [moment for moment in world.store.listed if 5.0 < moment < 50.0]


def test_the_bound_of_an_answer() -> None:
    """Its age in the queue, the function's timeout, and half a minute."""
    assert answer_bound_s(60.0) == 690.0
