"""When to try again, as pure functions of what is known.

Four kinds of failure are told apart. *Throttled*: nothing ran, so trying again is free and right. *Unreachable*:
nothing ran either, but an endpoint that is gone stays gone, so patience is short. *Lost* and *died*: the user's code
may have run in part, so it is run again only as often as the policy says. *The user's exception*: never, unless asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationLostError,
    OutOfMemoryError,
    ThrottledError,
)

#: Refusals closer together than this are one sign.
_CUT_EVERY_S = 1.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often what is tried again.

    Attributes:
        user_errors: Further attempts of a task whose code raised, timed out or used up its memory.
        deaths: Further attempts of a task whose environment died: once may be chance, twice is the task.
        losses: Further attempts of a task whose connection broke or whose request AWS failed: never the task's fault.
        throttle_patience_s: How long throttling is borne, in seconds.
        base_s: First wait, doubled with each attempt.
        cap_s: Longest wait.
    """

    user_errors: int = 0
    deaths: int = 0
    losses: int = 4
    throttle_patience_s: float = 900.0
    base_s: float = 0.2
    cap_s: float = 10.0


@dataclass
class History:
    """What one piece of work has been through."""

    throttled: int = 0
    throttled_since: float | None = None
    deaths: int = 0
    losses: int = 0
    user_errors: int = 0


def wait_before_retry(
    policy: RetryPolicy, error: Exception, history: History, *, now: float, jitter: float
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: The rules.
        error: What happened; `history` counts it already.
        history: What happened before.
        now: Seconds on a clock that does not go back.
        jitter: A number in [0, 1): many clients must not come back at the same moment.
    """
    if isinstance(error, ThrottledError):
        since = history.throttled_since if history.throttled_since is not None else now
        if now - since > policy.throttle_patience_s:
            return None
        return backoff_s(policy, history.throttled, jitter)
    if isinstance(error, FunctionTimedOutError | OutOfMemoryError):
        return backoff_s(policy, history.user_errors, jitter) if history.user_errors <= policy.user_errors else None
    if isinstance(error, EnvironmentDiedError):
        allowed = max(policy.deaths, policy.user_errors)
        return backoff_s(policy, history.deaths, jitter) if history.deaths <= allowed else None
    if isinstance(error, InvocationLostError):
        return backoff_s(policy, history.losses, jitter) if history.losses <= policy.losses else None
    return None


def backoff_s(policy: RetryPolicy, attempt: int, jitter: float) -> float:
    """Return a wait that doubles with each attempt, with half of it random ("Exponential Backoff And Jitter", AWS)."""
    full: float = min(policy.cap_s, policy.base_s * 2 ** max(0, attempt - 1))
    return full * (0.5 + 0.5 * jitter)


def note(history: History, error: Exception, now: float) -> None:
    """Count a failure."""
    if isinstance(error, ThrottledError):
        history.throttled += 1
        if history.throttled_since is None:
            history.throttled_since = now
    elif isinstance(error, FunctionTimedOutError | OutOfMemoryError):
        history.user_errors += 1
    elif isinstance(error, EnvironmentDiedError):
        history.deaths += 1
    elif isinstance(error, InvocationLostError):
        history.losses += 1


@dataclass
class Concurrency:
    """How many invocations may be under way: additive increase, multiplicative decrease.

    As in TCP's congestion control (RFC 5681): many refusals of one moment are one sign, so they cut once; growth is
    fast up to where it last went well, and careful above.

    Attributes:
        ceiling: The user's or the account's limit.
        allowed: What throttling has taught so far.
    """

    ceiling: int
    allowed: float = 0.0
    _threshold: float = 0.0
    _cut_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.allowed = self._threshold = float(self.ceiling)

    def throttled(self, now: float) -> None:
        """Come down: Lambda said that there are too many.

        Args:
            now: Seconds on a clock that does not go back.
        """
        if now - self._cut_at < _CUT_EVERY_S:
            return
        self._cut_at = now
        self.allowed = self._threshold = max(1.0, self.allowed * 0.7)

    def succeeded(self) -> None:
        """Go up: by one below the threshold, above it by one for each full round."""
        step = 1.0 if self.allowed < self._threshold else 1.0 / self.allowed
        self.allowed = min(float(self.ceiling), self.allowed + step)

    @property
    def limit(self) -> int:
        """Invocations that may be under way now."""
        return int(self.allowed)
