"""Writes the stacks of all threads to the log at a moment, even if a C extension keeps the interpreter's lock.

faulthandler does that by a thread, started and joined for each run: more than half of what a trivial invocation takes
in the function, and milliseconds on a busy core. A timer of the kernel whose signal faulthandler answers costs a system
call. Where there are no such timers (macOS), and in an environment's first invocation, which need not pay for ctypes,
it is the thread.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from typing import Any

_CLOCK_MONOTONIC = 1  # <linux/time.h>
_SIGEVENT_INTS = 16  # 64 bytes, sigevent(3type): a value of 8, the signal's number, how to notify (0 is by a signal)
#: Real-time signals are left to programs; user code would ask for the first ones.
_SIGNAL = signal.SIGRTMAX - 3 if sys.platform == "linux" else 0


class StackDump:
    """The timer of one process.

    Args:
        descriptor: Where the stacks are written.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._arms = 0
        self._timer: _Timer | None = None

    def arm(self, after_s: float) -> None:
        """Write the stacks after so many seconds, unless `disarm` is called before."""
        self._arms += 1
        if self._arms == 2:
            self._timer = _timer(self._descriptor)
        if self._timer is None or not self._timer.set(after_s):
            faulthandler.dump_traceback_later(after_s, file=self._descriptor)

    def disarm(self) -> None:
        """Write nothing any more."""
        if self._timer is None or not self._timer.set(0.0):
            faulthandler.cancel_dump_traceback_later()


class _Timer:
    """A POSIX timer; see timer_create(2)."""

    def __init__(self, library: Any) -> None:
        import ctypes

        self._ident = ctypes.c_void_p()
        event = (ctypes.c_int * _SIGEVENT_INTS)(0, 0, int(_SIGNAL))
        self.is_there = library.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._ident)) == 0
        self._settime = library.timer_settime
        self._spec = (ctypes.c_long * 4)()  # struct itimerspec: no repetition; seconds, nanoseconds
        self._spec_ref = ctypes.byref(self._spec)

    def set(self, after_s: float) -> bool:
        """Go off after so many seconds, or with 0 not at all; say whether the system took it."""
        seconds = int(after_s)
        self._spec[2], self._spec[3] = seconds, int((after_s - seconds) * 1e9)
        done: int = self._settime(self._ident, 0, self._spec_ref, None)
        return done == 0


def _timer(descriptor: int) -> _Timer | None:
    """Return a timer whose signal has faulthandler write the stacks; None where there is none."""
    if sys.platform != "linux":
        return None
    import ctypes

    for name in (None, "librt.so.1"):  # glibc before 2.34 has timers apart
        try:
            timer = _Timer(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
        if timer.is_there:
            faulthandler.register(_SIGNAL, file=descriptor, all_threads=True)
            return timer
    return None
