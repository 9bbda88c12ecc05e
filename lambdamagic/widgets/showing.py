"""Showing progress where the user is: in a notebook, in a terminal, in a log.

A view is driven by the thread that waits for the job, never by a separate thread: only so does everything land in
the right cell on every version of the kernel.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from lambdamagic.appearance import SIGNS, printable
from lambdamagic.widgets import text
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.notebook import CardView, DisplayPlace, HeadlessView, Shelf, WidgetView, has_widgets
from lambdamagic.widgets.progress import Progress, ProgressListener

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from rich.console import RenderableType
    from rich.live import Live

#: Quick jobs show nothing but their result.
DELAY_S = 0.6
#: How often a view is drawn, in seconds.
EVERY_S = 0.15
#: The front end: a notebook's, a notebook that runs without one, a terminal or a pipe, or none.
Front = Literal["notebook", "headless", "terminal", "none"]
#: More of a label would leave no room for the rest in a terminal of 80 columns.
_LABEL_WIDTH = 28
#: Of what running tasks have printed, a terminal shows the latest lines above their job's bar.
SHOWN_LINES = 6
_STYLES = {"running": "blue", "done": "green", "failed": "red", "partly": "yellow", "cancelled": "yellow"}


def front_of(shell: InteractiveShell | None) -> Front:
    """Return the kind of front end that shows the shell's outputs now, or those of a program without one."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return "terminal"
    request = kernel.get_parent("shell")
    # nbclient and papermill state that input is not possible; front ends with a user do not.
    return "notebook" if request.get("content", {}).get("allow_stdin", True) else "headless"


class View(Protocol):
    """Something that can show progress."""

    def show(self, progress: Progress, now: float) -> None:
        """Draw the present state."""

    def close(self, progress: Progress, now: float) -> None:
        """Draw the final state, if it was ever drawn or something went wrong."""


class Terminal:
    """The lines at the end of a terminal, where jobs that run at the same time are drawn below each other. Thread-safe.

    What the program itself prints meanwhile stands above them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: dict[View, RenderableType] = {}
        self._live: Live | None = None

    def draw(self, view: View, drawn: RenderableType) -> None:
        """Draw a job, or draw it again."""
        from rich.console import Console, Group
        from rich.live import Live

        with self._lock:
            self._drawn[view] = drawn
            if self._live is None:
                self._live = Live(console=Console(file=sys.stderr), auto_refresh=False)
                self._live.start()
            self._live.update(Group(*self._drawn.values()), refresh=True)

    def end(self, view: View, drawn: RenderableType) -> None:
        """Draw a job's end, above those that still run; the last one gives the terminal back."""
        from rich.console import Group

        with self._lock:
            if self._live is None or self._drawn.pop(view, None) is None:
                return
            if self._drawn:
                self._live.console.print(drawn)
                self._live.update(Group(*self._drawn.values()), refresh=True)
                return
            live, self._live = self._live, None
            live.update(drawn, refresh=True)
            live.stop()


class TerminalView:
    """A bar and a line of details on stderr, and above them the latest lines that running tasks have printed.

    Args:
        log: What the job prints.
        terminal: Where it is drawn, together with other jobs.
    """

    def __init__(self, log: OutputLog | None = None, terminal: Terminal | None = None) -> None:
        self._log, self._terminal = log or OutputLog(), terminal or Terminal()

    def show(self, progress: Progress, now: float) -> None:
        """Draw, or draw again."""
        self._log.is_watched = True
        self._terminal.draw(self, _drawn(progress, now, self._log.now))

    def close(self, progress: Progress, now: float) -> None:
        """Draw the end and give the terminal back."""
        self._terminal.end(self, _drawn(progress, now, self._log.now))


def _drawn(progress: Progress, now: float, printed: str = "") -> RenderableType:
    """Return two lines below those that were printed, cut where the terminal ends.

    `Text` takes brackets of the user's code as they are.
    """
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    cells: list[RenderableType] = [
        Text(f"λ {_shortened(progress.label)}", style="bold"),
        Text(f"{SIGNS.get(progress.state, '?')} {progress.word}", style=_STYLES.get(progress.state, "")),
    ]
    if progress.task_count is not None and progress.task_count != 1:
        cells.append(ProgressBar(total=max(1, progress.task_count), completed=progress.finished_tasks, width=20))
    cells.append(Text(" · ".join(text.pace(progress, now))))
    line = Table.grid(padding=(0, 2))
    for position, cell in enumerate(cells):
        # Where there is little room, the label and the bar become shorter, not the state and the pace.
        width = cell.cell_len if isinstance(cell, Text) and position else None
        line.add_column(no_wrap=True, overflow="ellipsis", min_width=width)
    line.add_row(*cells)
    details = Text("  " + " · ".join(text.details(progress)), style="dim", no_wrap=True, overflow="ellipsis")
    lines = [each for each in printed.splitlines() if each.strip()][-SHOWN_LINES:]
    return Group(*(Text.from_ansi(printable(each), no_wrap=True, overflow="ellipsis") for each in lines), line, details)


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL_WIDTH else label[: _LABEL_WIDTH - 1] + "…"


class LogView:
    """Lines for a pipe or a log: one when it becomes long or begins, then now and then, and one at the end."""

    def __init__(self, every_s: float = 30.0) -> None:
        self._every_s = every_s
        self._last: float | None = None
        self._state = ""

    def show(self, progress: Progress, now: float) -> None:
        """Write a line if the last is old enough, or the state has changed."""
        if self._last is None or now - self._last >= self._every_s or progress.state != self._state:
            self._last, self._state = now, progress.state
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


class Gate:
    """A view that another thread drives once it was opened; until then it is not shown.

    Args:
        view: The view.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._has_ended = False
        self.is_open = False

    def open(self, progress: Progress, now: float) -> None:
        """Draw it for the first time: to be called by the cell whose output it is."""
        with self._lock:
            self._view.show(progress, now)
            self.is_open = True
            if self._has_ended:  # just now, in the other thread
                self._view.close(progress, now)

    def show(self, progress: Progress, now: float) -> None:
        """Draw it again."""
        with self._lock:
            if self.is_open:
                self._view.show(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Draw the end."""
        with self._lock:
            self._has_ended = True
            if self.is_open:
                self._view.close(progress, now)


def choose_view(
    front: Front,
    listener: ProgressListener,
    *,
    wanted: str = "auto",
    actions: Actions | None = None,
    log: OutputLog | None = None,
    shelf: Shelf | None = None,
    place: DisplayPlace | None = None,
    terminal: Terminal | None = None,
) -> View:
    """Return the view for where the code runs.

    Args:
        front: The kind of front end.
        listener: What will be known of the job.
        wanted: The setting `view`.
        actions: What can be done with the job.
        log: What it prints.
        shelf: Where the widget goes when the job is over.
        place: Where an earlier job was shown that this one continues.
        terminal: Where jobs of a program are drawn together.
    """
    if front == "none":
        return NoView()
    if front == "terminal":
        return TerminalView(log, terminal) if sys.stderr.isatty() and wanted != "text" else LogView()
    if wanted == "text":
        return LogView()
    actions, place = actions or Actions(), place or DisplayPlace()
    if front == "headless":
        return HeadlessView(listener, actions, LogView())
    if wanted != "html" and has_widgets():
        return WidgetView(listener, actions, log or OutputLog(), shelf or Shelf(), place)
    return CardView(listener, actions, place, log)


class Showing:
    """Drives a view while a job runs.

    Args:
        view: What to drive.
        listener: The view; to be called with the job's events.
        delay_s: How long a job must run before it is shown.
        monotonic: The clock that says when to draw.
    """

    def __init__(
        self,
        view: View,
        listener: ProgressListener,
        *,
        delay_s: float = DELAY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view, self._delay_s, self._monotonic = view, delay_s, monotonic
        self.listener = listener
        self._began: float | None = None
        self._drawn = 0.0

    def tick(self) -> None:
        """Draw if it is time to; called often by whoever waits for the job."""
        now = self._monotonic()
        if self._began is None:
            self._began = now  # not before: opening the target is no part of the job
        if now - self._began >= self._delay_s and now - self._drawn >= EVERY_S:
            self.show()

    def show(self) -> None:
        """Draw at once."""
        self._drawn = self._monotonic()
        self._view.show(self.listener.snapshot(), time.time())

    def close(self) -> None:
        """Draw the end."""
        self._view.close(self.listener.snapshot(), time.time())
