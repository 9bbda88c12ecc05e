"""Units that are still to be sent: in which order, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.pending import PendingUnits
from lambdamagic.jobs.policy import AttemptHistory


class Source:
    """Gives these units, and notes for how many invocations it was asked."""

    names: Sequence[str] = ()

    def __init__(self, *units: Unit) -> None:
        self.units, self.asked = list(units), list[int]()

    def take(self, slots: int) -> Unit | None:
        self.asked.append(slots)
        return self.units.pop(0) if self.units else None

    @property
    def is_dry(self) -> bool:
        return not self.units

    def learn(self, arrival: Arrival) -> None: ...

    def on_more(self, wake: Callable[[], None]) -> None: ...


def units(*numbers: int) -> list[Unit]:
    return [Unit((number,)) for number in numbers]


def test_new_units_come_in_order_until_there_are_none() -> None:
    """The source hears how many invocations may be under way."""
    first, second = units(1, 2)
    source = Source(first, second)
    pending = PendingUnits(source)
    assert (pending.is_over, pending.may_have_more, pending.rests_until) == (False, True, None)
    assert [pending.take(7), pending.take(8), pending.take(9)] == [first, second, None]
    assert source.asked == [7, 8, 9]
    assert (pending.is_over, pending.may_have_more) == (True, False)


def test_what_is_sent_again_goes_before_what_is_new() -> None:
    """In the order in which it failed; while it waits the job is not over."""
    old, older, new = units(1, 2, 3)
    pending = PendingUnits(Source())
    pending.again(older)
    assert (pending.is_over, pending.may_have_more) == (False, True)
    pending = PendingUnits(Source(new))
    pending.again(older)
    pending.again(old)
    assert [pending.take(1) for _ in range(4)] == [older, old, new, None]


def test_what_was_throttled_rests_and_is_not_overtaken() -> None:
    """It goes first when its time has come: the one that rests the shortest, then in the order of refusal."""
    late, early, also_early, new, again = units(1, 2, 3, 4, 5)
    pending = PendingUnits(Source(new))
    pending.rest(early, AttemptHistory(), 5.0)
    pending.rest(also_early, AttemptHistory(), 5.0)
    pending.rest(late, AttemptHistory(), 9.0)
    assert (pending.rests_until, pending.take(1)) == (5.0, None)
    pending.wake(4.9)
    assert pending.take(1) is None
    pending.again(again)
    pending.wake(5.0)
    assert [pending.take(1) for _ in range(4)] == [early, also_early, again, None]
    assert (pending.rests_until, pending.is_over) == (9.0, False)
    pending.wake(9.5)
    assert [pending.take(1), pending.take(1), pending.take(1)] == [late, new, None]
    assert pending.is_over


def test_what_rests_alone_is_no_unit_that_is_ready() -> None:
    """The job is not over, and the ramp need not be looked at."""
    pending = PendingUnits(Source())
    pending.rest(Unit((1,)), AttemptHistory(), 1.0)
    assert (pending.is_over, pending.may_have_more) == (False, False)


def test_a_unit_that_was_cancelled_before_it_was_sent_is_passed_over() -> None:
    """What has begun already, and was throttled, is not asked again."""
    begun = list[int]()

    def begin(number: int, *, is_wanted: bool) -> Callable[[], bool]:
        return lambda: begun.append(number) or is_wanted  # type: ignore[func-returns-value]

    gone = Unit((1,), begin=begin(1, is_wanted=False))
    wanted = Unit((2,), begin=begin(2, is_wanted=True))
    pending = PendingUnits(Source(gone, wanted))
    assert pending.take(1) is wanted
    assert pending.take(1) is None
    pending.rest(wanted, AttemptHistory(), 1.0)
    pending.wake(1.0)
    assert pending.take(1) == Unit((2,))
    assert begun == [1, 2]


def test_a_unit_keeps_its_history_until_it_is_sent() -> None:
    """A part gets a copy, since its siblings continue with theirs; what is done leaves nothing behind."""
    (unit,) = units(1)
    pending, history = PendingUnits(Source()), AttemptHistory(losses=2)
    assert pending.history_of(unit) == AttemptHistory()
    pending.again(unit, history)
    history.losses = 3
    assert pending.history_of(unit) == AttemptHistory(losses=2)
    assert pending.history_of(unit) == AttemptHistory()
    pending.again(unit)
    assert pending.history_of(unit) == AttemptHistory()
    pending.rest(unit, history, 1.0)
    assert pending.history_of(unit) is history
