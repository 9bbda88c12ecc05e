"""The status line of a cell that waits for jobs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from html import escape

from lambdamagic.appearance import AS_TEXT, LINE, MONO
from lambdamagic.magics.remote_errors import interrupted
from lambdamagic.magics.settle import Pending
from lambdamagic.widgets import text
from lambdamagic.widgets.notebook import DisplayPlace
from lambdamagic.widgets.showing import Front

#: What takes less is not worth a note.
_DELAY_S = 0.3
_EVERY_S = 0.1


def wait_for(jobs: Sequence[Pending], names: Sequence[str], reader: str, *, front: Front) -> None:
    """Wait until jobs have ended, and show what for.

    Args:
        jobs: The jobs.
        names: What is waited for.
        reader: Who waits, for display.
        front: The kind of front end.

    Raises:
        KeyboardInterrupt: The user stopped it; the jobs continue.
    """
    kind = {"none": _Note, "notebook": _Card}.get(front, _Line)
    note = kind(jobs, names)
    began = time.monotonic()
    try:
        with _interruptible():
            for job in jobs:
                while not job.wait_for_end(_EVERY_S):
                    if time.monotonic() - began >= _DELAY_S:
                        note.show(time.monotonic() - began)
    except KeyboardInterrupt:
        note.close(f"stopped waiting for {note.what}; the job continues")
        raise interrupted(f"{reader} stopped waiting for {note.what}; the job continues") from None
    note.close(f"waited {text.duration(time.monotonic() - began)} for {note.what}")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt raise here, also in a cell with `await`, for which the kernel turns it into a cancelled task."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Note:
    """Says nothing."""

    def __init__(self, jobs: Sequence[Pending], names: Sequence[str]) -> None:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        waiting = [job for job in jobs if not job.has_ended]
        labels = "; ".join(f"job {job.job_id[-8:]} ({job.label})" for job in waiting[:3])
        self.what = f"{shown} from {labels}" if shown else labels

    def show(self, seconds: float) -> None:
        """Show that the cell waits."""

    def close(self, message: str) -> None:
        """Show how it ended, if anything was shown before."""


class _Line(_Note):
    """One line on stderr, for terminals and logs."""

    _is_shown = False

    def show(self, seconds: float) -> None:
        if not self._is_shown:
            self._is_shown = True
            sys.stderr.write(f"λ waiting for {self.what} (Ctrl-C stops the waiting, not the job)\n")
            sys.stderr.flush()

    def close(self, message: str) -> None:
        if self._is_shown:
            sys.stderr.write(f"λ {message}\n")


class _Card(_Note):
    """A line in the notebook, kept up to date."""

    def __init__(self, jobs: Sequence[Pending], names: Sequence[str]) -> None:
        super().__init__(jobs, names)
        self._spot, self._drawn = DisplayPlace(), 0

    def show(self, seconds: float) -> None:
        if not self._spot.is_taken or int(seconds) != self._drawn:
            self._drawn = int(seconds)
            how_long = f" · {self._drawn} s" if self._drawn else ""
            self._put(f"waiting for {self.what}{how_long}", "the stop button stops the waiting, not the job", "…")

    def close(self, message: str) -> None:
        if self._spot.is_taken:
            self._put(message, "", "✓" if message.startswith("waited") else "■")

    def _put(self, message: str, more: str, sign: str) -> None:
        color = "var(--jp-brand-color1,#2c7be0)" if more else "var(--jp-border-color2,rgba(128,128,128,.5))"
        quiet = f' <span style="opacity:.75">({escape(more)})</span>' if more else ""
        self._spot.show(
            {
                "text/html": f'<div class="{AS_TEXT}" role="status" style="{LINE.format(color=color)}">{sign} '
                f'<span style="{MONO}">λ</span> {escape(message)}{quiet}</div>',
                "text/plain": f"λ {message}" + (f" ({more})" if more else ""),
            }
        )
