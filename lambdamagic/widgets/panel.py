"""All jobs of this process for JupyterLab's panel, over one comm.

The kernel opens the comm `lambdamagic.jobs` when the extension is loaded, and a page attaches to it: one that was
there hears it being opened, one that comes later asks the kernel which comms are open, or hears its next message. So a
kernel without lambdamagic is never asked for a target that it does not know.

Nothing is sent before a page has said `hello`, and what a job's own view knows is not kept a second time: where no page
has a panel this costs next to nothing. From then on each message holds what changed, job by job and each job whole, so
that a page that was reloaded while a cell blocks its kernel has every running job with the next message. The messages'
examples, which both sides are tested against, are in `tests/fixtures/comm`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from lambdamagic import events
from lambdamagic.widgets.heard import hear_in_subshells
from lambdamagic.widgets.progress import Progress, ProgressListener

_Turn: TypeAlias = events.JobQueued | events.JobStarted | events.JobFinished
_TURNS = (events.JobQueued, events.JobStarted, events.JobFinished)

TARGET = "lambdamagic.jobs"
#: Of the messages; a page that knows another says that it is out of date.
VERSION = 1
#: At most so many messages a second are sent.
_EVERY_S = 0.15
#: How often a running job is sent again when nothing happens: a page that was reloaded meanwhile receives it.
_ALIVE_S = 2.0
#: So many jobs are remembered, the latest.
_KEPT = 200
_LABEL, _ERROR, _LOG = 1_000, 1_000, 60_000


class Comm(Protocol):
    """What is used of a kernel's comm."""

    def send(self, data: dict[str, Any]) -> None:
        """Send to all pages."""

    def on_msg(self, callback: Callable[[dict[str, Any]], None]) -> None:
        """Set the callback for messages of the pages."""

    def close(self) -> None:
        """Send the pages its end."""


class Jobs(Protocol):
    """The panel's requests and actions on a job, by its id; called in any thread."""

    def cell_of(self, job_id: str) -> str:
        """Return the id of the notebook's cell that it belongs to; empty where that is not known."""

    def cancel(self, job_id: str) -> bool:
        """Stop it; return whether it was still under way."""

    def logs(self, job_id: str) -> str:
        """Return the end of its logs."""

    def can_retry(self, job_id: str) -> bool:
        """Whether what failed of it, or did not run, can be run again."""

    def retry(self, job_id: str) -> bool:
        """Run that again; return whether it can be."""

    def has_table(self, job_id: str) -> bool:
        """Whether there is a table of its tasks."""

    def table_of(self, job_id: str) -> str | None:
        """Return that table as CSV, if it is kept."""

    def can_attach(self, job_id: str) -> bool:
        """Whether it continues without this kernel, and another can reattach to it."""

    def listener_of(self, job_id: str) -> ProgressListener | None:
        """Return the listener that is called with each event before the panel; None if there is none."""

    def view_of(self, job_id: str) -> str:
        """Return the id of the widget that shows it; empty when none does."""

    def result_of(self, job_id: str) -> dict[str, str] | None:
        """Return the MIME bundle that took its widget's place, if it is kept; None while its cell runs."""

    def outputs_of(self, job_id: str) -> list[dict[str, Any]] | None:
        """Return what followed its widget in its cell, in nbformat; None while the cell runs, or if not known."""


@dataclass
class _Entry:
    """One job: a listener while it runs, its last state afterwards."""

    cell: str
    listener: ProgressListener | None
    is_shared: bool
    last: Progress | None = None

    def progress(self) -> Progress:
        if self.listener is not None:
            return self.listener.snapshot()
        assert self.last is not None, "a job without a listener has ended"
        return self.last


class JobsPanel:
    """Follows all jobs and updates the pages; a listener of `events.EVERY_JOB`. Thread-safe.

    Args:
        jobs: Knows the jobs.
        every_s: Between two messages, at least.
        alive_s: Between two messages while something runs, at most.
    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        every_s: float = _EVERY_S,
        alive_s: float = _ALIVE_S,
    ) -> None:
        self._jobs, self._every_s, self._alive_s = jobs, every_s, alive_s
        self._changed = threading.Condition()
        #: Held from making a message to its sending: an older one must not come after a newer one.
        self._sending = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._dirty: dict[str, None] = {}
        self._job_count, self._is_billed = 0, False
        #: Of jobs that are no longer remembered.
        self._gone_usd, self._gone_at_least = 0.0, False
        self._comm: Comm | None = None
        self._sender: threading.Thread | None = None
        self._is_closed = False

    def __call__(self, event: events.Event) -> None:
        """Take in an event of any job."""
        if isinstance(event, _TURNS):
            self._turn(event)
            return
        entry = self._entries.get(event.job_id)
        if entry is None or entry.listener is None:
            return  # began before this was loaded, or came after its job's end
        if not entry.is_shared:
            entry.listener(event)
        # Without the lock, since this comes with every task: whoever takes the mark away looks at the job after that.
        if self._sender is not None and event.job_id not in self._dirty:
            with self._changed:
                self._mark(event.job_id)

    def _turn(self, event: _Turn) -> None:
        with self._changed:
            entry = self._entries.get(event.job_id)
            if not isinstance(event, events.JobFinished) and (entry is None or entry.listener is None):
                if entry is not None:  # a job that was attached to runs again under its id
                    self._forget(event.job_id)
                entry = self._entries[event.job_id] = self._new_entry(event.job_id)
                self._job_count += 1
                self._forget_old()
            if entry is None or entry.listener is None:
                return
            if isinstance(event, events.JobStarted):
                self._is_billed |= event.is_billed
            if not entry.is_shared:
                entry.listener(event)
            if isinstance(event, events.JobFinished):
                entry.last, entry.listener = entry.listener.snapshot(), None  # the tasks' table goes
            self._mark(event.job_id)

    def _new_entry(self, job_id: str) -> _Entry:
        known = self._jobs.listener_of(job_id)
        return _Entry(self._jobs.cell_of(job_id), known or ProgressListener(), known is not None)

    def _mark(self, job_id: str) -> None:
        self._dirty[job_id] = None
        self._changed.notify()

    def touch(self, job_id: str) -> None:
        """Send a job to the pages again: the kernel's facts about it, apart from its events, have changed."""
        with self._changed:
            if job_id in self._entries:
                self._mark(job_id)

    def _forget_old(self) -> None:
        for job_id in list(self._entries):
            if len(self._entries) <= _KEPT:
                return
            if self._entries[job_id].listener is None:
                self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        gone = self._entries.pop(job_id).progress()
        self._gone_usd += gone.cost_usd
        self._gone_at_least |= gone.unreported > 0

    def connect(self, comm: Comm) -> None:
        """Use an open comm from now on."""
        self._comm = comm
        hear_in_subshells(comm)
        comm.on_msg(self._on_message)

    def close(self) -> None:
        """Send the pages the end, and stop. Idempotent."""
        with self._changed:
            comm, self._comm = self._comm, None
            self._is_closed = True
            self._changed.notify()
        if self._sender is not None:
            self._sender.join(5.0)
            self._sender = None
        if comm is not None:
            comm.close()

    def _on_message(self, message: dict[str, Any]) -> None:
        data = message["content"]["data"]
        job_id = str(data.get("job", ""))
        match data.get("kind"):
            case "hello":
                self._greet()
            case "cancel":
                if not self._jobs.cancel(job_id):
                    self._refuse("cancel", job_id, "This job has already ended.")
            case "logs":
                self._send({"kind": "logs", "job": job_id, "text": self._jobs.logs(job_id)[-_LOG:]})
            case "retry":
                if self._jobs.retry(job_id):
                    self._send({"kind": "retrying", "job": job_id})
                else:
                    self._refuse("retry", job_id, "The inputs of this job are no longer kept. Run its cell again.")
            case "table":
                table = self._jobs.table_of(job_id)
                if table is None:
                    self._refuse("table", job_id, "The table of this job is no longer kept.")
                else:
                    self._send({"kind": "table", "job": job_id, "csv": table})
            case "result":
                bundle = self._jobs.result_of(job_id)
                if bundle is not None:
                    place = {"view": self._jobs.view_of(job_id), "outputs": self._jobs.outputs_of(job_id)}
                    self._send({"kind": "result", "job": job_id, **place, "data": bundle})

    def _refuse(self, what: str, job_id: str, reason: str) -> None:
        self._send({"kind": "refused", "to": what, "job": job_id, "reason": reason})

    def _greet(self) -> None:
        with self._changed:
            if self._sender is None and not self._is_closed:
                self._sender = threading.Thread(target=self._run, name="lambdamagic-panel", daemon=True)
                self._sender.start()
        with self._sending:
            with self._changed:
                message = self._message(list(self._entries), whole=True)
            self._send(message)

    def _run(self) -> None:
        """Send what changed, and from time to time the running jobs, until closed."""
        while True:
            with self._changed:
                happened = self._changed.wait_for(lambda: self._dirty or self._is_closed, timeout=self._alive_s)
            with self._sending:
                with self._changed:
                    if self._is_closed:
                        return
                    changed, self._dirty = self._dirty, {}
                    reported = (
                        [job_id for job_id in changed if job_id in self._entries] if happened else self._running()
                    )
                    message = self._message(reported, whole=False)
                if reported:
                    self._send(message)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, timeout=self._every_s)

    def _running(self) -> list[str]:
        return [job_id for job_id, entry in self._entries.items() if entry.listener is not None]

    def _message(self, job_ids: list[str], *, whole: bool) -> dict[str, Any]:
        now = time.time()
        entries = [self._entries[job_id] for job_id in job_ids]
        return {
            "kind": "jobs",
            "version": VERSION,
            "whole": whole,
            "now": now,
            "jobs": [self._facts(entry, now) for entry in entries],
            "session": self._session(),
        }

    def _session(self) -> dict[str, Any]:
        known = [entry.progress() for entry in self._entries.values()]
        return {
            "jobs": self._job_count,
            "costUsd": self._gone_usd + sum(progress.cost_usd for progress in known),
            "isBilled": self._is_billed,
            "isAtLeast": self._gone_at_least or any(progress.unreported for progress in known),
        }

    def _facts(self, entry: _Entry, now: float) -> dict[str, Any]:
        progress = entry.progress()
        jobs, job_id = self._jobs, progress.job_id
        return {
            **job_facts(progress, entry.cell, now),
            "canRetry": jobs.can_retry(job_id),
            "hasTable": jobs.has_table(job_id),
            "canAttach": jobs.can_attach(job_id),
            "view": jobs.view_of(job_id),
            "hasOutputs": jobs.outputs_of(job_id) is not None,
        }

    def _send(self, message: dict[str, Any]) -> None:
        comm = self._comm
        if comm is not None:
            comm.send(message)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def job_facts(progress: Progress, cell: str, now: float) -> dict[str, Any]:
    """Return what the panel shows of a job, as JSON; times in seconds since the epoch."""
    remaining = progress.remaining_s(now)
    most = progress.errors.most_common(1)  # of the tasks; a job has its own error if it could not continue
    return {
        "id": progress.job_id,
        "label": _cut(progress.label, _LABEL),
        "cell": cell,
        "state": progress.state,
        "word": progress.word,
        "note": progress.note,
        "error": _cut(progress.error or (most[0][0] if most else ""), _ERROR),
        "tasks": progress.task_count,
        "done": progress.done,
        "failed": progress.failed,
        "running": progress.running,
        "retried": progress.retried,
        "throttled": progress.throttled,
        "coldStarts": progress.cold_starts,
        "memoryMb": progress.memory_mb,
        "peakMemoryMb": progress.peak_memory_mb,
        "startedAt": progress.started_at or progress.queued_at,
        "finishedAt": progress.finished_at,
        "leftS": None if remaining is None else max(1, round(remaining)),
        "billedMs": progress.billed_ms,
        "costUsd": progress.cost_usd,
        "isBilled": progress.is_billed,
        "isAtLeast": progress.unreported > 0,
    }
