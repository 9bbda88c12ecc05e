"""Every task of a job, and the changes since the last request."""

from __future__ import annotations

import random

import pytest

from lambdamagic import events
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.task_grid import UNDER_WAY, WIDTH, Changes, InvocationRow, TaskGrid, TaskState
from tests.widgets.jobs import JOB, START, ended, outcome, over, sent, started


class Copy:
    """What a page knows: made from changes alone."""

    def __init__(self) -> None:
        self.states = bytearray()
        self.seconds: dict[int, float] = {}
        self.rows: list[InvocationRow] = []

    def apply(self, changes: Changes) -> None:
        if changes.is_full:
            self.__init__()  # type: ignore[misc]
        states, seconds = iter(changes.states), iter(changes.seconds)
        for first, count in zip(changes.ranges[::2], changes.ranges[1::2], strict=True):
            self.states += bytes(max(0, first + count - len(self.states)))
            for task in range(first, first + count):
                self.states[task] = state = next(states)
                if state in (TaskState.DONE, TaskState.FAILED):
                    self.seconds[task] = next(seconds)
        assert next(states, None) is None
        assert next(seconds, None) is None
        flat = changes.invocations
        self.rows += [InvocationRow(*flat[at : at + WIDTH]) for at in range(0, len(flat), WIDTH)]


def _happens(rng: random.Random, count: int) -> list[events.Event]:
    """A job in which tasks run in chunks, fail, are throttled and are retried, in a random order."""
    happened: list[events.Event] = [started(count)]
    waiting, attempt = [tuple(range(n, min(count, n + 7))) for n in range(0, count, 7)], 0
    while waiting:
        tasks = waiting.pop(rng.randrange(len(waiting)))
        attempt += 1
        name = f"{attempt:06d}"
        happened.append(sent(name, *tasks))
        match rng.randrange(6):
            case 0:
                happened.append(events.InvocationThrottled(JOB, name, tasks, 0.1, START + 2))
                waiting.append(tasks)
            case 1 if len(tasks) > 1:
                happened.append(events.InvocationRetried(JOB, name, tasks, "died", True, 0.1, START + 2))
                waiting += [tasks[:3], tasks[3:]] if len(tasks) > 3 else [tasks]
            case _:
                happened.append(ended(name, *tasks))
                happened += [outcome(task, "E" if rng.random() < 0.2 else "") for task in tasks]
    return [*happened, over()]


@pytest.mark.parametrize("seed", range(5))
def test_differences_make_up_the_whole(seed: int) -> None:
    """Whenever a page asks, what it has put together from differences is what the table holds."""
    rng = random.Random(seed)
    listener, copy, rows = ProgressListener(), Copy(), 0
    for event in _happens(rng, 300):
        listener(event)
        if rng.random() < 0.15:
            full = rng.random() < 0.05
            changes = listener.take_changes(rows_from=rows, full=full, most_rows=5)
            rows = len(changes.invocations) // WIDTH + (0 if full else rows)
            copy.apply(changes)
            assert copy.states == listener.tasks().states
    copy.apply(listener.take_changes(rows_from=rows))
    table = listener.tasks()
    assert copy.states == table.states
    assert len(copy.rows) * WIDTH == len(table.invocations)
    assert copy.seconds == {
        task: 0.5 for task, state in enumerate(table.states) if state in (TaskState.DONE, TaskState.FAILED)
    }


def test_counts_are_those_of_the_states() -> None:
    """However tasks came to where they are, the counts agree with a count."""
    listener = ProgressListener()
    for event in _happens(random.Random(9), 200):
        listener(event)
        table = listener.tasks()
        assert table.counts == [table.states.count(state) for state in TaskState]


def test_an_invocation_is_placed_in_time() -> None:
    """Sent, begun after its way and its cold start, ended; in seconds since the job's start."""
    table = TaskGrid()
    table.started(started())
    table.sent(sent("000001", 0, 1))
    assert table.invocations[3] == UNDER_WAY
    table.answered(ended("000001", 0, 1, is_cold=True))
    ((row, tasks),) = table.rows()
    assert list(tasks) == [0, 1]
    assert (row.attempt, row.first, row.tasks, row.environment) == (1, 0, 2, 0)
    assert (row.sent, row.ended) == (1, 3)
    assert row.began == pytest.approx(1.6)
    assert row.init == pytest.approx(0.1)


def test_at_the_end_tasks_without_an_outcome_have_not_run() -> None:
    """A cancelled job shows what was never run, and nothing runs any more."""
    listener = ProgressListener()
    for event in (started(6), sent("a", 0, 1, 2), outcome(0), outcome(1, "E"), over("cancelled")):
        listener(event)
    n = TaskState.NOT_RUN
    assert list(listener.tasks().states) == [TaskState.DONE, TaskState.FAILED, n, n, n, n]
    assert listener.snapshot().running == 0


def test_a_job_may_grow() -> None:
    """Where the number of tasks is not known beforehand, there is room for each that comes; they need no order."""
    listener = ProgressListener()
    for event in (started(None), sent("a", 4, 2), outcome(4), outcome(9)):
        listener(event)
    w, r, d = TaskState.WAITING, TaskState.RUNNING, TaskState.DONE
    assert list(listener.tasks().states) == [w, w, r, w, d, w, w, w, w, d]


def test_messages_without_number_are_counted_by_type() -> None:
    """Ten thousand different messages neither fill the memory nor lose a failure."""
    listener = ProgressListener()
    listener(started(10_000))
    for task in range(10_000):
        listener(outcome(task, f"ValueError: row {task}"))
    errors = listener.snapshot().errors
    assert len(errors) <= 501
    assert sum(errors.values()) == 10_000
    assert errors["ValueError: (other messages)"] == 9_500


def test_tasks_of_an_invocation_need_not_follow_one_another() -> None:
    """A view knows all of them, whichever part of the rows it asks for."""
    listener = ProgressListener()
    for event in (started(9), sent("1", 0, 1), ended("1", 0, 1), sent("2", 2, 5, 8), ended("2", 2, 5, 8)):
        listener(event)
    assert [list(tasks) for _, tasks in listener.tasks().rows()] == [[0, 1], [2, 5, 8]]
    assert listener.take_changes(full=True).scattered == {2: (2, 5, 8), 3: (2, 5, 8)}
    assert listener.take_changes(rows_from=3).scattered == {0: (2, 5, 8)}
