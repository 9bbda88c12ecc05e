"""What is in a heartbeat, so that a listing alone, with sizes and times, shows the state of an invocation.

A sign is written when the invocation begins, again and again while it runs, and a last time when its answer is stored.
"""

from __future__ import annotations

import secrets

#: The content of the last sign.
DONE = b"done"


#: How long a sign is.
SIGN_BYTES = 32


def new_sign() -> bytes:
    """Return a sign that no other attempt writes."""
    return secrets.token_hex(SIGN_BYTES // 2).encode()


def beat(sign: bytes, number: int) -> bytes:
    """Return the sign for its n-th writing: its length changes, since S3 dates objects by the second."""
    return sign + b"." * (number % 2)


def is_done(size_bytes: int) -> bool:
    """Return from its size whether a sign is the last."""
    return size_bytes == len(DONE)


def every_s(timeout_s: float) -> float:
    """Return how often a function of this timeout shows that it is alive.

    Each sign is a PUT: at 10 s it costs a thirtieth of what the same seconds of a function with 1 GB do.
    """
    return min(10.0, max(1.0, timeout_s / 15))


def silent_s(interval_s: float) -> float:
    """Return how long a sign may stay as it was before its environment counts as dead.

    Code that holds the interpreter's lock delays signs, so the long deadline.
    """
    return 6 * interval_s
