"""The live widget: a page's model of one job, fed with differences.

The kernel sends at most one message a tick. It holds the head line as JSON and what changed in the tasks as binary
buffers (`tasks.Changes`). A page that has just loaded its code says `ready` and gets everything; a hidden page
says so and gets nothing. While a cell blocks, an older kernel receives neither: the first messages are therefore sent
whole, at growing intervals, since a page drops what comes before its code is loaded. A newer one receives everything in
a separate thread (`heard.py`).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

import anywidget
from traitlets import Unicode

from lambdamagic.widgets import text
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.bundle import page_code, page_style
from lambdamagic.widgets.heard import hear_in_subshells
from lambdamagic.widgets.progress import Progress, ProgressListener

#: Everything is sent at these updates, unless the page has said that it listens.
_WHOLE_AT = (1, 3, 6, 12, 24, 48)
#: At most so many rows of invocations and characters of output in one message.
_ROWS, _CHARS = 200, 4_000
_ERRORS = 20
#: What all names of tasks may take in one message.
_NAMES_CHARS = 1_000_000


def head(progress: Progress, now: float) -> dict[str, Any]:
    """Return the widget's head, as JSON."""
    remaining = progress.remaining_s(now)
    return {
        "job": progress.job_id,
        "label": progress.label,
        "state": progress.state,
        "word": progress.word,
        "note": progress.note,
        "error": progress.error,
        "count": progress.task_count,
        "done": progress.done,
        "failed": progress.failed,
        "running": progress.running,
        "again": progress.waiting_again,
        "elapsed": round(progress.elapsed_s(now), 2) if progress.started_at else None,
        "left": None if remaining is None else max(1, round(remaining)),
        "cold": progress.cold_starts,
        "throttled": progress.throttled,
        "retried": progress.retried,
        "backups": progress.backed_up,
        "cached": progress.cached,
        "peak": progress.peak_memory_mb,
        "memory": progress.memory_mb,
        "billed": round(progress.billed_ms / 1000, 2),
        "cost": text.cost(progress),
        "isBilled": progress.is_billed,
    }


def _errors(progress: Progress) -> list[list[Any]]:
    return [
        [error, count, progress.first_failed.get(error, -1)] for error, count in progress.errors.most_common(_ERRORS)
    ]


def _names(names: Sequence[str]) -> list[str]:
    """Return tasks' names for the page; none where they are too many for a message."""
    return list(names) if sum(map(len, names)) <= _NAMES_CHARS else []


class JobWidget(anywidget.AnyWidget):  # type: ignore[misc]  # ipywidgets is untyped
    """The live view of one job.

    Args:
        listener: What is known of the job.
        actions: What can be done with it.
        log: What it prints.
    """

    #: Names the widget among those of a page.
    key = Unicode().tag(sync=True)

    def __init__(self, listener: ProgressListener, actions: Actions, log: OutputLog) -> None:
        self._esm, self._css = page_code(), page_style()
        super().__init__(key=secrets.token_hex(8))
        self._listener, self._actions, self._log = listener, actions, log
        log.is_watched = True  # until a page says that it is hidden; a busy kernel does not receive that
        self._updates = 0
        self._rows_sent = 0
        self._log_sent = 0
        self._now_sent = ""
        self._names_sent: Sequence[str] = ()
        self._errors_sent: list[list[Any]] = []
        self._is_heard = False
        # A page is answered in a separate thread where the kernel has subshells.
        self._sending = threading.Lock()
        self.on_msg(self._on_message)

    def open(self) -> None:
        """Open the comm, and be heard on it."""
        super().open()
        if self.comm is not None:
            hear_in_subshells(self.comm)

    def update(self, progress: Progress, now: float) -> None:
        """Send what changed; nothing if no page shows it."""
        if not self._log.is_watched:
            return
        self._updates += 1
        with self._sending:
            self._send_changes(progress, now, whole=not self._is_heard and self._updates in _WHOLE_AT)

    def _send_changes(self, progress: Progress, now: float, *, whole: bool) -> None:
        changes = self._listener.take_changes(rows_from=self._rows_sent, full=whole, most_rows=_ROWS)
        rows = len(changes.invocations) // 8
        self._rows_sent = rows if whole else self._rows_sent + rows
        content: dict[str, Any] = {"kind": "update", "head": head(progress, now), "whole": whole}
        errors = _errors(progress)
        if whole or errors != self._errors_sent:
            content["errors"] = self._errors_sent = errors
        if whole:
            self._log_sent = 0
            actions = self._actions
            content["can"] = {
                "cancel": actions.cancel is not None,
                "retry": actions.retry_failed is not None,
                "describe": actions.describe is not None,
                "csv": actions.results_csv is not None,
            }
            content["blocking"] = actions.is_blocking
        if whole or self._listener.names is not self._names_sent:  # a page may have come before the job began
            self._names_sent = self._listener.names
            content["names"] = _names(self._names_sent)
        if changes.scattered:
            content["scattered"] = [[at, tasks] for at, tasks in changes.scattered.items()]
        self._log_sent, printed = self._log.since(self._log_sent, _CHARS)
        if whole or self._log.now != self._now_sent:
            content["now"] = self._now_sent = self._log.now
        if printed:
            content["printed"] = [[entry.first, entry.count, entry.stream, entry.text] for entry in printed]
        buffers = [changes.ranges.tobytes(), changes.states, changes.seconds.tobytes(), changes.invocations.tobytes()]
        self.send(content, buffers)

    def _on_message(self, widget: Any, content: dict[str, Any], buffers: Any) -> None:
        match content.get("kind"):
            case "ready":
                self._is_heard = True
                self._look()
            case "visible":
                self._log.is_watched = bool(content.get("value"))
                if self._log.is_watched:
                    self._look()
            case "describe":
                self._describe(int(content.get("task", -1)))
            case "cancel" | "retry" | "csv" as wanted:
                self._act(wanted)

    def _look(self) -> None:
        with self._sending:  # changes after this snapshot must not be sent before it
            self._send_changes(self._listener.snapshot(), time.time(), whole=True)

    def _describe(self, task: int) -> None:
        describe = self._actions.describe
        if describe is not None:
            self.send({"kind": "detail", "task": task, "detail": vars(describe(task))})

    def _act(self, wanted: str) -> None:
        actions = self._actions
        answer: dict[str, Any] = {"kind": "answer", "to": wanted, "error": ""}
        try:
            if wanted == "cancel" and actions.cancel is not None:
                actions.cancel()
            elif wanted == "retry" and actions.retry_failed is not None:
                actions.retry_failed()
            elif wanted == "csv" and actions.results_csv is not None:
                answer["csv"] = actions.results_csv()
        except Exception as error:  # noqa: BLE001  # any failure is shown to the person who pressed the button
            answer["error"] = f"{type(error).__name__}: {error}"
        self.send(answer)
