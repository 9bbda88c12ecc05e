"""The session's record of its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from IPython.core.error import UsageError

from lambdamagic.widgets import text
from lambdamagic.widgets.progress import Progress, ProgressListener


class RanMap(Protocol):
    """A recorded map: its outcomes, and how to run some tasks again."""

    @property
    def results(self) -> list[Any]:
        """The outcomes of its tasks so far."""

    @property
    def can_run_again(self) -> bool:
        """Whether its items are still there."""

    def again(self, *, failed: bool) -> list[Any]:
        """Run what has no result, and what failed if it is asked for; return all results."""

    def retry(self) -> None:
        """Run both in the background, once no cell runs. For any thread."""

    def to_csv(self) -> str:
        """Return the table of its tasks, as the widget's. For any thread."""


@dataclass(repr=False)
class JobRecord:
    """What is remembered of a job: small, so that thousands of jobs do not fill the kernel. What `%lambda last` gives.

    Attributes:
        progress: Its final state.
        target: Where it ran.
        function: The function's name.
        cell: The id of the cell that it belongs to.
        logs: Ends of its invocations' logs.
        listener: What follows it while it is under way.
        cancel: Stops it, while it is under way.
        map: The map that it ran for, while that is kept and no later job runs for it.
    """

    progress: Progress
    target: str
    function: str
    cell: str = ""
    logs: list[str] = field(default_factory=list)
    map: RanMap | None = None
    listener: ProgressListener | None = None
    cancel: Callable[[], None] | None = None

    def end(self, progress: Progress) -> None:
        """Keep its final state, and release what only a running job needs."""
        self.progress, self.listener, self.cancel = progress, None, None

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.progress.job_id

    @property
    def results(self) -> list[Any] | None:
        """Results in the items' order: values, exceptions, and `<not run>`; None for a cell."""
        return None if self.map is None else self.map.results

    def resume(self) -> list[Any]:
        """Run the tasks of the last map that have no result, after Ctrl-C or a failure, and return all results.

        Raises:
            UsageError: It was no map, or its items are no longer kept.
        """
        return self._again(failed=False)

    def retry_failed(self) -> list[Any]:
        """Run the tasks of the last map that failed, and those that have no result; return all results.

        Raises:
            UsageError: It was no map, or its items are no longer kept.
        """
        return self._again(failed=True)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table of the last map's tasks as CSV, as the widget's button does.

        A line for each task: its number, state, run time in seconds, and short forms of argument, result and error.

        Args:
            path: Also written there, as UTF-8.

        Raises:
            UsageError: It was no map, or its results are no longer kept.
        """
        table = self._map("table").to_csv()
        if path is not None:
            Path(path).write_text(table, encoding="utf-8", newline="")
        return table

    def _again(self, *, failed: bool) -> list[Any]:
        return self._map("tasks to run again").again(failed=failed)

    def _map(self, what: str) -> RanMap:
        if self.map is None:
            raise UsageError(f"job {self.job_id} has no {what}: it was not a map, or later maps replaced it")
        return self.map

    def __repr__(self) -> str:
        progress = self.progress
        lines = [f"{progress.job_id}  on {self.target} ({self.function})"]
        lines.append(text.line(progress, time.time()))
        lines += [f"  {count:,} × {error}" for error, count in progress.errors.most_common(5)]
        if progress.error:
            lines.append(f"  {progress.error}")
        return "\n".join(lines)
