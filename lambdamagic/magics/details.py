"""What a job's view may ask for, task by task: kept while the job runs, told when somebody clicks.

Little is kept of each arrival and nothing is rendered beforehand, so that a job of 100,000 tasks pays for what is
looked at only.
"""

from __future__ import annotations

import csv
import io
import reprlib
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambdamagic.api.map_job import NOT_RUN
from lambdamagic.jobs.job import Arrival
from lambdamagic.magics.arrivals import outputs_of
from lambdamagic.protocol.report import Report
from lambdamagic.widgets import text
from lambdamagic.widgets.actions import OutputLog, Printed, TaskDetail
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.tasks import TaskState

#: Invocations whose ids are kept, the latest.
_KEPT = 20_000
_OUTPUT, _TRACEBACK = 20_000, 20_000
#: What a task gave is read in the main thread, while it runs no cell: until then it is not known what it is.
UNREAD = "(read as soon as no cell runs)"

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxlist = _short.maxtuple = _short.maxdict = 8


def short_repr(value: Any) -> str:
    """Return a repr of bounded length; a broken `__repr__` of the user's is no error here."""
    try:
        return _short.repr(value)
    except Exception as error:  # noqa: BLE001  # any __repr__ at all may run here
        return f"<{type(value).__name__}; its repr raised {type(error).__name__}>"


@dataclass(frozen=True)
class _Answer:
    tasks: tuple[int, ...]
    request_id: str
    report: Report | None
    errors: dict[int, str]


class JobDetails:
    """What is known of one job's tasks beside their states. Told by the thread that waits, asked by any.

    Args:
        listener: Knows the tasks' states and run times.
        outcome: Returns a task's value, its exception, or `NOT_RUN` while there is neither or it was not read.
        argument: Returns what a task is called with; None when that cannot be told.
    """

    def __init__(
        self,
        listener: ProgressListener,
        outcome: Callable[[int], Any],
        argument: Callable[[int], Any] | None = None,
    ) -> None:
        self.log = OutputLog()
        self._listener, self._outcome, self._argument = listener, outcome, argument
        self._answers: deque[_Answer] = deque(maxlen=_KEPT)
        self.function = ""

    def took(self, arrival: Arrival) -> None:
        """Take note of an arrival."""
        tasks = arrival.unit.tasks
        self._answers.append(_Answer(tasks, arrival.request_id, arrival.report, _errors(arrival)))
        for entry in outputs_of(arrival):
            if entry.get("stream"):
                place = entry.get("task")
                if place is None or place >= len(tasks):
                    self.log.add(Printed(tasks[0], len(tasks), entry["stream"], entry["text"]))
                else:
                    self.log.add(Printed(tasks[place], 1, entry["stream"], entry["text"]))

    def describe(self, task: int) -> TaskDetail:
        """Tell of one task."""
        answer = next((kept for kept in reversed(list(self._answers)) if task in kept.tasks), None)
        outcome, state = self._outcome(task), self._state(task)
        error = outcome if state is TaskState.FAILED else None
        request_id = answer.request_id if answer is not None else ""
        return TaskDetail(
            argument="" if self._argument is None else short_repr(self._argument(task)),
            output=self.log.of_task(task, _OUTPUT),
            traceback=self._trace(task, answer, error),
            result=_result(outcome) if state is TaskState.DONE else "",
            request_id=request_id,
            report="" if answer is None or answer.report is None else _report(answer.report),
            log_query=self._log_query(request_id) if request_id else "",
        )

    def results_csv(self) -> str:
        """Return a line for each task: number, state, run time in seconds, argument, result, error."""
        tasks = self._listener.tasks()
        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerow(("task", "state", "seconds", "argument", "result", "error"))
        for task, (number, seconds) in enumerate(zip(tasks.states, tasks.seconds, strict=True)):
            state, outcome = TaskState(number), self._outcome(task)
            failed = state is TaskState.FAILED
            writer.writerow(
                (
                    task,
                    state.name.lower().replace("_", " "),
                    f"{seconds:.6f}" if failed or state is TaskState.DONE else "",
                    "" if self._argument is None else short_repr(self._argument(task)),
                    _result(outcome) if state is TaskState.DONE else "",
                    _result(outcome) if failed else "",
                )
            )
        return written.getvalue()

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
    told = arrival.response.tasks if arrival.response is not None else []
    return {number: task.error for number, task in zip(tasks, told, strict=False) if task.error}


def _result(outcome: Any) -> str:
    return UNREAD if outcome is NOT_RUN else short_repr(outcome)


def _traceback(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error))
    return lines if len(lines) <= _TRACEBACK else "…" + lines[-_TRACEBACK:]


def _report(report: Report) -> str:
    told = [f"billed {text.duration(report.billed_ms / 1000)}"]
    if report.init_ms:
        told.append(f"cold start {text.duration(report.init_ms / 1000)}")
    told.append(f"peak {report.peak_memory_mb:,} of {report.memory_mb:,} MB")
    return ", ".join(told)
