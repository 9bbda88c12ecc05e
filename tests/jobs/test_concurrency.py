"""How many invocations may be under way: the limit, what refusals teach, and Lambda's ramp."""

from __future__ import annotations

import pytest

from lambdamagic.jobs.concurrency import Concurrency
from lambdamagic.limits import AWS_LAMBDA, ComputeLimits, Limit


def _fill(concurrency: Concurrency, under_way: int, now: float) -> int:
    """Start as many as there is room for and return how many are under way."""
    for _ in range(concurrency.room(under_way, now)):
        under_way += 1
        concurrency.started(under_way, now)
    return under_way


def test_the_limit_falls_after_throttles_and_rises_after_successes():
    """Never below one, never above the ceiling."""
    concurrency = Concurrency(10)
    assert concurrency.room(0, 0.0) == 10
    for second in range(0, 200, 2):
        concurrency.throttled(0, float(second))
    assert concurrency.limit == 1
    for _ in range(1000):
        concurrency.succeeded(500.0)
    assert concurrency.limit == 10


def test_throttles_reveal_the_quota():
    """Of a thousand started at a quota of ten, ten are taken, and about ten is what is tried next."""
    concurrency = Concurrency(1000)
    under_way = _fill(concurrency, 0, 0.0)
    while under_way > 10:
        under_way -= 1
        concurrency.throttled(under_way, 0.05)
    assert 9 <= concurrency.limit <= 10


def test_refusals_close_together_cut_once():
    """A burst of refusals at the same level is one sign."""
    concurrency = Concurrency(100)
    _fill(concurrency, 0, 0.0)
    for _ in range(50):
        concurrency.throttled(99, 5.0)
    assert concurrency.limit == 89


def test_growth_is_fast_below_the_threshold_and_careful_above():
    """One for each success, then one for each round."""
    concurrency = Concurrency(1000)
    concurrency.throttled(100, 0.0)
    concurrency.succeeded(1.0)
    assert concurrency.allowed == 91.0
    for _ in range(11):
        concurrency.succeeded(1.0)
    assert concurrency.limit == 100
    for _ in range(100):
        concurrency.succeeded(1.0)
    assert 100 <= concurrency.limit <= 101


def test_pauses_double_while_nothing_succeeds():
    """Up to ten seconds; a success ends them, and nothing is started meanwhile."""
    concurrency, now, pauses = Concurrency(4), 0.0, []
    for _ in range(8):
        pauses.append(concurrency.throttled(0, now, jitter=1.0))
        assert concurrency.room(0, now) == 0
        assert concurrency.look_again_s(0, now) == pytest.approx(pauses[-1])
        now += pauses[-1] + 1e-6
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])
    concurrency.throttled(0, now)
    concurrency.succeeded(now)
    assert concurrency.room(0, now) >= 1


def test_no_more_than_a_thousand_new_environments_every_ten_seconds():
    """Lambda's ramp: a thousand at once, then a hundred a second, and nothing is saved up."""
    concurrency = Concurrency(10_000)
    under_way = _fill(concurrency, 0, 0.0)
    assert under_way == 1000
    assert concurrency.look_again_s(under_way, 0.0) is not None
    under_way = _fill(concurrency, under_way, 5.0)
    assert under_way == 1500
    under_way = _fill(concurrency, under_way, 1000.0)
    assert under_way == 2500
    for second in range(1001, 1100):
        under_way = _fill(concurrency, under_way, float(second))
    assert under_way == 10_000
    assert concurrency.look_again_s(under_way, 1100.0) is None


def test_warm_environments_need_no_grant():
    """What was under way before can be under way again at once."""
    concurrency = Concurrency(5000)
    assert _fill(concurrency, 0, 0.0) == 1000
    assert _fill(concurrency, 0, 0.1) == 1010
    assert concurrency.reachable(0.1) == 1010


def test_a_limit_below_the_ramp_is_not_slowed():
    """All at once, and no reason to look again."""
    concurrency = Concurrency(1000)
    assert _fill(concurrency, 0, 0.0) == 1000
    assert concurrency.look_again_s(1000, 0.0) is None
    assert concurrency.look_again_s(10, 0.0) is None


def _slow(new: int) -> ComputeLimits:
    return AWS_LAMBDA._replace(new_environments=Limit(0, new, "", "here"))


def test_one_can_always_be_reached():
    """Also where no environment is left and Lambda would make none."""
    assert Concurrency(1).reachable(0.0) == 1
    assert Concurrency(5000).reachable(0.0) == 1000
    concurrency = Concurrency(10, _slow(1))
    concurrency.started(1, 0.0)
    concurrency.throttled(0, 0.0)
    assert concurrency.reachable(0.0) == 1


def test_what_was_started_elsewhere_takes_its_room():
    """More under way than was noted here, or than the limit allows now, is no room, and no debt."""
    assert Concurrency(2000).room(5, 0.0) == 1000
    assert Concurrency(5).room(9, 0.0) == 0


def test_a_refusal_of_the_only_invocation():
    """One stays possible, however often it is refused; the first pause is 0.2 s unless clients share a moment."""
    concurrency = Concurrency(10)
    assert concurrency.throttled(1, 0.0) == pytest.approx(0.2)
    assert concurrency.allowed == 1.0
    concurrency.throttled(0, 0.5)
    assert concurrency.allowed == 1.0
    assert Concurrency(10).throttled(1, 0.0, jitter=0.0) == pytest.approx(0.1)
    concurrency.succeeded(1.0)
    assert concurrency.throttled(1, 2.0) == pytest.approx(0.2)


def test_a_refusal_is_the_end_of_one_environment():
    """Of ten that were there, nine are."""
    concurrency = Concurrency(100, _slow(10))
    assert _fill(concurrency, 0, 0.0) == 10
    concurrency.throttled(5, 0.0)
    for _ in range(200):
        concurrency.succeeded(0.0)
    assert concurrency.limit > 10
    assert concurrency.reachable(0.0) == 9
