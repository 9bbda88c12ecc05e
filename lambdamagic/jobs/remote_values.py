"""Client-side references to task values that stay in the bucket.

An object of the bucket is deleted when nothing here refers to a value in it any more, by a thread that lives while
there is such a value. What is left when the process ends expires with the job's other objects.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.frames import StoredAt, Written
from lambdamagic.codec.home import Home
from lambdamagic.codec.shared import Shared
from lambdamagic.errors import IntegrityError, LambdaMagicError, TargetError
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.protocol.payload import FrameRef, split_frames
from lambdamagic.protocol.stayed import Stayed, StayedValue
from lambdamagic.storage.object_store import ObjectStore
from lambdamagic.storage.presigned import default_transfer

#: How long freed objects are gathered before one request deletes them.
_GATHER_S = 0.2
_MOST_AT_ONCE = 1_000  # "DeleteObjects", Amazon S3 API reference


class RemoteValue(Shared):
    """A task's value that stays in the bucket. Immutable, thread-safe.

    Wherever it is pickled for Lambda, the reader finds the value itself: it is a task's argument like any other.

    Args:
        held: The object that it is in.
        value: Where, and what.
    """

    def __init__(self, held: _HeldObject, value: StayedValue) -> None:
        self._held, self.kind, self.size_bytes = held, value.kind, value.size_bytes
        at = StoredAt(held.key, value.start, held.size_bytes)
        self._at = Written.at(at, value.frame_sizes, value.sha256, is_of_home=value.is_of_home)

    def written(self, home: Home) -> Written:
        """Return a reference to the bytes in the bucket."""
        return self._at

    @property
    def value(self) -> Any:
        """The value itself, read from the bucket now."""
        return self.read(Home({}))

    def read(self, home: Home) -> Any:
        """Return the value, read from the bucket now; its code comes to live in a home.

        Raises:
            TargetError: It is no longer there, or the bucket cannot be reached.
        """
        at = self._at.stored
        assert at is not None
        url = self._held.store.presign_get(at.key, PRESIGN_EXPIRES_S)
        try:
            data = default_transfer().fetch_range(
                url, at.start, self.size_bytes, at.object_bytes, sha256=self._at.sha256[0]
            )
        except FileNotFoundError as error:
            raise TargetError(
                f"{self} is no longer in the bucket: such values expire with their job",
                hint="Run the job that made it again",
            ) from error
        frames = split_frames([FrameRef(size) for size in self._at.frame_sizes], memoryview(data))
        return Decoder([bytearray(frame) for frame in frames], home).load()

    def __repr__(self) -> str:
        return f"<in the bucket: {self.kind}>"


class _HeldObject:
    """An object of the bucket for as long as a value in it is referred to."""

    def __init__(self, store: ObjectStore, key: str, size_bytes: int, *, is_freed: bool) -> None:
        self.store, self.key, self.size_bytes = store, key, size_bytes
        if is_freed:
            _bin.expect()
            # No lock is taken and no request made where the last reference goes, which may be anywhere.
            weakref.finalize(self, _bin.freed.put, (store, key)).atexit = False


def remote_values(
    stayed: Stayed | None, store: ObjectStore | None, expected_key: str, *, is_freed: bool
) -> Mapping[int, RemoteValue]:
    """Return the values that an invocation left in the bucket, by the tasks' places in the invocation.

    Args:
        stayed: What its answer says.
        store: The bucket.
        expected_key: The key that it was permitted to write.
        is_freed: Whether it is deleted when nothing refers to it.

    Raises:
        IntegrityError: The answer names another object.
    """
    if stayed is None or store is None:
        return {}
    if stayed.key != expected_key:
        raise IntegrityError("an answer refers to an object that is not its own; it was not read")
    held = _HeldObject(store, stayed.key, stayed.size_bytes, is_freed=is_freed)
    return {value.task: RemoteValue(held, value) for value in stayed.values}


class _Bin:
    """Deletes freed objects in a thread that ends with the last of them. Thread-safe."""

    def __init__(self) -> None:
        self.freed: queue.SimpleQueue[tuple[ObjectStore, str]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._expected = 0
        self._thread: threading.Thread | None = None

    def expect(self) -> None:
        """Note that one more object will be freed."""
        with self._lock:
            self._expected += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._empty, name="lambdamagic-freed", daemon=True)
                self._thread.start()

    def _empty(self) -> None:
        while True:
            found = [self.freed.get()]
            try:
                while len(found) < _MOST_AT_ONCE:
                    found.append(self.freed.get(timeout=_GATHER_S))
            except queue.Empty:
                pass
            stores: dict[int, tuple[ObjectStore, list[str]]] = {}
            for store, key in found:
                stores.setdefault(id(store), (store, []))[1].append(key)
            for store, keys in stores.values():
                try:
                    store.delete(keys)
                except (LambdaMagicError, RuntimeError, OSError):
                    pass  # the store was closed, or is unwell: they expire with their job
            stores.clear()
            with self._lock:
                self._expected -= len(found)
                if not self._expected:
                    self._thread = None
                    return
            found.clear()


_bin = _Bin()
