"""`progress=True`: a program's jobs are shown where it runs, as cells are."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lambdamagic.api.live_output import LiveOutput
from lambdamagic.events import JobQueued
from lambdamagic.storage.requests import RequestMeter
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.notebook import Shelf
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.showing import Front, Gate, Showing, Terminal, View, choose_view, front_of

if TYPE_CHECKING:
    from lambdamagic.clock import Clock
    from lambdamagic.config import Settings
    from lambdamagic.deploy.function_logs import FunctionLogs
    from lambdamagic.jobs.job import Arrival, JobSpec

#: All bars of a process share its terminal.
_TERMINAL, _SHELF = Terminal(), Shelf()


class ProgressBar:
    """Shows one job; the `Follower` of its run, whose thread draws it.

    In a terminal it is a bar on stderr, in a notebook a view below the cell that started it, and in a pipe or a log a
    line every 30 s.

    Args:
        settings: The settings in force: `quiet` shows nothing, `view` says what is shown in a notebook.
        job_id: The job.
        label: A short name of it, for display.
        task_count: How many tasks it has, if that is known.
        cancel: Stops the job.
        open_logs: Returns the log of a function, by its name, read by the clock that is given; None where what running
            tasks print is not shown.
        is_blocking: Whether the caller waits for it at once, so that an interrupt cancels it; None where it may.

    Attributes:
        listener: Is to hear the job's events.
        transfers: Counts what goes to the bucket and comes from there.
    """

    def __init__(
        self,
        settings: Settings,
        job_id: str,
        label: str,
        task_count: int | None,
        cancel: Callable[[], object],
        *,
        open_logs: Callable[[str, Clock], FunctionLogs] | None = None,
        is_blocking: bool | None = None,
    ) -> None:
        self.listener, self.transfers = ProgressListener(), RequestMeter()
        self.listener(JobQueued(job_id, label, task_count, False, "", time.time()))
        get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
        front: Front = "none" if settings.quiet else front_of(None if get_ipython is None else get_ipython())
        is_page = front in ("notebook", "headless") and settings.view != "text"
        log, self._function = OutputLog(), ""
        self._live = None
        if open_logs is not None:
            self._live = LiveOutput(job_id, log, lambda clock: open_logs(self._function, clock), is_prefixed=True)
        view: View = choose_view(
            # Only what is updated in place reaches the cell from the job's own thread.
            "notebook" if is_page else "terminal" if front in ("notebook", "headless") else front,
            self.listener,
            wanted="html" if front == "headless" else settings.view,
            actions=Actions(cancel=cancel, is_blocking=is_blocking),
            shelf=_SHELF,
            log=log,
            terminal=_TERMINAL,
        )
        self._gate = Gate(view)
        self._showing = Showing(self._gate, self.listener, delay_s=0.0)

    def prepared(self, spec: JobSpec) -> None:
        """Show it: see `open`."""
        self._function = spec.function.name
        self.open()

    def open(self) -> None:
        """Show it, in the thread and the cell that start the job."""
        with _unseen():
            self._gate.open(self.listener.snapshot(), time.time())

    def tick(self) -> None:
        """Draw it again if it is time to."""
        with _unseen():
            self._showing.tick()
        if self._live is not None:
            self._live.tick()

    def sending(self) -> None:
        """Show nothing: there is no bar before the job begins."""

    def took(self, arrival: Arrival) -> None:
        """Handle an arrival: its events have been processed, and what it printed is about to be shown."""
        if self._live is not None:
            self._live.arrived(arrival.request_id)

    def moved(self) -> None:
        """Note that walks of a graph have ended."""
        if self._live is not None:
            self._live.arrived("")

    def ended(self) -> None:
        """Draw the end."""
        if self._live is not None:
            self._live.stop()
        with _unseen():
            self._showing.close()


def _unseen() -> contextlib.AbstractContextManager[None]:
    """A terminal that was closed, or has no reader any more, is not a failure of the job."""
    return contextlib.suppress(OSError, ValueError)
