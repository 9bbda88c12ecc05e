"""The current states of a job's tasks, and the changes since a view's last request.

A task costs five bytes and an invocation thirty-two, so that a job of 100,000 tasks is nothing. Times are seconds since
the job's start.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from lambdamagic import events
from lambdamagic.widgets.pace import RemainingTime, UnderWay


class TaskState(IntEnum):
    """States of a task. The page uses the same numbers (`static/store.js`)."""

    WAITING = 0
    RUNNING = 1
    DONE = 2
    FAILED = 3
    RETRYING = 4
    THROTTLED = 5
    NOT_RUN = 6


_STATES = len(TaskState)
_OVER = (TaskState.DONE, TaskState.FAILED)
_DONE, _FAILED = int(TaskState.DONE), int(TaskState.FAILED)
#: What the states become when the job has ended: only outcomes stay.
_AT_THE_END = bytes(state if state in _OVER else TaskState.NOT_RUN for state in TaskState)
_AT_THE_END += bytes(range(_STATES, 256))

#: Marks an invocation that is under way, or that ended without an answer, where its environment's number would stand.
UNDER_WAY, UNANSWERED = -1.0, -2.0


class InvocationRow(NamedTuple):
    """One row of `TaskGrid.invocations`; times in seconds since the job's start.

    Attributes:
        attempt: Its number.
        first: Its first task.
        tasks: How many it carries.
        environment: Number of its execution environment, `UNDER_WAY` or `UNANSWERED`.
        sent: When it was sent.
        began: When the handler began.
        ended: When its answer was there.
        init: How long INIT took; 0 when the environment was warm.
    """

    attempt: float
    first: float
    tasks: float
    environment: float
    sent: float
    began: float
    ended: float
    init: float


WIDTH = len(InvocationRow._fields)
#: Rows kept, 13 MB; a timeline of more would show nothing that one of these does not.
_ROWS_KEPT = 200_000


@dataclass(frozen=True)
class Changes:
    """What changed since a view asked last.

    Attributes:
        ranges: Pairs of a first task and a count (unsigned 32-bit).
        states: The states of the tasks in those ranges, one byte each.
        seconds: Run times of those among them that are done or failed (32-bit floats).
        invocations: Rows as in `InvocationRow` (32-bit floats).
        is_full: Whether this is everything there is, and not a difference.
        scattered: Of rows whose tasks do not follow one another, by their place among these rows: all of them.
    """

    ranges: array[int]
    states: bytes
    seconds: array[float]
    invocations: array[float]
    is_full: bool
    scattered: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What it costs to send."""
        words = len(self.ranges) + len(self.seconds) + len(self.invocations)
        return 4 * words + len(self.states)


class TaskGrid:
    """The tasks of one job. Not thread-safe: whoever owns it (`ProgressListener`) holds a lock."""

    def __init__(self) -> None:
        self.states = bytearray()
        self.seconds: array[float] = array("f")
        self.invocations: array[float] = array("f")
        self.scattered: dict[int, tuple[int, ...]] = {}
        self.names: Sequence[str] = ()
        self.environments: dict[str, int] = {}
        self.counts = [0] * _STATES
        self._started_at = 0.0
        self._sent: dict[str, UnderWay] = {}
        self._pace_seconds, self._pace_tasks, self._slots = 0.0, 0, 0
        # Ranges of tasks, as [first, after the last], in the order in which they changed.
        self._changed: list[list[int]] = []

    def started(self, event: events.JobStarted) -> None:
        """Make room for the tasks."""
        self._started_at, self.names = event.at, event.names
        self.reach(event.task_count or 0)

    def sent(self, event: events.InvocationStarted) -> None:
        """Note that an invocation runs."""
        at = event.at - self._started_at
        self._sent[event.attempt_id] = UnderWay(at, len(event.tasks))
        self._move(event.tasks, TaskState.RUNNING)
        self._row(event.attempt_id, event.tasks, UNDER_WAY, at, at, at, 0.0)

    def gave_up(self, attempt_id: str, tasks: Sequence[int], at: float, state: TaskState) -> bool:
        """Note that an invocation ended without an outcome; return whether it had answered before all the same."""
        self._move(tasks, state)
        sent = self._sent.pop(attempt_id, None)
        if sent is not None:
            self._row(attempt_id, tasks, UNANSWERED, sent.at, sent.at, at - self._started_at, 0.0)
        return sent is None

    def answered(self, event: events.InvocationFinished) -> None:
        """Note when and where an invocation ran."""
        ended = event.at - self._started_at
        self._slots = len(self._sent)  # the place of this one is taken again, if there is work
        known = self._sent.pop(event.attempt_id, None)
        sent = ended if known is None else known.at
        # The answer's way back is not known apart from the way there: all that is no run time counts as waiting.
        began = max(sent, ended - event.duration_ms / 1000)
        number: float = UNANSWERED  # one that died says what it used, not where it was
        if event.environment_id:
            number = self.environments.setdefault(event.environment_id, len(self.environments))
        init = event.report.init_ms / 1000 if event.report is not None else 0.0
        self._pace_seconds += max(0.0, ended - sent - init)  # later ones are warm
        self._pace_tasks += len(event.tasks)
        self._row(event.attempt_id, event.tasks, number, sent, began, ended, min(init, began - sent))

    def finished(self, event: events.TaskFinished) -> None:
        """Note a task's outcome."""
        self._set(event.task, _FAILED if event.failed else _DONE)
        self.seconds[event.task] = event.seconds

    def pace(self) -> RemainingTime:
        """Return what is known about the job's pace."""
        each = self._pace_seconds / self._pace_tasks if self._pace_tasks else None
        return RemainingTime(each, self._slots, tuple(self._sent.values()))

    def ended(self) -> int:
        """Nothing more happens: what has no outcome has not run. Return how many invocations were under way."""
        self.states = self.states.translate(_AT_THE_END)
        self.counts = [self.states.count(state) for state in TaskState]
        self._changed = [[0, len(self.states)]]
        return len(self._sent)

    def take_changes(self, *, rows_from: int, full: bool = False, most_rows: int = 0) -> Changes:
        """Return what changed since the last call.

        Args:
            rows_from: How many rows of invocations are known to the view.
            full: Return everything.
            most_rows: How many rows to return at most; 0 sets no limit.
        """
        changed, self._changed = self._changed, []
        merged = [[0, len(self.states)]] if full else _merged(changed)
        ranges = array("I")
        states = bytearray()
        seconds: array[float] = array("f")
        for first, after in merged:
            ranges.extend((first, after - first))
            part = self.states[first:after]
            states += part
            over = part.count(TaskState.DONE) + part.count(TaskState.FAILED)
            if over == len(part):
                seconds += self.seconds[first:after]
            elif over:
                seconds.extend(self.seconds[first + at] for at, state in enumerate(part) if state in _OVER)
        start = 0 if full else rows_from * WIDTH
        stop = start + most_rows * WIDTH if most_rows and not full else len(self.invocations)
        first, after = start // WIDTH, stop // WIDTH
        scattered = {at - first: tasks for at, tasks in self.scattered.items() if first <= at < after}
        return Changes(ranges, bytes(states), seconds, self.invocations[start:stop], full, scattered)

    def rows(self) -> list[tuple[InvocationRow, Sequence[int]]]:
        """Return the invocations that were answered, with their tasks."""
        flat, found = self.invocations, list[tuple[InvocationRow, Sequence[int]]]()
        for at, start in enumerate(range(0, len(flat), WIDTH)):
            row = InvocationRow(*flat[start : start + WIDTH])
            if row.environment >= 0:
                tasks = self.scattered.get(at) or range(int(row.first), int(row.first + row.tasks))
                found.append((row, tasks))
        return found

    def _row(
        self, attempt_id: str, tasks: Sequence[int], where: float, sent: float, began: float, ended: float, init: float
    ) -> None:
        if len(self.invocations) >= _ROWS_KEPT * WIDTH:
            return
        if tasks and tasks[-1] - tasks[0] + 1 != len(tasks):
            self.scattered[len(self.invocations) // WIDTH] = tuple(tasks)
        attempt = float(attempt_id) if attempt_id.isdigit() else 0.0
        self.invocations.extend((attempt, tasks[0] if tasks else 0, len(tasks), where, sent, began, ended, init))

    def reach(self, count: int) -> None:
        """Make room for so many tasks, if there is not."""
        more = count - len(self.states)
        if more > 0:
            self._changed.append([len(self.states), count])
            self.states += bytes(more)
            self.seconds.extend(array("f", bytes(4 * more)))
            self.counts[TaskState.WAITING] += more

    def _set(self, task: int, state: int) -> None:
        # One task at a time is what a large job does most: this is its price.
        if task >= len(self.states):
            self.reach(task + 1)
        counts, changed = self.counts, self._changed
        counts[self.states[task]] -= 1
        counts[state] += 1
        self.states[task] = state
        if changed and changed[-1][1] == task:
            changed[-1][1] = task + 1
        else:
            changed.append([task, task + 1])

    def _move(self, tasks: Sequence[int], state: TaskState) -> None:
        if len(tasks) == 1:
            self._set(tasks[0], int(state))
            return
        if not tasks:
            return
        first, after = tasks[0], tasks[-1] + 1
        if after - first != len(tasks):
            for task in tasks:
                self._set(task, int(state))
            return
        self.reach(after)
        before = self.states[first:after]
        for known in TaskState:
            self.counts[known] -= before.count(known)
        self.counts[state] += len(tasks)
        self.states[first:after] = bytes((state,)) * len(tasks)
        self._changed.append([first, after])


def _merged(ranges: list[list[int]]) -> list[list[int]]:
    """Join ranges that touch or overlap; they come back in order."""
    merged: list[list[int]] = []
    for first, after in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], after)
        else:
            merged.append([first, after])
    return merged
