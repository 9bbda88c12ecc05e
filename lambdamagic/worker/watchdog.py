"""Stops the user's code before Lambda does, so that a timeout can say where it hung.

One thread per execution environment, asleep between invocations. At the deadline it takes the stacks of all threads
and interrupts the main thread by a signal, which reaches code that sleeps or waits; code inside a C extension sees it
when it returns to Python. If it does not return in time, the stacks are written to the log, whose tail the client
gets with Lambda's own timeout error.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # as `signal`, without what makes enumerations: ten times as fast
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial

from lambdamagic.codec.interruption import Interruption
from lambdamagic.protocol.bounds import WATCHDOG_MARGIN_S
from lambdamagic.worker.descriptors import log_descriptors, write_log
from lambdamagic.worker.stack_dump import StackDump

STACKS_BEGIN = "lambdamagic stacks at the deadline:"
STACKS_END = "lambdamagic end of stacks"

_SIGNAL = int(signal.SIGUSR2)
CANCEL_THREAD = "lambdamagic-cancel"
_CANCEL_FIRST_S = 5.0  # short tasks make no request at all
_CANCEL_EVERY_S = 5.0


class Interrupted(Interruption):
    """Raised in the user's code.

    Attributes:
        reason: `timed_out` or `cancelled`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Watchdog:
    """Watches one run at a time.

    Args:
        first_look_s: When it is first asked whether the job was cancelled.
    """

    def __init__(self, *, first_look_s: float = _CANCEL_FIRST_S) -> None:
        self._first_look_s = first_look_s
        self._wake = threading.Condition()
        self._run: _Run | None = None
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")
        self._dump: StackDump | None = None

    def start(self, *, remaining_s: float, is_cancelled: Callable[[], bool] | None) -> _Run:
        """Begin to watch the calling thread, which must be the main one.

        Args:
            remaining_s: Time until Lambda's deadline.
            is_cancelled: Asked now and then whether the job was cancelled; None to not ask.
        """
        now = time.monotonic()
        # Short timeouts keep most of their time for the user.
        margin_s = min(WATCHDOG_MARGIN_S, remaining_s * 0.2)
        run = _Run(now + remaining_s - margin_s, margin_s, is_cancelled, now + self._first_look_s)
        _signal.signal(_SIGNAL, run.on_signal)
        # This thread too needs the interpreter's lock. A C extension that keeps it to the end leaves its stack in
        # the log all the same.
        if self._dump is None:
            self._dump = StackDump(log_descriptors()["stderr"])
        self._dump.arm(remaining_s - margin_s * 0.5)
        with self._wake:
            self._run = run
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="lambdamagic-watchdog", daemon=True)
                self._thread.start()
            elif self._wakes_at > run.next_look:
                # Waking a thread costs more than a trivial cell takes; one that wakes in time anyway is left asleep.
                self._wake.notify()
        return run

    def stop(self, run: _Run) -> None:
        """End the watch. After this no interrupt is raised any more."""
        run.end()
        if self._dump is not None:
            self._dump.disarm()
        with self._wake:
            self._run = None

    def _watch(self) -> None:
        while True:
            with self._wake:
                run = self._run
                self._wakes_at = float("inf") if run is None else run.next_look
                self._wake.wait(None if run is None else max(0.0, run.next_look - time.monotonic()))
                if run is None or self._run is not run:
                    continue
            now = time.monotonic()
            if now >= run.deadline:
                run.interrupt("timed_out")
                run.deadline = now + run.margin_s * 0.25  # again, if the code caught it
                run.log_stacks_if_stuck()
            elif now >= run.next_cancel_check:
                run.check_cancelled(now)


class _Run:
    """One watched run."""

    def __init__(
        self, deadline: float, margin_s: float, is_cancelled: Callable[[], bool] | None, next_cancel_check: float
    ) -> None:
        self.deadline = deadline
        self.margin_s = margin_s
        self.stacks = ""
        self.reason = ""
        self.is_over = False
        self.next_cancel_check = next_cancel_check if is_cancelled is not None else float("inf")
        self._is_cancelled = is_cancelled
        self._main = threading.main_thread().ident
        self._interrupts = 0
        self._is_asking = self._was_cancelled = False

    @property
    def next_look(self) -> float:
        """When there is next something to do, by the monotonic clock."""
        return min(self.deadline, self.next_cancel_check)

    def interrupt(self, reason: str) -> None:
        """Take the stacks and interrupt the main thread."""
        if self.is_over or self._main is None:
            return
        if not self.stacks:
            self.reason = reason
            self.stacks = all_stacks(self._main)
        self._interrupts += 1
        signal.pthread_kill(self._main, signal.SIGUSR2)

    def end(self) -> None:
        """Raise no interrupt any more, and hold no part of the job: the signal's handler keeps this object."""
        self.is_over = True
        self.next_cancel_check, self._is_cancelled = float("inf"), None

    def on_signal(self, *_: object) -> None:
        """Run in the main thread, between two of its instructions."""
        if not self.is_over and self.reason:
            raise Interrupted(self.reason)

    def log_stacks_if_stuck(self) -> None:
        """Leave the stacks in the log if the main thread has not answered the first interrupt."""
        if self._interrupts == 2:
            text = f"{STACKS_BEGIN}\n{self.stacks}\n{STACKS_END}\n"
            write_log("stderr", text[-3500:].encode())

    def check_cancelled(self, now: float) -> None:
        """Ask whether the job was cancelled, or interrupt again what has not learned of it."""
        if self._was_cancelled:
            self.next_cancel_check = now + 0.5
            self.interrupt("cancelled")
            return
        self.next_cancel_check = now + _CANCEL_EVERY_S
        if not self._is_asking and self._is_cancelled is not None:
            self._is_asking = True
            # In a separate thread: S3 may take its time, and the deadline may not wait for it.
            ask = partial(self._ask, self._is_cancelled)
            threading.Thread(target=ask, name=CANCEL_THREAD, daemon=True).start()

    def _ask(self, is_cancelled: Callable[[], bool]) -> None:
        try:
            self._was_cancelled = is_cancelled()
        finally:
            self._is_asking = False
        if self._was_cancelled:
            self.interrupt("cancelled")


def all_stacks(main: int) -> str:
    """Return the stacks of all threads as text, the main thread's last, without our own frames."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    texts = []
    frames = sys._current_frames()
    for ident in sorted(frames, key=lambda ident: ident == main):
        if names.get(ident) in ("lambdamagic-watchdog", "lambdamagic-output", "lambdamagic-displays", CANCEL_THREAD):
            continue
        lines = [
            line
            for frame in _user_part(traceback.extract_stack(frames[ident]))
            for line in traceback.format_list([frame])
        ]
        if lines:
            texts.append(f"Thread {names.get(ident, ident)}:\n{''.join(lines)}")
    return "\n".join(texts)


def _user_part(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    ours = f"{os.sep}lambdamagic{os.sep}worker{os.sep}"
    last = max((number for number, frame in enumerate(stack) if ours in frame.filename), default=-1)
    return list(stack)[last + 1 :]
