"""The retry policy, as a function of what is known."""

from __future__ import annotations

import pytest

from lambdamagic.storage.retry import TransferRetry, is_transient

POLICY = TransferRetry(attempts=5, base_s=1.0, cap_s=3.0, deadline_s=10.0)


@pytest.mark.parametrize(
    ("attempt", "elapsed_s", "jitter", "delay_s"),
    [
        (1, 0.0, 0.5, 0.5),
        (2, 0.0, 0.5, 1.0),
        (3, 0.0, 0.5, 1.5),
        (4, 0.0, 1.0, 3.0),
        (1, 0.0, 0.0, 0.0),
        (5, 0.0, 0.5, None),
        (1, 9.9, 0.5, None),
        (1, 9.5, 0.5, 0.5),
        (1, 9.5, 0.6, None),
        (4, 0.0, 0.5, 1.5),
    ],
)
def test_delays_double_up_to_a_cap_and_end(
    attempt: int, elapsed_s: float, jitter: float, delay_s: float | None
) -> None:
    """A delay is drawn from a doubling range below the cap; attempts and time are both limited."""
    assert POLICY.delay_s(attempt, elapsed_s=elapsed_s, jitter=jitter) == delay_s


def test_a_transfer_is_tried_six_times_within_two_minutes() -> None:
    """The first again within a tenth of a second, none later than five."""
    policy = TransferRetry()
    longest = [policy.delay_s(attempt, elapsed_s=0.0, jitter=1.0) for attempt in range(1, 7)]
    assert longest == [0.1, 0.2, 0.4, 0.8, 1.6, None]
    assert TransferRetry(attempts=99).delay_s(50, elapsed_s=0.0, jitter=1.0) == 5.0
    assert policy.delay_s(7, elapsed_s=0.0, jitter=1.0) is None
    assert policy.delay_s(1, elapsed_s=119.9, jitter=1.0) == 0.1
    assert policy.delay_s(1, elapsed_s=119.95, jitter=1.0) is None


@pytest.mark.parametrize(("left_s", "deadline_s"), [(30.0, 30.0), (0.0, 0.0), (-5.0, 0.0), (0.5, 0.5)])
def test_a_billed_result_is_stored_as_long_as_there_is_time(left_s: float, deadline_s: float) -> None:
    """However often that is."""
    policy = TransferRetry.until(left_s)
    assert policy.deadline_s == deadline_s
    assert policy.delay_s(999_999, elapsed_s=0.0, jitter=0.0) == 0.0
    assert policy.delay_s(1_000_000, elapsed_s=0.0, jitter=0.0) is None


@pytest.mark.parametrize("status", [*range(400, 418), 429, *range(500, 508)])
def test_statuses_that_may_pass(status: int) -> None:
    """Those that the S3 API reference says are to be retried, and those of stores and proxies like it."""
    assert is_transient(status, "") is (status in (307, 408, 429, 500, 502, 503, 504))


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (503, "SlowDown", True),
        (500, "", True),
        (400, "RequestTimeout", True),
        (409, "OperationAborted", True),
        (403, "AccessDenied", False),
    ],
)
def test_transient_refusals_are_retried(status: int, code: str, transient: bool) -> None:
    """Trouble on the server's side passes; refusals stay."""
    assert is_transient(status, code) is transient
