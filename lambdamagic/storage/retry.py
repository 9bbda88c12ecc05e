"""When a transfer is retried: a pure function, so that no test needs a clock."""

from __future__ import annotations

from dataclasses import dataclass

TEMPORARY_REDIRECT = 307

# "Error responses", S3 API reference: 500 InternalError, 503 SlowDown and ServiceUnavailable are to be retried; 429 and
# 408 come from S3-like stores and proxies; 502 and 504 from load balancers. "Making requests using redirects", S3 user
# guide: 307 lasts until DNS knows a new bucket. A signed URL cannot follow it, and is right a moment later.
_TRANSIENT_STATUSES = frozenset({TEMPORARY_REDIRECT, 408, 429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset({"SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "OperationAborted"})


@dataclass(frozen=True, slots=True)
class TransferRetry:
    """Deadlines and delays of a transfer's retries.

    Attributes:
        attempts: How often one request is sent at most.
        base_s: The first delay's upper bound; it doubles with every attempt.
        cap_s: No delay is longer.
        deadline_s: No new attempt starts when this much time has passed since the first failure.
    """

    attempts: int = 6
    base_s: float = 0.1
    cap_s: float = 5.0
    deadline_s: float = 120.0

    @classmethod
    def until(cls, left_s: float) -> TransferRetry:
        """Return the retry policy for storing a result that was paid for: as long as there is time."""
        return cls(attempts=1_000_000, deadline_s=max(0.0, left_s))

    def delay_s(self, attempt: int, *, elapsed_s: float, jitter: float) -> float | None:
        """Return how long to wait after a failed attempt, or None to stop.

        Args:
            attempt: The attempt that failed; the first is 1.
            elapsed_s: Time since the first failure.
            jitter: A number from [0, 1). The delay is spread over its whole range ("full jitter"), since a thousand
                workers that were slowed down together must not come back together.
        """
        if attempt >= self.attempts:
            return None
        doublings = min(attempt - 1, 64)  # of 1,100 attempts the delay would be no float any more
        delay: float = min(self.cap_s, self.base_s * 2**doublings) * jitter
        return None if elapsed_s + delay > self.deadline_s else delay


def is_transient(status: int, code: str) -> bool:
    """Return whether a refused request may succeed when sent again unchanged."""
    return status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES
