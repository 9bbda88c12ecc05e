"""Actions on a job that its view offers.

A view knows no job: whoever shows one hands these callables over. They are called in the kernel's main thread between
cells, or in a subshell's thread while a cell runs, must return quickly, and may be called again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

#: What is kept of all that a job prints, in characters.
_LOG_CHARS = 256 * 1024


@dataclass(frozen=True)
class TaskDetail:
    """The details of one task in addition to its state; texts are short enough to be shown.

    Attributes:
        argument: A short repr of what it was called with.
        output: What it printed.
        traceback: That of its exception, as text; empty without one.
        result: A short repr of what it returned; empty when it did not.
        request_id: AWS's id of the invocation that decided it.
        report: Lambda's report of that invocation, in words.
        log_query: A CloudWatch Logs Insights query that finds its lines.
    """

    argument: str = ""
    output: str = ""
    traceback: str = ""
    result: str = ""
    request_id: str = ""
    report: str = ""
    log_query: str = ""


@dataclass(frozen=True)
class Actions:
    """What can be done; a button whose callable is None is not shown.

    Attributes:
        cancel: Stops the job.
        retry_failed: Runs the failed tasks again.
        describe: Returns the details of one task.
        results_csv: Returns the table of tasks and results as CSV.
        printed: Returns a heading and what tasks printed where that is too much for the cell; else two empty texts.
        is_blocking: Whether a cell waits for the job, so that the notebook's stop button cancels it; None where a
            program decides that, which may wait now or later.
    """

    cancel: Callable[[], object] | None = None
    retry_failed: Callable[[], object] | None = None
    describe: Callable[[int], TaskDetail] | None = None
    results_csv: Callable[[], str] | None = None
    printed: Callable[[], tuple[str, str]] | None = None
    is_blocking: bool | None = True


@dataclass(frozen=True)
class Printed:
    """Text that some tasks printed: those from `first` on, `count` of them."""

    first: int
    count: int
    stream: str
    text: str


class OutputLog:
    """The latest output of a job. Thread-safe.

    Attributes:
        now: What those of its invocations have printed so far that have not answered yet; replaced as a whole.
        displays: What those that are cells display now, as MIME bundles; replaced as a whole.
        is_watched: Whether a page shows it.
    """

    def __init__(self, limit_chars: int = _LOG_CHARS) -> None:
        self.now = ""
        self.displays: list[dict[str, Any]] = []
        self.is_watched = False
        self._limit = limit_chars
        self._lock = threading.Lock()
        self._entries: deque[Printed] = deque()
        self._chars = 0
        self._dropped = 0

    @property
    def count(self) -> int:
        """How many entries there have been."""
        return self._dropped + len(self._entries)

    def add(self, entry: Printed) -> None:
        """Add an entry; what is oldest makes room for it."""
        if len(entry.text) > self._limit:
            entry = Printed(entry.first, entry.count, entry.stream, entry.text[-self._limit :])
        with self._lock:
            self._entries.append(entry)
            self._chars += len(entry.text)
            while self._chars > self._limit:
                self._chars -= len(self._entries.popleft().text)
                self._dropped += 1

    def since(self, number: int, most_chars: int) -> tuple[int, list[Printed]]:
        """Return the number to ask with next time, and the entries from `number` on, as many as fit.

        One entry is returned however long it is, cut to `most_chars`.
        """
        found: list[Printed] = []
        with self._lock:
            at = max(number, self._dropped)
            # An entry has a character at least: no more of them can fit.
            waiting = list(islice(self._entries, at - self._dropped, at - self._dropped + most_chars))
        for entry in waiting:
            if found and len(entry.text) > most_chars:
                break
            found.append(Printed(entry.first, entry.count, entry.stream, entry.text[:most_chars]))
            most_chars -= len(entry.text)
            at += 1
        return at, found

    def latest(self, most_chars: int) -> str:
        """Return the end of the output, including that of running tasks."""
        with self._lock:
            entries = list(islice(reversed(self._entries), most_chars))
        text = "".join(entry.text for entry in reversed(entries)) + self.now
        return text[-most_chars:]

    def of_task(self, task: int, most_chars: int) -> str:
        """Return what is kept of what one task printed."""
        with self._lock:
            entries = list(self._entries)
        text = "".join(entry.text for entry in entries if entry.first <= task < entry.first + entry.count)
        return text if len(text) <= most_chars else "…" + text[-most_chars:]
