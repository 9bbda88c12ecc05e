"""Heartbeats: what is in them, and how often they come."""

from __future__ import annotations

import pytest

from lambdamagic.protocol import life


def test_a_sign_is_its_attempts_own_and_has_a_known_size() -> None:
    """The reader of the object behind it knows where the sign ends."""
    signs = {life.new_sign() for _ in range(100)}
    assert len(signs) == 100
    assert {len(sign) for sign in signs} == {life.SIGN_BYTES} == {32}


def test_each_writing_has_another_size_than_the_one_before() -> None:
    """S3 dates objects by the second: a listing shows by the size that a sign was written again."""
    sign = life.new_sign()
    sizes = [len(life.beat(sign, number)) for number in range(6)]
    assert sizes == [32, 33, 32, 33, 32, 33]
    assert life.beat(sign, 0) == sign


def test_only_the_last_sign_is_the_last() -> None:
    """By its size alone."""
    assert life.is_done(len(life.DONE))
    sign = life.new_sign()
    assert not any(life.is_done(len(life.beat(sign, number))) for number in (0, 1))
    assert not life.is_done(0)


@pytest.mark.parametrize(
    ("timeout_s", "every_s"), [(1, 1.0), (15, 1.0), (30, 2.0), (75, 5.0), (150, 10.0), (900, 10.0)]
)
def test_how_often_a_function_shows_that_it_is_alive(timeout_s: float, every_s: float) -> None:
    """A fifteenth of its timeout, between one second and ten."""
    assert life.every_s(timeout_s) == every_s


def test_when_a_silent_environment_counts_as_dead() -> None:
    """After six signs that did not come."""
    assert [life.silent_s(interval_s) for interval_s in (1.0, 2.5, 10.0)] == [6.0, 15.0, 60.0]
