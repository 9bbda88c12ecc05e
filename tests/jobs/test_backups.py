"""When an invocation is late."""

from __future__ import annotations

from lambdamagic.jobs.backups import Durations, late_at, usual_s
from lambdamagic.jobs.flights import Flight, late_flights
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.policy import AttemptHistory


def test_too_few_siblings_give_no_estimate():
    """Then nothing is late."""
    assert usual_s([1.0] * 4) is None
    assert late_at(0.0, 1, None) is None


def test_late_is_much_longer_than_most():
    """One and a half times what nine of ten took, for each task; a few slow ones do not change that."""
    usual = usual_s([2.0] * 95 + [50.0] * 5)
    assert usual == 2.0
    assert late_at(100.0, 1, usual) == 103.0
    assert late_at(100.0, 10, usual) == 130.0


def test_short_tasks_are_given_the_time_of_a_cold_start():
    """A backup would take as long itself."""
    assert late_at(5.0, 1, usual_s([0.01] * 10)) == 6.0


def test_usual_is_what_nine_of_ten_took():
    """In any order; of few it is the longest."""
    for count, found in ((5, 4.0), (9, 8.0), (10, 9.0), (11, 9.0), (20, 18.0)):
        assert usual_s([float(number) for number in reversed(range(count))]) == found


def test_each_program_has_its_own_usual_time():
    """Of its latest tasks: what was long ago does not count for ever."""
    durations = Durations()
    for number in range(400):
        durations.learn("a", 9.0 if number < 200 else 1.0)
    for _ in range(4):
        durations.learn("b", 5.0)
    assert (durations.usual_s("a"), durations.usual_s("b"), durations.usual_s("c")) == (1.0, None, None)
    durations.learn("b", 5.0)
    assert durations.usual_s("b") == 5.0
    for _ in range(21):
        durations.learn("a", 9.0)
    assert durations.usual_s("a") == 9.0


def flight(number: int, *, began: float | None, tasks: int = 1, program: str = "a", **more: bool) -> Flight:
    """Return a running unit."""
    unit = Unit(tuple(range(number, number + tasks)), program_id=program)
    found = Flight(unit, AttemptHistory(), began=began)
    vars(found).update(more)
    return found


def test_a_running_unit_begins_with_one_attempt():
    """That is not over, and has no backup."""
    found = Flight(Unit((1,)), AttemptHistory())
    assert (found.racers, found.is_over, found.began, found.has_backup, found.racing) == (1, False, None, False, set())
    assert late_flights([found], Durations(), 0.0) == ([], None)


def test_late_units_are_the_oldest_first():
    """Each once, though both of its attempts run; with the moment at which the next one is late."""
    durations = Durations()
    for _ in range(5):
        durations.learn("a", 2.0)
    late, later, just = flight(1, began=1.0), flight(2, began=5.0), flight(3, began=7.0)
    flights = [
        flight(4, began=7.1),
        flight(5, began=7.5),
        flight(6, began=1.0, tasks=4),
        flight(7, began=0.0, has_backup=True),
        flight(8, began=0.0, is_over=True),
        flight(9, began=None),
        flight(10, began=0.0, program="unknown"),
        *(just, later, late, late),
    ]
    assert late_flights(flights, durations, 10.0) == ([late, later, just], 10.1)
    assert late_flights([just], durations, 10.0) == ([just], None)
    assert late_flights(flights[6:7], durations, 10.0) == ([], None)
