"""Release a job's memory before the next job of the environment.

The namespace of a job is a circle (its functions hold it, and it holds them), so that it would live until Python's
collector comes by, which in a trivial program is seldom: the next job would run next to it. A job's own names are
dropped by hand. For circles that the user's code made, the collector is called, but only when the memory in use has
really grown: a trivial cell does not pay for it.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from typing import Any

#: Growth below this is not looked into.
_SLACK_BYTES = 8 << 20
#: The same between two tasks of a map, whose results are kept rightly.
_TASK_SLACK_BYTES = 64 << 20
#: A core fills some 4 MB of new pages in a millisecond: less time than this is not enough for that much. To ask the
#: system takes longer than a trivial task.
_LOOK_EVERY_S = 0.015
#: How long threads that were asked to end are waited for, all together.
_THREADS_END_S = 0.25


class Memory:
    """The memory of this execution environment, seen from job to job."""

    def __init__(self) -> None:
        self._floor_bytes = resident_bytes()
        self._unseen_s = 0.0

    def settle_after(self, task_s: float) -> None:
        """Settle between two tasks, once those since the last look have run long enough to have taken memory.

        Args:
            task_s: How long the last task ran.
        """
        self._unseen_s += task_s
        if self._unseen_s >= _LOOK_EVERY_S:
            self._unseen_s = 0.0
            self.settle(_TASK_SLACK_BYTES)

    def settle(self, slack_bytes: int = _SLACK_BYTES) -> None:
        """Collect circles of garbage if the memory in use has grown since they were last collected."""
        now_bytes = resident_bytes()
        if now_bytes > self._floor_bytes + slack_bytes:
            gc.collect()
            _give_back()
            self._floor_bytes = resident_bytes()
        else:
            self._floor_bytes = min(self._floor_bytes, now_bytes)


def resident_bytes() -> int:
    """Return the resident memory of this process; where that is not known, the highest that it ever was."""
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)  # without a file object: asked after each cell
        try:
            return int(os.read(statm, 256).split()[1]) * resource.getpagesize()
        finally:
            os.close(statm)
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def end_threads_in(namespace: dict[str, Any]) -> None:
    """End the threads that run functions of a namespace, which is about to be emptied.

    They would continue in the next job, which may be another user's, and print into it. One that waits outside Python
    ends when it comes back. Threads of libraries run no such function while they are idle, and are left alone: their
    pools would wait for ever for threads that are gone.
    """
    own = threading.get_ident()
    found = [ident for ident, frame in sys._current_frames().items() if ident != own and _runs_in(frame, namespace)]
    if not found:
        return
    import ctypes
    import time

    for ident in found:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))
    until = time.monotonic() + _THREADS_END_S
    for thread in threading.enumerate():
        if thread.ident in found:
            thread.join(max(0.0, until - time.monotonic()))


def _runs_in(frame: Any, namespace: dict[str, Any]) -> bool:
    while frame is not None:
        if frame.f_globals is namespace:
            return True
        frame = frame.f_back
    return False


def _give_back() -> None:
    """Let the allocator return what is free to the system, where it has a call for that (glibc)."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
