"""Two attempts of a late task at once: which outcome counts, and how the other ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lambdamagic import events
from lambdamagic.errors import EnvironmentDiedError, ThrottledError
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.staging import Stager
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport
from tests.jobs.functions import DIED, answering, collect, items_of, start
from tests.jobs.test_run import heard, same


class Twice:
    """Answers; of the last item both attempts are under way together, and what each meets is scripted.

    Args:
        first: What its first attempt meets.
        backup: What its second one meets.
        order: Which of them ends first: the other is answered when the engine knows the end of that one, or of the job.
    """

    LAST = 8

    def __init__(self, first: Any, backup: Any, order: str) -> None:
        self.met = {"first": first, "backup": backup}
        self.ended = {"first": threading.Event(), "backup": threading.Event()}
        self.both, self.runs, self._order = threading.Event(), 0, order
        self.is_late, self.writes = False, 0
        self._lock = threading.Lock()
        self._whole = answering(same)

    def __call__(self, invocation: Any) -> Any:
        if items_of(invocation) != [self.LAST]:
            return self._whole(invocation)
        with self._lock:
            self.runs += 1
            which = ("first", "backup", "later")[min(self.runs, 3) - 1]
        if which == "later":
            return self._whole(invocation)
        if which == "backup":
            self.both.set()
        assert self.both.wait(20)
        other = "backup" if which == "first" else "first"
        if which != self._order:
            self.is_late = not self.ended[other].wait(10)
        meets = self.met[which]
        if isinstance(meets, Exception):
            raise meets
        return meets if meets is not None else self._whole(invocation)


def race(
    engine: Engine, first: Any, backup: Any, order: str, *, until: type[events.Event] = events.InvocationFinished
) -> tuple[Twice, list[events.Event], Any]:
    """Run a job whose last task has a backup; return what was answered, what happened and the job's end."""
    twice = Twice(first, backup, order)
    happened, listeners = heard()

    def note(event: events.Event) -> None:
        if isinstance(event, until) and getattr(event, "tasks", (Twice.LAST,)) == (Twice.LAST,):
            twice.ended[order].set()
        if isinstance(event, events.InvocationThrottled | events.Charged):
            twice.ended[order].set()

    listeners.add(note)
    more: dict[str, Any] = {"backups": True, "max_concurrency": 9, "stager": Stager(MemoryObjectStore())}
    job = start(engine, FakeTransport(then=twice), range(9), listeners=listeners, **more)
    found = collect(job)
    twice.writes = job.spec.requests.total.writes
    assert not twice.is_late
    assert all(0.0 <= event.after_s < 60.0 for event in happened if isinstance(event, events.InvocationBackedUp))
    return twice, happened, found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than its siblings is late at once."""
    monkeypatch.setattr("lambdamagic.jobs.backups.SOONEST_S", 0.0)


ALL = {x: x for x in range(9)}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("order", ["first", "backup"])
def test_the_first_of_two_outcomes_counts(engine: Engine, order: str) -> None:
    """The other attempt is not waited for, and never becomes a second outcome."""
    twice, happened, found = race(engine, None, None, order)
    assert found == (ALL, None)
    assert twice.runs == 2
    assert sum(isinstance(each, events.TaskFinished) for each in happened) == 9


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("order", ["first", "backup"])
def test_a_job_ends_with_its_last_outcome(engine: Engine, order: str) -> None:
    """The other attempt of that task may never end: it is asked to stop."""
    twice, happened, found = race(engine, None, None, order, until=events.JobFinished)
    assert (found, twice.writes) == ((ALL, None), 1)
    assert isinstance(happened[-1], events.JobFinished)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("order", ["first", "backup"])
def test_one_of_two_attempts_that_dies_leaves_the_outcome_to_the_other(engine: Engine, order: str) -> None:
    """Nothing is run a third time."""
    twice, _, found = race(engine, *((DIED, None) if order == "first" else (None, DIED)), order)
    assert (found, twice.runs) == ((ALL, None), 2)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("order", ["first", "backup"])
def test_two_attempts_that_die_are_one_failure(engine: Engine, order: str) -> None:
    """The second one decides, and the job ends."""
    twice, _, (values, error) = race(engine, DIED, DIED, order)
    assert (error, twice.runs) == (None, 2)
    assert type(values.pop(Twice.LAST)) is EnvironmentDiedError
    assert values == {x: x for x in range(8)}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("order", ["first", "backup"])
def test_one_of_two_attempts_that_is_throttled_ran_nothing(engine: Engine, order: str) -> None:
    """The other continues, none of its tasks waits, and a later one may be its second attempt."""
    refused = ThrottledError("429")
    twice, happened, found = race(engine, *((refused, None) if order == "first" else (None, refused)), order)
    assert found == (ALL, None)
    assert 2 <= twice.runs <= 3
    assert [each.tasks for each in happened if isinstance(each, events.InvocationThrottled)] == [()]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("dies", [False, True])
def test_a_backup_that_was_throttled_is_sent_again(engine: Engine, dies: bool) -> None:
    """When there is room; then both attempts are under way, and the death of the first decides nothing."""
    third, died, refused = threading.Event(), threading.Event(), threading.Event()
    runs, others = list[int](), list[int]()
    whole = answering(same)

    def answer(invocation: Any) -> Any:
        if items_of(invocation) == [7]:  # late as well: its outcome makes room
            others.append(len(others))
            assert (refused if others[-1] else third).wait(10)
        if items_of(invocation) != [Twice.LAST]:
            return whole(invocation)
        runs.append(len(runs))
        if runs[-1] == 1:
            raise ThrottledError("429")
        if runs[-1] == 0:
            return DIED if third.wait(10) else whole(invocation)
        third.set()
        return DIED if died.wait(10) and dies else whole(invocation)

    _, listeners = heard()
    listeners.add(lambda event: died.set() if isinstance(event, events.Charged) else None)
    listeners.add(lambda event: refused.set() if isinstance(event, events.InvocationThrottled) else None)
    more: dict[str, Any] = {"backups": True, "max_concurrency": 9, "listeners": listeners}
    values, error = collect(start(engine, FakeTransport(then=answer), range(9), **more))
    assert (error, len(runs), died.is_set()) == (None, 3, True)
    if dies:
        assert type(values.pop(Twice.LAST)) is EnvironmentDiedError
    assert values == {x: x for x in range(8 if dies else 9)}
