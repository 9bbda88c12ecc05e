"""When an invocation is late."""

from __future__ import annotations

from lambdamagic.jobs.backups import late_at, usual_s


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
