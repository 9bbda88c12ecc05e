"""Digests taken while bytes are on their way, not in a separate pass.

hashlib releases the GIL, so that hashing overlaps with the network.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from lambdamagic.errors import IntegrityError
from lambdamagic.storage.object_store import Hasher

_INLINE_BYTES = 256 << 10  # a thread costs more than hashing this much
_PIECE_BYTES = 1 << 20  # few wake-ups, and an error is noticed within 3 ms


class CheckedDigest:
    """Feeds arriving bytes to the caller's hasher and checks the digest that they should have.

    Args:
        hasher: The caller's own, or None.
        sha256: The expected hex digest, or None.
        name: The object's name, for the message.
    """

    def __init__(self, hasher: Hasher | None, sha256: str | None, name: str) -> None:
        self._hasher = hasher
        self._expected = sha256
        self._own = hashlib.sha256() if sha256 is not None else None
        self._name = name

    @property
    def wanted(self) -> Callable[[memoryview], None] | None:
        """`update` if anybody wants to know, else None."""
        return self.update if self._hasher is not None or self._own is not None else None

    def update(self, data: memoryview) -> None:
        """Take in the next bytes."""
        if self._hasher is not None:
            self._hasher.update(data)
        if self._own is not None:
            self._own.update(data)

    def check(self) -> None:
        """Raise IntegrityError if all bytes together do not have the expected digest."""
        if self._own is not None and self._own.hexdigest() != self._expected:
            raise IntegrityError(
                f"{self._name!r} does not match the digest in its name: SHA-256 is {self._own.hexdigest()}, "
                f"expected {self._expected}",
                hint="Check who else writes to the bucket, or whether the object was damaged; it was not used",
            )


class HashBehind:
    """Hashes a sequence of views in a separate thread, as far as they are ready; a context manager.

    When the body is left without an error, all that was followed is hashed; with an error hashing ends early. Small
    bodies are hashed at the end by the calling thread.

    Args:
        update: Takes the bytes, in order; None hashes nothing.
    """

    def __init__(self, update: Callable[[memoryview], object] | None) -> None:
        self._update = update
        self._views: Sequence[memoryview] = ()
        self._ready = 0
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    def follow(self, views: Sequence[memoryview], *, ready: int = 0) -> None:
        """Begin to hash these flat views, of whose joined bytes the first `ready` are there. Called once."""
        self._views = views
        self._ready = ready
        if self._update is not None and sum(len(view) for view in views) > _INLINE_BYTES:
            self._thread = threading.Thread(target=self._run, name="lambdamagic-hash", daemon=True)
            self._thread.start()

    def advance(self, ready: int) -> None:
        """Say that the first `ready` bytes are there now. Thread-safe."""
        if self._update is not None:
            with self._changed:
                self._ready = max(self._ready, ready)
                self._changed.notify()

    def __enter__(self) -> HashBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._finished = True
            self._stopped = kind is not None
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        elif self._update is not None and not self._stopped:
            for view in self._views:
                self._update(view)

    def _run(self) -> None:
        assert self._update is not None
        before = 0
        for view in self._views:
            done = 0
            while done < len(view):
                ready = self._wait_for(before + done, before + len(view)) - before
                if self._stopped:
                    return
                self._update(view[done : min(ready, len(view))])
                done = min(ready, len(view))
            before += len(view)

    def _wait_for(self, position: int, end: int) -> int:
        """Return how many bytes are ready once that is a good piece more than `position`, or all up to `end`."""
        with self._changed:
            while not self._finished and self._ready < min(end, position + _PIECE_BYTES):
                self._changed.wait()
            return end if self._finished else min(self._ready, position + _PIECE_BYTES)
