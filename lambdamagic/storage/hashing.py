"""Digests taken while bytes are on their way, not in a pass of their own.

hashlib releases the GIL, so that hashing runs beside the network.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from types import TracebackType

from lambdamagic.errors import IntegrityError
from lambdamagic.storage.base import Hasher

_INLINE_BYTES = 256 << 10  # a thread costs more than hashing this much


class Digest:
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
                f"{self._name!r} does not hold what its name says: sha256 is {self._own.hexdigest()}, "
                f"expected {self._expected}",
                hint="Somebody else wrote to the bucket, or the object was damaged; its bytes were not used",
            )


class HashAlong:
    """A context in which `views` are fed to `hasher` beside whatever the body does; complete when it is left."""

    def __init__(self, hasher: Hasher | None, views: Sequence[memoryview]) -> None:
        self._hasher = hasher
        self._views = views
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if self._hasher is None:
            return
        if sum(len(view) for view in self._views) <= _INLINE_BYTES:
            self._run()
            return
        self._thread = threading.Thread(target=self._run, name="lambdamagic-hash", daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        assert self._hasher is not None
        for view in self._views:
            self._hasher.update(view)
