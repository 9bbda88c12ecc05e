"""Output of a map's tasks: few lines are shown in the cell when it ends, many only in the card.

Tasks end in any order and while the card is drawn, so their lines would stand above and below it, mixed. In a page they
wait for the end and come in the order of the tasks. Where they are many, the card's Output tab, and later the
result, has them with the numbers of their tasks, and the cell has one line that says so.
"""

from __future__ import annotations

import threading
from typing import Any

from lambdamagic.jobs.job import Arrival
from lambdamagic.magics.front import replay
from lambdamagic.widgets.text import as_seen

#: More than this is for the card.
_CELL_LINES, _CELL_CHARS = 60, 8_000
#: So much of it stays in the notebook, from the beginning.
_KEPT_CHARS = 12_000


class MapPrints:
    """The prints and displays of one map's tasks. Thread-safe.

    Args:
        is_one: Whether it is a single task, whose prints are a cell's.
    """

    def __init__(self, *, is_one: bool = False) -> None:
        self._is_one = is_one
        self._lock = threading.Lock()
        self._entries: list[tuple[int, dict[str, Any]]] = []
        self._lines = self._chars = 0
        self._tasks: set[int] = set()

    @property
    def is_much(self) -> bool:
        """Whether the output is too long for a cell."""
        return not self._is_one and (self._lines > _CELL_LINES or self._chars > _CELL_CHARS)

    def take(self, arrival: Arrival) -> None:
        """Take what the tasks of an arrival printed and displayed."""
        tasks = arrival.unit.tasks
        with self._lock:
            for entry in arrival.outputs:
                place = entry.get("task") or 0
                task = tasks[place] if place < len(tasks) else tasks[0]
                if "stream" in entry:
                    text = as_seen(entry["text"])
                    fits = self._chars <= _KEPT_CHARS or self._is_one
                    self._lines += max(1, text.count("\n"))
                    self._chars += len(text)
                    self._tasks.add(task)
                    if not fits:
                        continue
                elif "display" not in entry:
                    continue
                self._entries.append((task, entry))

    def entries(self) -> list[dict[str, Any]]:
        """Return what the cell shows, in the order of the tasks."""
        with self._lock:
            ordered = [entry for _, entry in sorted(self._entries, key=lambda each: each[0])]
            if not self.is_much:
                return ordered
            items = f"{len(self._tasks):,} item{'s' if len(self._tasks) != 1 else ''}"
            summary = f"{self._lines:,} lines printed by {items}: see Output in the card\n"
            return [{"stream": "stdout", "text": summary}, *(each for each in ordered if "display" in each)]

    def show(self) -> None:
        """Show it in the cell that runs, once."""
        replay(self.entries())
        with self._lock:
            self._entries.clear()

    def in_card(self) -> tuple[str, str]:
        """Return a heading and the text that the result keeps; two empty texts if the cell has it all."""
        if not self.is_much:
            return "", ""
        with self._lock:
            printed = sorted(
                ((task, each) for task, each in self._entries if "stream" in each), key=lambda each: each[0]
            )
            lines = [
                f"item {task + 1:,}: {line}" for task, each in printed for line in as_seen(each["text"]).splitlines()
            ]
            text = "\n".join(lines)
            is_cut = self._chars > _KEPT_CHARS or len(text) > _KEPT_CHARS
            heading = f"Output: {self._lines:,} lines of {len(self._tasks):,} items"
            return heading + (", the first of them" if is_cut else ""), text[:_KEPT_CHARS]
