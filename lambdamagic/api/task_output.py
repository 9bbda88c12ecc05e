"""Show output and logs of tasks where the program runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from lambdamagic.api.labelled import call_back
from lambdamagic.errors import ConfigError
from lambdamagic.jobs.job import Arrival

#: `inherit` writes to this process's own streams, `drop` nowhere; a callable is called with task, stream and text.
Printing = Literal["inherit", "drop"] | Callable[[int, str, str], object]


class TaskOutput:
    """Shows the output of tasks when their invocation has ended.

    Args:
        how: See `Printing`.

    Raises:
        ConfigError: It is none of these.
    """

    def __init__(self, how: Printing = "inherit") -> None:
        if how not in ("inherit", "drop") and not callable(how):
            raise ConfigError(f"stdout is 'inherit', 'drop', or a callable of task, stream and text, not {how!r}")
        self._how = how

    def show(self, arrival: Arrival, *, prefixed: bool) -> None:
        """Show what an invocation's tasks have printed; lines of a map begin with the number of their task."""
        tasks = arrival.unit.tasks
        for entry in arrival.outputs:
            number = entry.get("task")
            task = tasks[number] if number is not None and number < len(tasks) else tasks[0]
            self.show_of(task, [entry], prefixed=prefixed)

    def show_of(self, task: int, outputs: Iterable[Mapping[str, Any]], *, prefixed: bool) -> None:
        """Show what one task has printed."""
        if self._how == "drop":
            return
        for entry in outputs:
            stream, text = entry.get("stream"), entry.get("text")
            if stream not in ("stdout", "stderr") or not text:
                continue
            if callable(self._how):
                printed = task, stream, text
                call_back(lambda printed: self._how(*printed), printed)  # type: ignore[operator]  # it is callable
                continue
            to = sys.stdout if stream == "stdout" else sys.stderr
            if to is None:  # a program without a terminal
                continue
            if prefixed:
                from lambdamagic.widgets.text import as_seen  # with it comes what a program without prints never needs

                # A progress bar is its last state: its lines replace each other.
                text = "".join(f"[task {task}] {line}" for line in as_seen(text).splitlines(keepends=True))
            with contextlib.suppress(OSError, ValueError):  # it was closed, or has no reader any more
                to.write(text)
                to.flush()
