"""Progress of pickling large values, shown where the job's card will be."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

from lambdamagic.appearance import html_line
from lambdamagic.codec.size_estimate import pickled_bytes
from lambdamagic.magics.cards import NOTHING
from lambdamagic.magics.front import show_note
from lambdamagic.magics.session import Session
from lambdamagic.widgets.notebook import DisplayPlace
from lambdamagic.widgets.showing import front_of
from lambdamagic.widgets.transfers import TransferNote

_CLEAR_LINE = "\r\033[K"


class PicklingSign:
    """A context around the encoding of a program; silent for a second, and where nothing is to be shown.

    Args:
        session: The notebook's session.
        label: The job's name.
        is_quiet: Whether nothing is to be shown.
    """

    def __init__(self, session: Session, label: str, *, is_quiet: bool) -> None:
        self._label, self._front = label, "none" if is_quiet else front_of(session.shell)
        self._note = TransferNote("pickling", is_estimate=True)
        self._note.note(0, 0)
        self._place = DisplayPlace(session.cell)
        self._name, self._before, self._total, self._has_shown = "", 0, 0, False

    def __enter__(self) -> PicklingSign:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._has_shown and self._front == "terminal" and sys.stderr.isatty():
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
        if error is not None:
            self.clear()

    @property
    def place(self) -> DisplayPlace | None:
        """Where it was shown, for the job's card; None where nothing was."""
        return self._place if self._place.is_taken else None

    def clear(self) -> None:
        """Show nothing any more: no card comes there."""
        if self._place.is_taken:
            self._place.show(NOTHING)

    def wrote(self, name: str, value: Any, written_bytes: int) -> None:
        """Note how far it is; called for every 64 kB, from within the pickler.

        Args:
            name: The variable that is written now.
            value: Its value.
            written_bytes: How much there is of all variables.
        """
        if self._front == "none" or threading.current_thread() is not threading.main_thread():
            return
        if name != self._name:
            self._name, self._before, self._total = name, written_bytes, 0
        if not self._note.is_due():
            return
        if not self._total:
            self._total = pickled_bytes(value) or -1
        note = self._note.note(written_bytes - self._before, max(0, self._total))
        self._show(f"{note} · {name}")

    def _show(self, note: str) -> None:
        if self._front == "notebook":
            shown = html_line(self._label, "starting", note)
            self._place.show({"text/html": shown, "text/plain": f"λ {self._label}: {note}"})
        elif self._front == "terminal" and sys.stderr.isatty():
            sys.stderr.write(f"{_CLEAR_LINE}λ {self._label}: {note}")
            sys.stderr.flush()
        elif not self._has_shown:
            show_note(f"{self._label}: {note}")
        self._has_shown = True
