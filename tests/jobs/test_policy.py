"""When to try again: pure functions of what is known."""

from __future__ import annotations

import pytest

from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionMissingError,
    FunctionTimedOutError,
    InvocationLostError,
    NotReadyError,
    OutOfMemoryError,
    ThrottledError,
)
from lambdamagic.jobs.policy import (
    AttemptHistory,
    RetryPolicy,
    backoff_s,
    bears_throttling,
    explain_cut,
    note,
    wait_before_retry,
)


def _waits(policy, error, times, now=0.0):
    history = AttemptHistory()
    waits = []
    for _ in range(times):
        note(policy, history, error, now)
        waits.append(wait_before_retry(policy, error, history, now=now, jitter=1.0))
    return waits


def test_waits_double_up_to_the_cap():
    """With all of the jitter; without it they are half."""
    policy = RetryPolicy(base_s=1.0, cap_s=5.0)
    assert [backoff_s(policy, n, 1.0) for n in (0, 1, 2, 3, 4, 50)] == [1.0, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert backoff_s(policy, 3, 0.0) == 2.0


def test_throttling_is_borne_while_something_is_taken():
    """The deadline counts from the first refusal or from the job's last success, whichever is later."""
    policy = RetryPolicy(throttle_deadline_s=10.0)
    history = AttemptHistory()
    for second in range(11):
        note(policy, history, ThrottledError("429"), float(second))
        assert bears_throttling(policy, history, now=float(second), last_success=float("-inf"))
    assert not bears_throttling(policy, history, now=10.1, last_success=float("-inf"))
    assert bears_throttling(policy, history, now=15.0, last_success=5.0)
    assert not bears_throttling(policy, history, now=15.1, last_success=5.0)


@pytest.mark.parametrize("error", [FunctionTimedOutError("t"), OutOfMemoryError("m")])
def test_the_users_failures_are_tried_again_only_if_asked(error):
    """By `--retries`."""
    assert _waits(RetryPolicy(), error, 1) == [None]
    assert [wait is None for wait in _waits(RetryPolicy(user_errors=2), error, 3)] == [False, False, True]


@pytest.mark.parametrize(
    ("silences", "sent"),
    [([60.0, 60.4, 60.1], 2), ([350.0, 340.0], 2), ([3.0, 3.0, 3.0, 3.0, 3.0, 3.0], 5), ([60.0, 200.0, 31.0, 90.0], 4)],
)
def test_a_connection_that_is_cut_after_the_same_silence_is_not_tried_again(silences, sent):
    """A proxy closes each in its turn, and each is billed; short and various losses are chance, and are tried again."""
    policy, history = RetryPolicy(losses=4), AttemptHistory()
    times = 0
    for silent_s in silences:
        times += 1
        error = InvocationLostError("gone")
        error.silent_s = silent_s
        note(policy, history, error, 0.0)
        if wait_before_retry(policy, error, history, now=0.0, jitter=1.0) is None:
            break
    assert times == sent
    if history.is_cut:
        explain_cut(error)
        assert "--mode event" in str(error) and "proxy" in str(error)


def test_a_function_that_sleeps_is_waited_for_three_minutes():
    """However often it is not ready yet, up to a bound of time; a function that is gone is not waited for."""
    policy, history, error = RetryPolicy(), AttemptHistory(), NotReadyError("state: Pending")
    now = 0.0
    while now <= 180.0:
        note(policy, history, error, now)
        wait_s = wait_before_retry(policy, error, history, now=now, jitter=1.0)
        assert wait_s is not None and wait_s <= policy.cap_s
        now += wait_s
    note(policy, history, error, now)
    assert wait_before_retry(policy, error, history, now=now, jitter=1.0) is None
    assert 20 < history.not_ready < 40


def test_deaths_and_losses_are_counted_separately():
    """A loss does not count against the task."""
    policy = RetryPolicy(deaths=1, losses=2)
    assert [wait is None for wait in _waits(policy, EnvironmentDiedError("d"), 2)] == [False, True]
    assert [wait is None for wait in _waits(policy, InvocationLostError("l"), 3)] == [False, False, True]


def test_failures_that_are_never_retried():
    """A missing function stays missing."""
    assert _waits(RetryPolicy(user_errors=5, deaths=5), FunctionMissingError("f"), 1) == [None]
