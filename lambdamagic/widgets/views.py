"""Showing progress where the user is: in a notebook, in a terminal, in a log.

A view is driven by the thread that waits for the job, never by a thread of its own: only so does everything land in
the right cell on every version of the kernel.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from lambdamagic.widgets import page, text
from lambdamagic.widgets.progress import Progress, ProgressListener

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

#: Quick jobs show nothing but their result.
DELAY_S = 0.6
#: How often a view is drawn, in seconds.
EVERY_S = 0.15


class View(Protocol):
    """Something that can show progress."""

    def show(self, progress: Progress, now: float) -> None:
        """Draw the present state."""

    def close(self, progress: Progress, now: float) -> None:
        """Draw the final state, if it was ever drawn or something went wrong."""


class NotebookView:
    """HTML with a plain-text twin, updated in place through a display id."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, progress: Progress, now: float) -> None:
        """Draw, or draw again."""
        from IPython.display import display

        bundle = {"text/html": page.render(progress, now), "text/plain": text.line(progress, now)}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def close(self, progress: Progress, now: float) -> None:
        """Leave the final state in the notebook."""
        if self._handle is not None:
            self.show(progress, now)


class TerminalView:
    """A bar on stderr."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: Any = None

    def show(self, progress: Progress, now: float) -> None:
        """Draw, or draw again."""
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False, style="bold"),  # the user's own brackets stay
                BarColumn(bar_width=24),
                TextColumn("{task.fields[facts]}", markup=False),
                console=Console(file=sys.stderr),
                auto_refresh=False,
            )
            self._bar.start()
            self._task = self._bar.add_task("λ", total=progress.task_count, facts="")
        sign = text.SIGNS.get(progress.state, "?")
        self._bar.update(
            self._task,
            description=f"λ {progress.label} {sign}",
            completed=progress.finished_tasks,
            total=progress.task_count,
            facts=" · ".join(text.facts(progress, now)),
        )
        self._bar.refresh()

    def close(self, progress: Progress, now: float) -> None:
        """Draw the end and give the terminal back."""
        if self._bar is not None:
            self.show(progress, now)
            self._bar.stop()
            self._bar = None


class LogView:
    """Lines for a pipe or a log: one when it becomes long, then now and then, and one at the end."""

    def __init__(self, every_s: float = 30.0) -> None:
        self._every_s = every_s
        self._last: float | None = None

    def show(self, progress: Progress, now: float) -> None:
        """Write a line if the last is old enough."""
        if self._last is None or now - self._last >= self._every_s:
            self._last = now
            self._write(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Write the last line."""
        if self._last is not None:
            self._write(progress, now)

    def _write(self, progress: Progress, now: float) -> None:
        sys.stderr.write(text.line(progress, now) + "\n")
        sys.stderr.flush()


class NoView:
    """Shows nothing."""

    def show(self, progress: Progress, now: float) -> None:
        """Do nothing."""

    def close(self, progress: Progress, now: float) -> None:
        """Do nothing."""


def choose_view(*, is_kernel: bool, quiet: bool) -> View:
    """Return the view for where the code runs."""
    if quiet:
        return NoView()
    if is_kernel:
        return NotebookView()
    return TerminalView() if sys.stderr.isatty() else LogView()


class Showing:
    """Drives a view while a job runs.

    Args:
        view: What to drive.
        delay_s: How long a job must run before it is shown.
        monotonic: The clock that says when to draw.
    """

    def __init__(
        self, view: View, delay_s: float = DELAY_S, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._view, self._delay_s, self._monotonic = view, delay_s, monotonic
        self.listener = ProgressListener()
        self._began: float | None = None
        self._drawn = 0.0

    def tick(self) -> None:
        """Draw if it is time to; called often by whoever waits for the job."""
        now = self._monotonic()
        if self._began is None:
            self._began = now  # not before: opening the target is no part of the job
        if now - self._began >= self._delay_s and now - self._drawn >= EVERY_S:
            self._drawn = now
            self._view.show(self.listener.snapshot(), time.time())

    def close(self) -> None:
        """Draw the end."""
        self._view.close(self.listener.snapshot(), time.time())
