"""Write a running cell's displays to the function's log, for its viewers.

A line has the latest displays as they are now, so that updates and clears need no order, and a reader needs the last
line only. The answer brings all of them, whole: what is large or comes too often is left out here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from lambdamagic.protocol.joblog import DISPLAYS_BEGIN, DISPLAYS_END

#: A cell that ends sooner shows all at its end.
_FIRST_AFTER_S = 2.0
_EVERY_S = 2.0
#: A log event may be 256 kB ("CloudWatch Logs quotas"), and logs are billed by their size.
_LINE_BYTES, _RUN_BYTES = 180_000, 4_000_000
_LATEST = 4
#: What a page shows without an extension, the richest first.
_KINDS = ("text/html", "image/svg+xml", "image/png", "image/jpeg")


class LiveDisplays:
    """The displays of one run. Thread-safe.

    Args:
        write: Writes a line to the log.
        latest: Returns the MIME bundles that are shown now, in order.
    """

    def __init__(self, write: Callable[[bytes], None], latest: Callable[[], list[dict[str, Any]]]) -> None:
        self._write, self._latest = write, latest
        self._lock = threading.Lock()
        self._next = time.monotonic() + _FIRST_AFTER_S
        self._timer: threading.Timer | None = None
        self._left = _RUN_BYTES

    def changed(self) -> None:
        """Have the displays written as soon as it is time; returns at once."""
        with self._lock:
            if self._timer is not None or self._left <= 0:
                return
            self._timer = threading.Timer(max(0.0, self._next - time.monotonic()), self._flush)
            self._timer.daemon = True
            self._timer.name = "lambdamagic-displays"
            self._timer.start()

    def stop(self) -> None:
        """Write nothing more: the answer has it all."""
        with self._lock:
            self._left = 0
            if self._timer is not None:
                self._timer.cancel()

    def _flush(self) -> None:
        with self._lock:
            self._timer, self._next = None, time.monotonic() + _EVERY_S
        line = f"{DISPLAYS_BEGIN}{json.dumps(_that_fit(self._latest()))}{DISPLAYS_END}\n".encode()
        with self._lock:
            if len(line) <= self._left:
                self._write(line)
            self._left -= len(line)


def _that_fit(bundles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the latest bundles, each with the richest kind that a page shows; text where that is too large."""
    found: list[dict[str, Any]] = []
    room = _LINE_BYTES
    for bundle in reversed(bundles[-_LATEST:]):
        text = str(bundle.get("text/plain", ""))[:2_000]
        kind = next((kind for kind in _KINDS if kind in bundle), None)
        shown = {"text/plain": text} if kind is None else {"text/plain": text, kind: bundle[kind]}
        if len(json.dumps(shown)) > room:
            shown = {"text/plain": f"{text}\n(shown when the cell ends)".lstrip()}
        room -= len(json.dumps(shown))
        if room < 0:
            break
        found.append(shown)
    return found[::-1]
