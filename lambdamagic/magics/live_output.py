"""What a job's invocations have printed so far, read from the function's log while they run.

An invocation's answer brings all that it printed, in its order; until then only the log has it. It is read for a view
that somebody looks at, of a job that has brought nothing for a while, and never for more than a twentieth of the time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from lambdamagic.clock import SystemClock
from lambdamagic.deploy.logs import FunctionLogs, LogLine
from lambdamagic.errors import FunctionMissingError
from lambdamagic.protocol.joblog import JOB_LINE
from lambdamagic.widgets.actions import OutputLog

#: A job that brings answers needs no log.
QUIET_S = 2.0
#: Between two looks at least: CloudWatch Logs takes five FilterLogEvents a second of an account ("CloudWatch Logs
#: quotas"), which others need too.
_EVERY_S = 2.0
#: A look that takes long is followed by a rest of so many times as long.
_REST = 20
_INVOCATIONS, _LINES, _CHARS = 8, 60, 6_000
#: What Lambda itself writes ("Lambda log levels and event messages", AWS Lambda Developer Guide).
_LAMBDAS_OWN = re.compile(r"^(START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT) ")


class LiveOutput:
    """Follows the log of one job, in a thread of its own from its first quiet moment on.

    Args:
        job_id: The job.
        log: Where what runs is shown.
        open_logs: Returns the function's log, read by the clock that is given; blocks.
    """

    def __init__(self, job_id: str, log: OutputLog, open_logs: Callable[[SystemClock], FunctionLogs]) -> None:
        self._job_id, self._log, self._open_logs = job_id, log, open_logs
        self._clock = _Pace(self._is_wanted)
        self._lock = threading.Lock()
        self._running: OrderedDict[str, deque[str]] = OrderedDict()
        self._thread: threading.Thread | None = None

    def arrived(self, request_id: str) -> None:
        """Note that an answer came, with all that its invocation printed.

        Args:
            request_id: AWS's id of the invocation; empty for an event, whose end the log tells.
        """
        self._clock.moved_at = self._clock.monotonic()
        if self._running:
            with self._lock:
                self._running.pop(request_id, None)
                self._log.now = self._told() if request_id else ""

    def tick(self) -> None:
        """Begin, if there is reason to; called often."""
        if self._thread is None and self._is_wanted():
            self._thread = threading.Thread(target=self._follow, name="lambdamagic-output", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; what was shown as printed so far is in the answers."""
        with self._lock:
            self._clock.stopped.set()
            self._log.now = ""

    def _is_wanted(self) -> bool:
        return self._log.is_watched and self._clock.monotonic() - self._clock.moved_at >= QUIET_S

    def _follow(self) -> None:
        try:
            logs = self._open_logs(self._clock)
            while not self._clock.stopped.is_set():
                self._clock.look_begins()
                try:
                    self._read(logs)
                except FunctionMissingError:
                    self._clock.sleep(0)  # a function that never ran has no log yet
        except Exception as error:  # noqa: BLE001  # a view that cannot tell something says so, and the job goes on
            with self._lock:
                self._log.now = "" if self._clock.stopped.is_set() else f"What runs cannot be followed: {error}"

    def _read(self, logs: FunctionLogs) -> None:
        stopped = self._clock.stopped
        since_s = self._clock.monotonic() - self._clock.began + _EVERY_S
        for line in logs.follow(since_s=since_s, job=self._job_id, is_over=stopped.is_set):
            with self._lock:
                if stopped.is_set():
                    return
                self._take(line)
                self._log.now = self._told()

    def _take(self, line: LogLine) -> None:
        if line.text.startswith(("END ", "REPORT ")):
            self._running.pop(line.request_id, None)
            return
        named = JOB_LINE.search(line.text)
        if named:
            first, last = named["first"], named["last"]
            head = f"── task {first}" if first == last else f"── tasks {first} to {last}"
            self._running[line.request_id] = deque([head], maxlen=_LINES)
            while len(self._running) > _INVOCATIONS:
                self._running.popitem(last=False)
        elif line.request_id in self._running and not _LAMBDAS_OWN.match(line.text):
            lines = self._running[line.request_id]
            if len(lines) == _LINES:
                del lines[1]  # the first says whose they are
            lines.append(line.text)

    def _told(self) -> str:
        running = [lines for lines in self._running.values() if len(lines) > 1]
        each = _CHARS // max(1, len(running))
        return "\n".join(_end_of(list(lines), each) for lines in running)


def _end_of(lines: list[str], most_chars: int) -> str:
    """Return the head and as much of the end as there is room for."""
    text = "\n".join(lines[1:])
    return f"{lines[0]}\n{text if len(text) <= most_chars else '…' + text[-most_chars:]}"


class _Pace(SystemClock):
    """Lets the log be read when it is wanted, and seldom where that takes long."""

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        self._is_wanted = is_wanted
        self.stopped = threading.Event()
        self.began = self.moved_at = self._woke = self.monotonic()

    def look_begins(self) -> None:
        """Take the time of a look from here."""
        self._woke = self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Rest after a look until the next is wanted."""
        took_s = self.monotonic() - self._woke
        self.stopped.wait(max(seconds, _EVERY_S, _REST * took_s))
        while not self._is_wanted() and not self.stopped.wait(_EVERY_S / 4):
            pass
        self.look_begins()
