"""Views in a notebook: the live widget, a card where there are no widgets, and lines where nobody looks.

All three leave the same behind: a result that needs neither kernel nor widget.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lambdamagic.widgets import page, result, text
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.progress import Progress, ProgressListener

if TYPE_CHECKING:
    from lambdamagic.widgets.live import JobWidget


def has_widgets() -> bool:
    """Whether the live widget's library is installed beside the kernel."""
    return find_spec("anywidget") is not None


def final(progress: Progress, listener: ProgressListener, actions: Actions) -> dict[str, str]:
    """Return the MIME bundle that stays in the notebook when a job is over."""
    traceback = ""
    if actions.describe is not None and progress.task_count != 1 and progress.errors:
        ((commonest, _),) = progress.errors.most_common(1)
        first = progress.first_failed.get(commonest)
        traceback = actions.describe(first).traceback if first is not None else ""
    html = result.render(progress, listener.tasks(), traceback=traceback)
    return {"text/html": html, "text/plain": result.plain(progress)}


class Shelf:
    """Keeps the last widget open when its job is over.

    A page that was reloaded while the job ran cannot be sent the result: its output still asks for the widget, and gets
    it as long as it is here.
    """

    def __init__(self) -> None:
        self._kept: JobWidget | None = None

    def keep(self, widget: JobWidget | None) -> None:
        """Keep this widget, and close the one before."""
        if self._kept is not None:
            self._kept.close()
        self._kept = widget

    def close(self) -> None:
        """Close what is kept. Idempotent."""
        self.keep(None)


class WidgetView:
    """The live widget; when the job is over the result takes its place."""

    def __init__(self, listener: ProgressListener, actions: Actions, log: OutputLog, shelf: Shelf) -> None:
        self._listener, self._actions, self._log, self._shelf = listener, actions, log, shelf
        self._widget: JobWidget | None = None
        self._handle: Any = None

    def show(self, progress: Progress, now: float) -> None:
        """Open it, or tell it what changed."""
        if self._widget is None:
            from IPython.display import display

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
            self._handle = display(bundle, raw=True, display_id=True)
        self._widget.update(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Leave the result in the widget's place."""
        if self._widget is not None:
            self._handle.update(final(progress, self._listener, self._actions), raw=True)
            # For a page that was reloaded meanwhile, and still shows the widget.
            self._widget.update(progress, now)
            self._shelf.keep(self._widget)
            self._widget = None


class CardView:
    """HTML with a plain-text twin, updated in place through a display id."""

    def __init__(self, listener: ProgressListener, actions: Actions) -> None:
        self._listener, self._actions = listener, actions
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
        """Leave the result in the notebook."""
        if self._handle is not None:
            self._handle.update(final(progress, self._listener, self._actions), raw=True)


class HeadlessView:
    """Lines while nobody looks (nbclient, papermill), and the result for whoever opens the notebook later."""

    def __init__(self, listener: ProgressListener, actions: Actions, lines: Any) -> None:
        self._listener, self._actions, self._lines = listener, actions, lines
        self._is_shown = False

    def show(self, progress: Progress, now: float) -> None:
        """Write a line if the last is old enough."""
        self._is_shown = True
        self._lines.show(progress, now)

    def close(self, progress: Progress, now: float) -> None:
        """Show the result."""
        if self._is_shown:
            from IPython.display import display

            display(final(progress, self._listener, self._actions), raw=True)
