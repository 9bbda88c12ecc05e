"""The retry policy, as a function of what is known."""

from __future__ import annotations

import pytest

from lambdamagic.storage.retry import TransferRetry, is_transient

POLICY = TransferRetry(attempts=5, base_s=1.0, cap_s=3.0, patience_s=10.0)


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
    ],
)
def test_delays_double_up_to_a_cap_and_end(
    attempt: int, elapsed_s: float, jitter: float, delay_s: float | None
) -> None:
    """A delay is drawn from a doubling range below the cap; attempts and time are both limited."""
    assert POLICY.delay_s(attempt, elapsed_s=elapsed_s, jitter=jitter) == delay_s


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [(503, "SlowDown", True), (500, "", True), (400, "RequestTimeout", True), (403, "AccessDenied", False)],
)
def test_what_may_pass(status: int, code: str, transient: bool) -> None:
    """Trouble on the server's side passes; refusals stay."""
    assert is_transient(status, code) is transient
