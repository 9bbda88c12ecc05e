"""Views in a notebook: the live widget, a card where there are no widgets, and lines of text without a front end.

All three leave the same behind: a result that needs neither kernel nor widget.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lambdamagic.widgets import page, result, text
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.progress import Progress, ProgressListener

if TYPE_CHECKING:
    from lambdamagic.widgets.live import JobWidget


#: So many jobs' results are kept for pages that missed them; each has 100 kB at most.
_RESULTS = 8
#: Of what was printed, a card without the widget's tabs shows the last lines.
_PRINTED = 2_000


def has_widgets() -> bool:
    """Whether the live widget's library is installed with the kernel."""
    return find_spec("anywidget") is not None


def final(progress: Progress, listener: ProgressListener, actions: Actions) -> dict[str, str]:
    """Return the MIME bundle that stays in the notebook when a job is over."""
    traceback = ""
    if actions.describe is not None and progress.task_count != 1 and progress.errors:
        ((commonest, _),) = progress.errors.most_common(1)
        first = progress.first_failed.get(commonest)
        traceback = actions.describe(first).traceback if first is not None else ""
    is_kept = actions.results_csv is not None
    printed = ("", "") if actions.printed is None else actions.printed()
    html = result.render(progress, listener.tasks(), traceback=traceback, is_kept=is_kept, printed=printed)
    return {"text/html": html, "text/plain": result.plain(progress)}


class Shelf:
    """Results for pages that were reloaded while a job ran and did not receive them.

    Their output still asks for the widget: the last one stays open when its job is over, and the latest results are
    there for JupyterLab's extension, which puts them in its place. Thread-safe.

    Attributes:
        on_opened: Called with the id of each job whose widget has been opened, and whether a cell waits for it.
    """

    def __init__(self) -> None:
        self.on_opened: Callable[[str, bool], None] = lambda job_id, is_blocking: None
        self._lock = threading.Lock()
        self._widget: JobWidget | None = None
        self._models: OrderedDict[str, str] = OrderedDict()
        self._results: dict[str, dict[str, str]] = {}
        self._below: dict[str, dict[str, Any]] = {}

    def opened(self, job_id: str, model_id: str, *, is_blocking: bool = False) -> None:
        """Note which widget shows a job."""
        with self._lock:
            self._models[job_id] = model_id
            while len(self._models) > _RESULTS:
                oldest = self._models.popitem(last=False)[0]
                self._results.pop(oldest, None)
                self._below.pop(oldest, None)
        self.on_opened(job_id, is_blocking)

    def ended(self, job_id: str, widget: JobWidget | None, bundle: dict[str, str]) -> None:
        """Keep a job's result, and its widget, for which the one before is closed."""
        with self._lock:
            if job_id in self._models:
                self._results[job_id] = bundle
            if widget is None:
                return
            before, self._widget = self._widget, widget
        if before is not None:
            before.close()

    def model_of(self, job_id: str) -> str:
        """Return the id of the widget that shows a job; empty when none does."""
        with self._lock:
            return self._models.get(job_id, "")

    def result_of(self, job_id: str) -> dict[str, str] | None:
        """Return what took the widget's place; None while the job runs, or when it is no longer kept."""
        with self._lock:
            return self._results.get(job_id)

    def keep_below(self, job_id: str, bundle: dict[str, Any]) -> None:
        """Keep what is shown below the result of a job whose cell has ended."""
        with self._lock:
            if job_id in self._models:
                self._below[job_id] = bundle

    def below(self, job_id: str) -> dict[str, Any] | None:
        """Return that; None where there is nothing, or it is no longer kept."""
        with self._lock:
            return self._below.get(job_id)

    def close(self) -> None:
        """Release everything. Idempotent."""
        with self._lock:
            before, self._widget = self._widget, None
            self._models.clear()
            self._results.clear()
            self._below.clear()
        if before is not None:
            before.close()


class DisplayPlace:
    """Where in a notebook a job is shown: one display, which is updated in place.

    A job that runs another's tasks again takes its place.

    Args:
        cell: The id of the cell that it belongs to; empty where that is not known.

    Attributes:
        printed: What its jobs have printed and shown below it.
        live: What its job displays while it runs.
    """

    def __init__(self, cell: str = "") -> None:
        self.cell = cell
        self.printed: list[dict[str, Any]] = []
        self.live: list[dict[str, Any]] = []
        self._handle: Any = None
        self._below: Any = None

    @property
    def is_taken(self) -> bool:
        """Whether something is shown there."""
        return self._handle is not None

    @property
    def has_below(self) -> bool:
        """Whether there is a place below it for what its jobs print."""
        return self._below is not None

    def make_below(self, bundle: dict[str, Any]) -> None:
        """Make that place: in the cell that runs now, so while that is the job's own."""
        from IPython.display import display

        self._below = display(bundle, raw=True, display_id=True)

    def show_below(self, bundle: dict[str, Any]) -> None:
        """Show something there."""
        self._below.update(bundle, raw=True)

    def show(self, bundle: dict[str, Any]) -> None:
        """Show a MIME bundle: below the present cell the first time, from then on there."""
        if self._handle is None:
            from IPython.display import DisplayHandle

            # Known before it is shown: who is interrupted in between must be able to show the end there.
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)


class WidgetView:
    """The live widget; when the job is over the result takes its place."""

    def __init__(
        self, listener: ProgressListener, actions: Actions, log: OutputLog, shelf: Shelf, place: DisplayPlace
    ) -> None:
        self._listener, self._actions, self._log, self._shelf = listener, actions, log, shelf
        self._widget: JobWidget | None = None
        self._place = place
        self._has_ended = False

    def show(self, progress: Progress, now: float) -> None:
        """Open it, or send it what changed."""
        if self._widget is None:
            from lambdamagic.widgets.live import JobWidget

            self._widget = JobWidget(self._listener, self._actions, self._log)
            bundle: dict[str, Any] = {
                "application/vnd.jupyter.widget-view+json": {
                    "version_major": 2,
                    "version_minor": 0,
                    "model_id": self._widget.model_id,
                },
                # For whoever opens the notebook where there is no such widget.
                "text/html": page.render(progress, now),
                "text/plain": text.line(progress, now),
            }
            self._place.show(bundle)
            self._shelf.opened(progress.job_id, self._widget.model_id, is_blocking=bool(self._actions.is_blocking))
        self._widget.update(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Leave the result in the widget's place; again when more is known of it."""
        if self._widget is None and not self._has_ended:
            return
        bundle = final(progress, self._listener, self._actions)
        self._place.show(bundle)
        if self._widget is not None:
            # For a page that was reloaded meanwhile, and still shows the widget.
            self._widget.update(progress, now)
        self._shelf.ended(progress.job_id, self._widget, bundle)
        self._widget, self._has_ended = None, True


class CardView:
    """HTML with a plain-text twin, updated in place through a display id."""

    def __init__(
        self, listener: ProgressListener, actions: Actions, place: DisplayPlace, log: OutputLog | None = None
    ) -> None:
        self._listener, self._actions, self._place, self._log = listener, actions, place, log or OutputLog()
        self._is_shown = False

    def show(self, progress: Progress, now: float) -> None:
        """Draw, or draw again."""
        self._is_shown = self._log.is_watched = True
        html = page.render(progress, now, printed=self._log.latest(_PRINTED))
        self._place.show({"text/html": html, "text/plain": text.line(progress, now)})

    def close(self, progress: Progress, now: float) -> None:
        """Leave the result in the notebook."""
        if self._is_shown:
            self._place.show(final(progress, self._listener, self._actions))


class HeadlessView:
    """Lines of text in a notebook without a front end (nbclient, papermill), and the result for later readers."""

    def __init__(self, listener: ProgressListener, actions: Actions, lines: Any) -> None:
        self._listener, self._actions, self._lines = listener, actions, lines
        self._is_shown = False

    def show(self, progress: Progress, now: float) -> None:
        """Write a line if the last is old enough; the end has its own place."""
        self._is_shown = True
        if not progress.is_over:
            self._lines.show(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Show the result."""
        if self._is_shown:
            from IPython.display import display

            display(final(progress, self._listener, self._actions), raw=True)
