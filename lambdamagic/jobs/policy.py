"""When to retry, as pure functions.

Five kinds of failure are distinguished. *Throttled*: nothing ran, so trying again is free and right. *Unreachable*:
nothing ran either, but an endpoint that is gone stays gone, so the deadline is short. *Not ready*: an inactive function
wakes within a minute or two, and is waited for. *Lost* and *died*: the user's code
may have run in part, so it is run again only as often as the policy says. *The user's exception*: never, unless asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdamagic.codec.failures import kinds_of
from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    InvocationLostError,
    NotReadyError,
    OutOfMemoryError,
    ThrottledError,
    UnreachableError,
)

#: How far two times of silence may be apart: a part of the first, and what a busy machine may add.
_SAME, _SAME_S = 0.1, 1.5


@dataclass(frozen=True)
class RetryPolicy:
    """How often each kind of failure is retried.

    Attributes:
        user_errors: Further attempts of a task whose code raised, timed out or used up its memory.
        deaths: Further attempts of a task whose environment died: once may be chance, twice is the task.
        losses: Further attempts of a task whose connection broke or whose request AWS failed: never the task's fault.
        unreachable: Further attempts where no connection can be made; within some three seconds by default.
        retry_on: Types of exceptions for which `user_errors` holds, see `wants_retry`; empty means all.
        memory_cap_mb: Up to how much memory a task that ran out of it is run again with more; 0 for never.
        throttle_deadline_s: How long throttling is borne while nothing at all is taken, in seconds.
        ready_deadline_s: How long a function that is not ready is waited for, in seconds.
        idle_s: From which silence on a connection that broke may have been cut for being idle, in seconds.
        base_s: First wait, doubled with each attempt.
        cap_s: Longest wait.
    """

    user_errors: int = 0
    deaths: int = 0
    losses: int = 4
    unreachable: int = 4
    retry_on: tuple[str, ...] = ()
    memory_cap_mb: int = 0
    throttle_deadline_s: float = 900.0
    ready_deadline_s: float = 180.0
    idle_s: float = 30.0  # proxies and load balancers wait for a minute or more; half of it is beyond any accident
    base_s: float = 0.2
    cap_s: float = 10.0


@dataclass
class AttemptHistory:
    """The failures of one piece of work so far."""

    throttled: int = 0
    throttled_since: float | None = None
    deaths: int = 0
    losses: int = 0
    unreachable: int = 0
    not_ready: int = 0
    not_ready_since: float | None = None
    user_errors: int = 0
    lost_after_s: float = 0.0
    is_cut: bool = False


def wait_before_retry(
    policy: RetryPolicy, error: Exception, history: AttemptHistory, *, now: float, jitter: float
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to stop. Throttling: see `bears_throttling`.

    Args:
        policy: The rules.
        error: What happened; `history` counts it already.
        history: What happened before.
        now: Seconds on a clock that does not go back.
        jitter: A number in [0, 1): many clients must not come back at the same moment.
    """
    retries = policy.user_errors if wants_retry(policy, kinds_of(type(error))) else 0
    if isinstance(error, FunctionTimedOutError | OutOfMemoryError):
        return backoff_s(policy, history.user_errors, jitter) if history.user_errors <= retries else None
    if isinstance(error, EnvironmentDiedError):
        allowed = max(policy.deaths, retries)
        return backoff_s(policy, history.deaths, jitter) if history.deaths <= allowed else None
    if isinstance(error, InvocationLostError):
        bears = history.losses <= policy.losses and not history.is_cut
        return backoff_s(policy, history.losses, jitter) if bears else None
    if isinstance(error, NotReadyError):
        since = history.not_ready_since if history.not_ready_since is not None else now
        return backoff_s(policy, history.not_ready, jitter) if now - since <= policy.ready_deadline_s else None
    if isinstance(error, UnreachableError):
        return backoff_s(policy, history.unreachable, jitter) if history.unreachable <= policy.unreachable else None
    return None


def explain_cut(error: InvocationLostError) -> None:
    """Add the cause, and what to do about it, to the error of an invocation that will not be sent again."""
    error.message += (
        f". The connection was closed after {error.silent_s:.0f} s without a byte, as the one before it: a proxy or "
        "firewall on the way closes connections that it considers idle"
    )
    error.hint = "Use --mode event, which holds no connection while the code runs (it needs a bucket)"


def wants_retry(policy: RetryPolicy, kinds: tuple[str, ...]) -> bool:
    """Return whether an exception is to be retried.

    Args:
        policy: The rules. A name in `retry_on` means a type and its subclasses, with its module or without.
        kinds: The exception's type and its parents, as `kinds_of` names them.
    """
    if not policy.retry_on:
        return True
    return any(kind == name or kind.endswith(f".{name}") for name in policy.retry_on for kind in kinds)


def larger_memory_mb(policy: RetryPolicy, error: Exception, memory_mb: int) -> int | None:
    """Return the memory of the next attempt: twice as much, up to the cap; None if it is not to be retried."""
    if not isinstance(error, OutOfMemoryError) or memory_mb >= policy.memory_cap_mb:
        return None
    return min(2 * memory_mb, policy.memory_cap_mb)


def bears_throttling(policy: RetryPolicy, history: AttemptHistory, *, now: float, last_success: float) -> bool:
    """Return whether throttled work is to be sent again.

    Args:
        policy: The rules.
        history: What the work has been through.
        now: Seconds on a clock that does not go back.
        last_success: When an invocation of the job was last taken: while some are, there is no deadline.
    """
    since = history.throttled_since if history.throttled_since is not None else now
    return now - max(since, last_success) <= policy.throttle_deadline_s


def backoff_s(policy: RetryPolicy, attempt: int, jitter: float) -> float:
    """Return a wait that doubles with each attempt, with half of it random ("Exponential Backoff And Jitter", AWS)."""
    full: float = min(policy.cap_s, policy.base_s * 2 ** max(0, attempt - 1))
    return full * (0.5 + 0.5 * jitter)


def note(policy: RetryPolicy, history: AttemptHistory, error: Exception, now: float) -> None:
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
        before_s, history.lost_after_s = history.lost_after_s, error.silent_s
        # The same silence twice is no accident: something on the way closes connections that it takes for idle, and
        # would do so each time.
        history.is_cut = before_s >= policy.idle_s and abs(error.silent_s - before_s) <= max(_SAME * before_s, _SAME_S)
    elif isinstance(error, NotReadyError):
        history.not_ready += 1
        if history.not_ready_since is None:
            history.not_ready_since = now
    elif isinstance(error, UnreachableError):
        history.unreachable += 1
