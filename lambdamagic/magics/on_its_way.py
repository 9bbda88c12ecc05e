"""Transfer progress of a job (bytes, percent, rate), and the kernel's busy status."""

from __future__ import annotations

import threading

from lambdamagic.magics.front import BusySign, show_note
from lambdamagic.runs.handle import Run
from lambdamagic.storage.requests import RequestMeter
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.transfers import TransferNote


class OnItsWay:
    """Upload and download progress of one run; used by the thread that waits for it.

    Args:
        run: The run.
        listener: Has the note that its view shows.
        busy: Says that the kernel is busy; None where no cell waits.
        is_quiet: Whether nothing is to be said in addition to the view.
    """

    def __init__(self, run: Run, listener: ProgressListener, busy: BusySign | None, *, is_quiet: bool) -> None:
        self._run, self._listener, self._busy, self._is_quiet = run, listener, busy, is_quiet
        self.meter = RequestMeter()
        self._sent, self._received = TransferNote("sending"), TransferNote("receiving")
        self._has_shown = False
        self._before = self._expected = 0

    def sending(self) -> str:
        """Return how far the program is, if it is time to show it; a cell that does not wait has one line."""
        if self._busy is not None:
            self._busy.tick()
        program = self._run.request.program
        note = "" if program is None else self._sent.note(self.meter.moved[0], program.frames.size_bytes)
        is_of_cell = threading.current_thread() is threading.main_thread()
        if note and self._busy is None and is_of_cell and not self._has_shown:
            self._has_shown = True  # its card comes when the cell ends
            show_note(f"{self._run.label}: {note}", quiet=self._is_quiet)
        return note

    def tick(self) -> None:
        """Note how far the answers are that come from the bucket."""
        if self._busy is not None:
            self._busy.tick()
        wanted = self.meter.expected - self._expected
        if not wanted:
            return
        received = self.meter.moved[1] - self._before
        if received >= wanted:
            self._listener.note("")
            self._before, self._expected = self._before + wanted, self._expected + wanted
            self._received = TransferNote("receiving")
        elif note := self._received.note(received, wanted):
            self._listener.note(note)
