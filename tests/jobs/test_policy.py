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
    UnreachableError,
)
from lambdamagic.jobs.policy import (
    AttemptHistory,
    RetryPolicy,
    backoff_s,
    bears_throttling,
    explain_cut,
    note,
    wait_before_retry,
    wants_retry,
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


def test_the_bounds_unless_they_are_set():
    """Those that ARCHITECTURE.md names; no failed code of the user's is run again unasked."""
    policy = RetryPolicy()
    assert (policy.user_errors, policy.deaths, policy.memory_cap_mb, policy.retry_on) == (0, 0, 0, ())
    assert (policy.losses, policy.unreachable, policy.idle_s) == (4, 4, 30.0)
    assert (policy.throttle_deadline_s, policy.ready_deadline_s) == (900.0, 180.0)
    assert (policy.base_s, policy.cap_s) == (0.2, 10.0)
    assert wants_retry(policy, ())


@pytest.mark.parametrize(
    ("kind", "noted"),
    [
        (ThrottledError, AttemptHistory(throttled=2, throttled_since=5.0)),
        (FunctionTimedOutError, AttemptHistory(user_errors=2)),
        (OutOfMemoryError, AttemptHistory(user_errors=2)),
        (EnvironmentDiedError, AttemptHistory(deaths=2)),
        (InvocationLostError, AttemptHistory(losses=2)),
        (NotReadyError, AttemptHistory(not_ready=2, not_ready_since=5.0)),
        (UnreachableError, AttemptHistory(unreachable=2)),
        (FunctionMissingError, AttemptHistory()),
    ],
)
def test_each_kind_of_failure_is_counted_by_itself(kind, noted):
    """From the first on, with the moment of the first where that matters."""
    history = AttemptHistory()
    assert history == AttemptHistory(0, None, 0, 0, 0, 0, None, 0, 0.0, False)
    note(RetryPolicy(), history, kind("x"), 5.0)
    note(RetryPolicy(), history, kind("x"), 6.0)
    assert history == noted


@pytest.mark.parametrize(
    ("idle_s", "silences", "is_cut"),
    [
        (30.0, (30.0, 33.0), True),
        (30.0, (30.0, 27.0), True),
        (30.0, (30.0, 33.1), False),
        (30.0, (29.9, 29.9), False),
        (5.0, (5.0, 6.5), True),
        (5.0, (5.0, 6.6), False),
        (30.0, (60.0, 90.0, 90.0), True),
        (30.0, (60.0, 60.0, 90.0), False),
    ],
)
def test_silences_are_the_same_within_a_tenth_or_a_moment(idle_s, silences, is_cut):
    """The last two count, from the length on that no accident has."""
    history = AttemptHistory()
    for silent_s in silences:
        error = InvocationLostError("gone")
        error.silent_s = silent_s
        note(RetryPolicy(idle_s=idle_s), history, error, 0.0)
    assert history.is_cut is is_cut


@pytest.mark.parametrize(
    ("error", "allowed"),
    [
        (FunctionTimedOutError("t"), {"user_errors": 3}),
        (OutOfMemoryError("m"), {"user_errors": 3}),
        (EnvironmentDiedError("d"), {"deaths": 3}),
        (EnvironmentDiedError("d"), {"user_errors": 3}),
        (EnvironmentDiedError("d"), {"user_errors": 3, "retry_on": ("EnvironmentDiedError",)}),
        (InvocationLostError("l"), {"losses": 3}),
        (UnreachableError("u"), {"unreachable": 3}),
    ],
)
def test_each_further_attempt_waits_longer(error, allowed):
    """As many as are allowed for its kind."""
    policy = RetryPolicy(**{"losses": 0, "unreachable": 0, "base_s": 1.0, "cap_s": 100.0, **allowed})
    assert _waits(policy, error, 4) == [1.0, 2.0, 4.0, None]


@pytest.mark.parametrize("error", [FunctionTimedOutError("t"), OutOfMemoryError("m"), EnvironmentDiedError("d")])
def test_exceptions_that_were_not_chosen_are_not_tried_again(error):
    """Whatever ended the environment."""
    assert _waits(RetryPolicy(user_errors=3, retry_on=("ValueError",)), error, 1) == [None]


def test_a_function_that_is_not_ready_is_waited_for_until_the_deadline():
    """Counted from the first time, or from now where none was noted; the waits become longer."""
    policy, error = RetryPolicy(base_s=1.0, cap_s=100.0), NotReadyError("n")
    assert wait_before_retry(policy, error, AttemptHistory(), now=500.0, jitter=1.0) == 1.0
    history = AttemptHistory(not_ready=2, not_ready_since=0.0)
    assert wait_before_retry(policy, error, history, now=180.0, jitter=1.0) == 2.0
    assert wait_before_retry(policy, error, history, now=180.1, jitter=1.0) is None


def test_throttling_without_a_past_is_borne():
    """The deadline begins with the first refusal."""
    assert bears_throttling(RetryPolicy(), AttemptHistory(), now=5_000.0, last_success=float("-inf"))


def test_a_cut_says_how_long_nothing_came():
    """In whole seconds, and what to do."""
    error = InvocationLostError("gone")
    error.silent_s = 60.4
    explain_cut(error)
    assert error.message.startswith("gone. The connection was closed after 60 s without a byte, as the one before it")
    assert error.hint is not None and error.hint.startswith("Use --mode event")
