"""Details of tasks for a job's view: kept while the job runs, sent when the user clicks.

Little is kept of each arrival and nothing is rendered beforehand, so that a job of 100,000 tasks pays for what is
looked at only.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from lambdamagic.jobs.job import Arrival
from lambdamagic.magics.remote_errors import without_our_frames
from lambdamagic.protocol.report import Report
from lambdamagic.runs.tasks import NOT_RUN, UNREAD, TaskTable
from lambdamagic.widgets import text
from lambdamagic.widgets.actions import OutputLog, Printed, TaskDetail
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.task_grid import TaskState

#: Invocations whose ids are kept, the latest.
_KEPT = 20_000
_OUTPUT, _TRACEBACK = 20_000, 20_000
_CODE = re.compile(r'^  File "([^"]+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True)
class _Answer:
    tasks: tuple[int, ...]
    request_id: str
    report: Report | None
    errors: dict[int, str]


class JobDetails:
    """Details of one job's tasks in addition to their states. Written by the waiting thread, read by any.

    Args:
        listener: Knows the tasks' states and run times.
        table: What its tasks gave.
    """

    def __init__(self, listener: ProgressListener, table: TaskTable) -> None:
        self.log = OutputLog()
        self._listener, self._table = listener, table
        self._answers: deque[_Answer] = deque(maxlen=_KEPT)
        self.function = ""

    def took(self, arrival: Arrival) -> None:
        """Record an arrival."""
        tasks = arrival.unit.tasks
        self._answers.append(_Answer(tasks, arrival.request_id, arrival.report, _errors(arrival)))
        for entry in arrival.outputs:
            if entry.get("stream"):
                place = entry.get("task")
                if place is None or place >= len(tasks):
                    self.log.add(Printed(tasks[0], len(tasks), entry["stream"], text.as_seen(entry["text"])))
                else:
                    self.log.add(Printed(tasks[place], 1, entry["stream"], text.as_seen(entry["text"])))

    def describe(self, task: int) -> TaskDetail:
        """Return the details of one task."""
        answer = next((kept for kept in reversed(list(self._answers)) if task in kept.tasks), None)
        outcome, state = self._table.outcome(task), self._state(task)
        error = outcome if state is TaskState.FAILED else None
        request_id = answer.request_id if answer is not None else ""
        return TaskDetail(
            argument=self._table.argument_text(task),
            output=self.log.of_task(task, _OUTPUT),
            traceback=self._trace(task, answer, error),
            result=self._table.outcome_text(task) if state is TaskState.DONE else "",
            request_id=request_id,
            report="" if answer is None or answer.report is None else _report(answer.report),
            log_query=self._log_query(request_id) if request_id else "",
        )

    def results_csv(self) -> str:
        """Return a line for each task; see `TaskTable.to_csv`."""
        tasks = self._listener.tasks()
        return self._table.to_csv(
            [TaskState(number).name.lower().replace("_", " ") for number in tasks.states], tasks.seconds
        )

    def _trace(self, task: int, answer: _Answer | None, error: Any) -> str:
        if error is NOT_RUN:
            line = "" if answer is None else answer.errors.get(task, "")
            return f"{line}\nTraceback {UNREAD}".lstrip()
        return _traceback(error) if isinstance(error, BaseException) else ""

    def _state(self, task: int) -> TaskState:
        states = self._listener.tasks().states
        return TaskState(states[task]) if task < len(states) else TaskState.WAITING

    def _log_query(self, request_id: str) -> str:
        return (
            f"# CloudWatch Logs Insights, log group /aws/lambda/{self.function}\n"
            f'fields @timestamp, @message | filter @requestId = "{request_id}" | sort @timestamp asc | limit 1000'
        )


def _errors(arrival: Arrival) -> dict[int, str]:
    tasks = arrival.unit.tasks
    if arrival.error is not None:
        return dict.fromkeys(tasks, f"{type(arrival.error).__name__}: {arrival.error}")
    parts = arrival.response.tasks if arrival.response is not None else []
    return {number: task.error for number, task in zip(tasks, parts, strict=False) if task.error}


def _traceback(error: BaseException) -> str:
    lines = _CODE.sub(_named, without_our_frames(error))
    return lines if len(lines) <= _TRACEBACK else "…" + lines[-_TRACEBACK:]


def _named(place: re.Match[str]) -> str:
    """Name a cell as IPython does in its tracebacks; its code is in a file that no person knows."""
    from IPython import get_ipython

    shell = get_ipython()
    name = None if shell is None else shell.compile.format_code_name(place[1])
    return place[0] if name is None else f"  {' '.join(name)}, line {place[2]}"


def _report(report: Report) -> str:
    parts = [f"billed {text.duration(report.billed_ms / 1000)}"]
    if report.init_ms:
        parts.append(f"cold start {text.duration(report.init_ms / 1000)}")
    parts.append(f"peak {report.peak_memory_mb:,} of {report.memory_mb:,} MB")
    return ", ".join(parts)
