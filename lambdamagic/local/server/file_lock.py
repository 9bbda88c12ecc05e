"""A lock that processes of one user share: a file that one of them at a time holds."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_EVERY_S = 0.02


@contextmanager
def locked(path: Path, *, within_s: float) -> Iterator[None]:
    """Hold a lock, which the kernel takes back when its holder ends.

    Args:
        path: The lock's file, created if it does not exist.
        within_s: How long to wait for it.

    Raises:
        TimeoutError: Another process has held it for all that time.
    """
    deadline = time.monotonic() + within_s
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has held {path} for {within_s:.0f} s") from None
                time.sleep(_LOOK_EVERY_S)  # a lock of the kernel's cannot be waited for with a bound
        yield
