"""Which events go together and when, in virtual time: how many batches, how long events wait, what a refusal does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from benchmarks.virtual import VirtualLoop, VirtualThreads
from lambdamagic.errors import InvocationLostError, ThrottledError, UnreachableError
from lambdamagic.jobs.handover import Handover
from lambdamagic.jobs.job import FunctionRef, Unit
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import LOST, NO_ANSWER, NOT_SENT, Batch, BatchAnswer, Fate
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.report import Report
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply, InvokeCall
from tests.jobs.test_handover import job

_TAKES_S = 1.0


class World:
    """Events of one job in virtual time; each request to Lambda takes a second.

    Args:
        batch: Answers a batch: its number, and its events' names.
        direct: Called with the name of an event that goes directly.
    """

    def __init__(
        self,
        batch: Callable[[int, list[str]], list[Fate]] = lambda number, names: [Fate(202)] * len(names),
        direct: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.loop = VirtualLoop()
        self._took_s = 0.0
        self._batch, self._direct = batch, direct
        self.batches: list[tuple[float, list[str]]] = []
        self.directly: list[tuple[float, str]] = []
        self.invoked: list[str] = []
        self.reports: list[int] = []
        self.wrong: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.wrong.append(context))
        threads = cast(DaemonThreads, VirtualThreads(self.loop, self._took))
        self.handover = Handover(job(FakeTransport(then=self._answer)), threads, self._report)

    def _report(self, events: int, report: Report) -> None:
        self.reports.append(events)

    def _took(self) -> float:
        took_s, self._took_s = self._took_s, 0.0
        return took_s

    def slow(self, number: int, prepare_s: float) -> Unit:
        """Return a unit whose event is ready after some time."""

        def placed() -> Payload:
            self._took_s = prepare_s
            return Payload(())

        return Unit((number,), placed=placed)

    def _answer(self, invocation: InvokeCall) -> InvocationReply:
        self._took_s = _TAKES_S
        self.invoked.append(invocation.function)
        document = json.loads(invocation.payload)
        if invocation.kind == "Event":
            self.directly.append((self.loop.time(), document["attempt"]))
            self._direct(document["attempt"])
            return InvocationReply(202, b"")
        batch = Batch.from_json(document)
        names = [json.loads(batch.payload(number))["attempt"] for number in range(len(batch.own))]
        self.batches.append((self.loop.time(), names))
        fates = tuple(self._batch(len(self.batches) - 1, names))
        return InvocationReply(200, json.dumps(BatchAnswer(versions.here(), fates).to_json()).encode())

    def send(self, *rounds: tuple[float, Sequence[Unit]]) -> list[Any]:
        """Send units at these moments, named by their numbers, and return what became of each."""

        async def later(moment: float, unit: Unit) -> Exception | None:
            await asyncio.sleep(moment)
            try:
                await self.handover.send(unit, f"a{unit.tasks[0]}")
            except Exception as error:
                return error
            return None

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(later(moment, unit) for moment, units in rounds for unit in units))

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            found = runner.run(all_of_them())
        assert self.wrong == []
        return found

    @property
    def sizes(self) -> list[tuple[float, int]]:
        return [(moment, len(names)) for moment, names in self.batches]

    @property
    def names(self) -> list[str]:
        """All names that were sent, however."""
        return sorted([name for _, names in self.batches for name in names] + [name for _, name in self.directly])


def units(count: int, first: int = 0) -> list[Unit]:
    return [Unit((number,)) for number in range(first, first + count)]


def named(count: int) -> list[str]:
    return sorted(f"a{number}" for number in range(count))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (15, []),
        (16, [(0.0, 16)]),
        (31, [(0.0, 31)]),
        (32, [(0.0, 16)] * 2),
        (63, [(0.0, 21)] * 3),
        (64, [(0.0, 16)] * 4),
        (99, [(0.0, 25)] * 3 + [(0.0, 24)]),
    ],
)
def test_events_are_spread_over_the_batches_that_may_go(count: int, sizes: list[tuple[float, int]]) -> None:
    """Four at once, none smaller than is worth it; fewer events go directly. Each goes once."""
    world = World()
    assert world.send((0.0, units(count))) == [None] * count
    assert (world.sizes, world.names) == (sizes, named(count))
    assert {moment for moment, _ in world.directly} <= {0.0}


def test_what_does_not_fit_into_four_batches_waits_for_the_end_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch has a bound; those that end first go first."""
    monkeypatch.setattr("lambdamagic.jobs.handover.BATCH_MAX_EVENTS", 30)
    world = World()
    assert world.send((0.0, units(170))) == [None] * 170
    assert world.sizes == [(0.0, 30)] * 4 + [(1.0, 30), (1.0, 20)]
    assert world.names == named(170)


def test_a_few_events_go_directly_past_batches_under_way() -> None:
    """They need no invoker."""
    world = World()
    assert world.send((0.0, units(64)), (0.5, units(3, 64))) == [None] * 67
    assert (world.sizes, [moment for moment, _ in world.directly]) == ([(0.0, 16)] * 4, [0.5] * 3)
    world = World()
    assert world.send((0.0, units(64)), (0.5, units(20, 64))) == [None] * 84
    assert world.sizes == [(0.0, 16)] * 4 + [(1.0, 20)]


def test_events_that_are_ready_wait_half_a_second_for_others() -> None:
    """From the first one that is ready on; when all are, none waits."""
    world = World()
    slow = [world.slow(number, prepare_s) for number, prepare_s in ((40, 0.3), (41, 0.6), (42, 9.0))]
    assert world.send((0.0, [*units(40), *slow])) == [None] * 43
    assert world.sizes == [(0.5, 21), (0.5, 20)]
    assert [moment for moment, _ in world.directly] == [pytest.approx(1.1), 9.0]
    assert world.names == named(43)
    world = World()
    assert world.send((0.0, [*units(20), world.slow(20, 0.2)])) == [None] * 21
    assert world.sizes == [(0.2, 21)]


def test_as_many_as_fill_a_batch_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others that are not ready change nothing about it; what is left then waits for them."""
    monkeypatch.setattr("lambdamagic.jobs.handover.BATCH_MAX_EVENTS", 32)
    world = World()
    assert world.send((0.0, [world.slow(32, 0.4), *units(32)])) == [None] * 33
    assert world.sizes == [(0.0, 16), (0.4, 17)]


@pytest.mark.parametrize(("retry_after_s", "until"), [(0.0, 6.0), (9.0, 10.0)])
def test_after_a_refusal_events_go_directly_for_a_while(retry_after_s: float, until: float) -> None:
    """Five seconds, or as long as Lambda asked for; no event is lost on the way, nor sent twice."""

    def refuse(number: int, names: list[str]) -> list[Fate]:
        if number:
            return [Fate(202)] * len(names)
        error = ThrottledError("full")
        error.retry_after_s = retry_after_s
        raise error

    world = World(refuse)
    rounds = [(moment, units(20, 20 * place)) for place, moment in enumerate((0.0, 0.5, until - 0.1, until))]
    assert world.send(*rounds) == [None] * 80
    directly = [moment for moment, _ in world.directly]
    assert directly == [1.0] * 20 + [until - 0.1] * 20
    assert world.sizes == [(0.0, 20), (0.5, 20), (until, 20)]
    assert sorted({*world.names}) == named(80) and len(world.names) == 80 + 20


def test_a_refused_batch_does_not_push_out_those_that_wait() -> None:
    """All of them go directly, each once."""

    def refuse(number: int, names: list[str]) -> list[Fate]:
        raise ThrottledError("full")

    world = World(refuse)
    assert world.send((0.0, units(64)), (0.5, units(30, 64))) == [None] * 94
    assert sorted(name for _, name in world.directly) == named(94)
    assert len(world.batches) == 4


def test_events_that_were_left_go_first_in_the_next_batch() -> None:
    """In their order, before those that came meanwhile; if nothing went at all, that is the error of each."""

    def some(number: int, names: list[str]) -> list[Fate]:
        taken = 16 if number == 0 else len(names)
        return [Fate(202)] * taken + [Fate(NO_ANSWER, NOT_SENT)] * (len(names) - taken)

    world = World(some)
    assert world.send((0.0, units(31)), (0.5, [world.slow(31, 5.0), world.slow(32, 0.1)])) == [None] * 33
    (_, first), *others = world.batches
    assert others == [(1.0, [*first[16:], "a32"])]
    world = World(lambda number, names: [Fate(NO_ANSWER, NOT_SENT)] * len(names))
    assert {type(each) for each in world.send((0.0, units(16)))} == {UnreachableError}
    assert len(world.batches) == 1


def test_an_event_that_failed_is_not_one_that_was_left() -> None:
    """A message says that its sending was tried, and a code that it was lost."""
    fates = {"a0": Fate(NO_ANSWER, NOT_SENT, "no route"), "a1": Fate(NO_ANSWER, LOST)}
    world = World(lambda number, names: [fates.get(name, Fate(202)) for name in names])
    found = world.send((0.0, units(16)))
    assert [type(each) for each in found[:2]] == [UnreachableError, InvocationLostError]
    assert found[2:] == [None] * 14
    assert (len(world.batches), world.directly) == (1, [])


def test_a_failure_of_the_engines_own_is_each_events() -> None:
    """Whichever way it went: none waits for ever."""
    bug = ValueError("a bug")

    def fail(*_: Any) -> Any:
        raise bug

    world = World(fail, fail)
    assert world.send((0.0, units(20))) == [bug] * 20
    world = World(fail, fail)
    assert world.send((0.0, units(3))) == [bug] * 3


def test_an_event_that_is_not_made_is_not_waited_for() -> None:
    """Its arguments cannot be sent: the others go as if it had not been."""

    def broken() -> Payload:
        raise ValueError("no")

    world = World()
    found = world.send((0.0, [Unit((0,), placed=broken), *units(16, 1)]))
    assert type(found[0]) is ValueError and found[1:] == [None] * 16
    assert world.sizes == [(0.0, 16)]


def test_each_function_has_its_own_batches() -> None:
    """Units that need more memory go through the invoker of theirs."""
    world = World()
    other = FunctionRef("g", 256, 3, invoker="g-invoker")
    larger = [Unit((number,), function=other) for number in range(16, 32)]
    assert world.send((0.0, [*units(16), *larger])) == [None] * 32
    assert world.sizes == [(0.0, 16)] * 2
    assert sorted(world.invoked) == ["f-invoker", "g-invoker"]
