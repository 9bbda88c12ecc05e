"""The output of running invocations, read from the function's log.

An invocation's answer brings all that it printed, in its order; until then only the log has it. It is read for a view
that is displayed, of a job without news for a while, and never for more than a twentieth of the time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambdamagic.clock import SystemClock
from lambdamagic.errors import FunctionMissingError
from lambdamagic.protocol.joblog import DISPLAYS_BEGIN, JOB_LINE, read_displays
from lambdamagic.widgets.actions import OutputLog
from lambdamagic.widgets.showing import SHOWN_LINES

if TYPE_CHECKING:
    from lambdamagic.deploy.function_logs import FunctionLogs, LogLine

#: A job that brings answers needs no log.
QUIET_S = 2.0
#: Between two looks at least: CloudWatch Logs takes five FilterLogEvents a second of an account in a Region (AWS
#: Knowledge Center, "How do I determine throttling in my CloudWatch logs?"), which others need too.
_EVERY_S = 2.0
#: A look that takes long is followed by a rest of so many times as long.
_REST = 20
_LOG_WAIT_S = 3.0
_INVOCATIONS, _LINES, _CHARS = 8, 60, 6_000


@dataclass
class _Invocation:
    """A running invocation: a label of its tasks, and its latest output."""

    head: str
    prefix: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))

    def excerpt(self, most_chars: int) -> str:
        text = "\n".join(line.rstrip("\r") for line in self.lines)
        return self.head + (text if len(text) <= most_chars else "…" + text[-most_chars:])

    def latest(self, most: int) -> list[str]:
        return [f"{self.prefix}{line.rstrip()}" for line in list(self.lines)[-most:]]


class LiveOutput:
    """Follows the log of one job, in a separate thread from its first quiet moment on.

    Args:
        job_id: The job.
        log: Where the output is shown.
        open_logs: Returns the function's log, read by the clock that is given; blocks.
        is_single: Whether it is one task, whose lines need no heading.
        is_prefixed: Whether a line begins with the number of its task, as a program shows it at the task's end; the
            latest lines of each invocation are shown then.
    """

    def __init__(
        self,
        job_id: str,
        log: OutputLog,
        open_logs: Callable[[SystemClock], FunctionLogs],
        *,
        is_single: bool = False,
        is_prefixed: bool = False,
    ) -> None:
        self._job_id, self._log, self._open_logs, self._is_single = job_id, log, open_logs, is_single
        self._is_prefixed = is_prefixed
        self._clock = _Pace(self._is_wanted, self._show)
        self._lock = threading.Lock()
        self._running: OrderedDict[str, _Invocation] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._answered: set[str] = set()

    def arrived(self, request_id: str) -> None:
        """Note that an answer came, with all that its invocation printed.

        Args:
            request_id: AWS's id of the invocation; empty for an event, whose end is in the log.
        """
        self._clock.moved_at = self._clock.monotonic()
        self._answered.add(request_id)
        if self._running:
            with self._lock:
                self._running.pop(request_id, None)
                self._log.now = self._excerpt() if request_id else ""

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

    def left_behind(self, wait_s: float = _LOG_WAIT_S) -> str:
        """Return the output of invocations that did not answer, as far as the log has it.

        Args:
            wait_s: For how long the log may take: who has stopped a job waits for this.
        """
        since_s = self._clock.monotonic() - self._clock.began + _EVERY_S
        left = LiveOutput(self._job_id, OutputLog(), self._open_logs, is_single=self._is_single)

        def read() -> None:
            try:
                for line in self._open_logs(SystemClock()).read(since_s=since_s, job=self._job_id):
                    if line.request_id not in self._answered and not _is_end(line):
                        left._take(line)
            except Exception:  # noqa: BLE001, S110  # the log is a second way to what was printed, and may be closed
                pass

        reading = threading.Thread(target=read, name="lambdamagic-output", daemon=True)
        reading.start()
        reading.join(wait_s)
        with left._lock:
            excerpt = left._excerpt()
        return excerpt + "\n" if excerpt and not excerpt.endswith("\n") else excerpt

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
        except Exception as error:  # noqa: BLE001  # a view that cannot show something says so, and the job continues
            with self._lock:
                self._log.now = "" if self._clock.stopped.is_set() else f"Cannot follow the output: {error}"

    def _read(self, logs: FunctionLogs) -> None:
        stopped = self._clock.stopped
        since_s = self._clock.monotonic() - self._clock.began + _EVERY_S
        for line in logs.follow(since_s=since_s, job=self._job_id, is_over=stopped.is_set):
            with self._lock:
                if stopped.is_set():
                    return
                self._take(line)

    def _show(self) -> None:
        with self._lock:
            if not self._clock.stopped.is_set():
                self._log.now = self._excerpt()

    def _take(self, line: LogLine) -> None:
        if _is_end(line):
            self._running.pop(line.request_id, None)
            return
        named = JOB_LINE.search(line.text)
        if named:
            first, last = int(named["first"]) + 1, int(named["last"]) + 1
            head = f"── item {first:,}\n" if first == last else f"── items {first:,} to {last:,}\n"
            prefix = f"[task {first - 1}] " if first == last else f"[tasks {first - 1}-{last - 1}] "
            self._running[line.request_id] = _Invocation("" if self._is_single else head, prefix)
            while len(self._running) > _INVOCATIONS:
                self._running.popitem(last=False)
        elif line.text.startswith(DISPLAYS_BEGIN):
            self._take_displays(line.text)
        elif line.request_id in self._running:
            lines = self._running[line.request_id].lines
            if lines and lines[-1].endswith("\r"):
                lines.pop()  # a line that replaces itself, as a progress bar does
            lines.append(line.text)

    def _take_displays(self, text: str) -> None:
        found = read_displays(text)
        if self._is_single and found is not None:  # else it was cut by the log; the next line has them all
            self._log.displays = found

    def _excerpt(self) -> str:
        running = [each for each in self._running.values() if each.lines]
        if self._is_prefixed:
            return "\n".join(line for each in running for line in each.latest(max(1, SHOWN_LINES // len(running))))
        return "\n".join(each.excerpt(_CHARS // len(running)) for each in running)


def _is_end(line: LogLine) -> bool:
    """Whether a line is Lambda's END or REPORT line of an invocation."""
    return line.text.startswith((f"END RequestId: {line.request_id}", f"REPORT RequestId: {line.request_id}"))


class _Pace(SystemClock):
    """Lets the log be read when it is wanted, and seldom where that takes long."""

    def __init__(self, is_wanted: Callable[[], bool], show: Callable[[], None]) -> None:
        self._is_wanted, self._show = is_wanted, show
        self.stopped = threading.Event()
        self.began = self.moved_at = self._woke = self.monotonic()
        self._has_looked = False

    def look_begins(self) -> None:
        """Take the time of a look from here."""
        self._woke = self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Show what a look has found, and rest until the next is wanted."""
        self._show()
        # The first look makes a client, which takes as long as many looks.
        took_s = self.monotonic() - self._woke if self._has_looked else 0.0
        self._has_looked = True
        self.stopped.wait(max(seconds, _EVERY_S, _REST * took_s))
        while not self._is_wanted() and not self.stopped.wait(_EVERY_S / 4):
            pass
        self.look_begins()
