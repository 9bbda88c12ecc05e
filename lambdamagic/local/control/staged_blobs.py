"""A bound on what clients have staged in the embedded S3: the blobs that were used last stay.

AWS's buckets have a lifecycle; here nothing ends before the instance, and a notebook that changes an array between
cells stages it again each time. A client asks for a blob that it sent some time ago before it relies on it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

_FOLDER = "/lambdamagic/blobs/"
#: A blob in use stays, whatever the bound; clients trust half of it (`targets.local_target`).
IN_USE_S = 60.0


class StagedBlobs:
    """Knows what is staged, and deletes what was not used for longest. Thread-safe.

    Args:
        limit_bytes: How much may be staged.
        size_of: Returns the size of an object, by bucket and key, or None if there is none.
        delete: Deletes an object.
        now: Seconds on a clock that does not go back.
    """

    def __init__(
        self,
        limit_bytes: int,
        *,
        size_of: Callable[[str, str], int | None],
        delete: Callable[[str, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._size_of = size_of
        self._delete = delete
        self._now = now
        self._lock = threading.Lock()
        self._total_bytes = 0
        self._used: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def note(self, request: HttpRequest, response: HttpResponse) -> None:
        """Record an answered request, and delete what it made too much."""
        before, found, digest = request.path.partition(_FOLDER)
        if not found or response.status >= 300:
            return
        blob = before.strip("/"), f"{_FOLDER.strip('/')}/{digest}"
        with self._lock:
            self._total_bytes -= self._used.pop(blob, (0, 0.0))[0]
            size = self._size_of(*blob)
            if size is not None:
                self._used[blob] = size, self._now()
                self._total_bytes += size
            for old in self._to_delete():
                self._total_bytes -= self._used.pop(old)[0]
                self._delete(*old)

    def _to_delete(self) -> list[tuple[str, str]]:
        surplus, found = self._total_bytes - self._limit_bytes, []
        for blob, (size, used_at) in self._used.items():
            if surplus <= 0 or self._now() - used_at < IN_USE_S:
                break
            surplus -= size
            found.append(blob)
        return found
