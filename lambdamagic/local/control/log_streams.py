"""The log of every invocation: what the function wrote, between Lambda's own START, END and REPORT lines.

Nothing is formatted on the invocation's path. Records wait here and are written into moto's CloudWatch Logs
when that service gets a request, so a log is never missing and never costs an invocation time.
"""

from __future__ import annotations

import base64
import math
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdamagic.limits import AWS_LAMBDA

MAX_WAITING_BYTES = 32 * 1024 * 1024
MAX_OUTPUT_BYTES = 4 * 1024 * 1024  # of one invocation; a runaway print must not fill this process
_RECORD_OVERHEAD_BYTES = 500


@dataclass(frozen=True, slots=True)
class FailedInit:
    """An INIT that failed, or that did not end in time ("Failures during the Init phase").

    Attributes:
        began_at: Unix time, s.
        ms: How long it ran.
        phase: `init`, which is billed next to the invocation, or `invoke`, which is part of it.
        status: `timeout` or `error`.
        error_type: Follows a status of `error`.
        output: What it wrote.
    """

    began_at: float
    ms: float
    phase: str
    status: str
    error_type: str = ""
    output: bytes = b""

    @property
    def billed_ms(self) -> int:
        """What is billed for it that no REPORT line has."""
        return math.ceil(self.ms) if self.phase == "init" else 0

    def events(self, runtime: str) -> list[tuple[int, str]]:
        """Return its log events; see `InvocationLog.events`."""
        began = int(self.began_at * 1000)
        found = [(began, line) for line in _lines(self.output)]
        if self.phase == "init":
            found.insert(0, (began, f"INIT_START Runtime Version: {runtime}\t\n"))
        fields = [f"INIT_REPORT Init Duration: {self.ms:.2f} ms", f"Phase: {self.phase}", f"Status: {self.status}"]
        if self.error_type:
            fields.append(f"Error Type: {self.error_type}")
        found.append((began + int(self.ms), "\t".join(fields) + "\t\n"))
        return found


@dataclass(slots=True)
class InvocationLog:
    """One invocation's log, unformatted.

    Attributes:
        started_at: Unix time of START, s.
        duration_ms: From START to END.
        init_ms: Of the INIT that preceded it; None for a warm start, and where INIT was done again as part of it.
        failed_inits: Those that preceded it and failed.
        restore_ms: Of the snapshot's restore that preceded it; None without one.
        status: What REPORT adds: "", "timeout", or "error".
        error_type: Follows a status of "error".
        note: A line of Lambda's own between output and END, e.g. that the task timed out.
        delivered: How many of its events CloudWatch Logs has been given.
    """

    request_id: str
    version: str
    started_at: float
    output: bytes = b""
    init_output: bytes = b""
    duration_ms: float = 0.0
    memory_mb: int = 128
    peak_memory_mb: int = 0
    init_ms: float | None = None
    failed_inits: tuple[FailedInit, ...] = ()
    restore_ms: float | None = None
    status: str = ""
    error_type: str = ""
    note: str = ""
    runtime: str = ""
    delivered: int = 0

    def events_so_far(self) -> list[tuple[int, str]]:
        """Return the events of an invocation that runs: those with which `events` will begin."""
        output = self.output
        return self._begun(output[: output.rfind(b"\n") + 1])

    def events(self) -> list[tuple[int, str]]:
        """Return the log events: milliseconds of Unix time and text."""
        ended = int(self.started_at * 1000) + int(self.duration_ms)
        found = self._begun(self.output)
        if self.note:
            found.append((ended, self.note))
        found.append((ended, f"END RequestId: {self.request_id}\n"))
        found.append((ended, self.report()))
        return found

    def _begun(self, output: bytes) -> list[tuple[int, str]]:
        began = int(self.started_at * 1000)
        found: list[tuple[int, str]] = []
        for each in self.failed_inits:
            found += each.events(self.runtime)
        init_began = began - int(self.init_ms or 0)
        if self.init_ms is not None:
            found.append((init_began, f"INIT_START Runtime Version: {self.runtime}\t\n"))
        elif self.restore_ms is not None:
            init_began = began - int(self.restore_ms)
            found.append((init_began, f"RESTORE_START Runtime Version: {self.runtime}\t\n"))
        found.extend((init_began, line) for line in _lines(self.init_output))
        if self.restore_ms is not None:
            found.append((began, f"RESTORE_REPORT Restore Duration: {self.restore_ms:.2f} ms\t\n"))
        found.append((began, f"START RequestId: {self.request_id} Version: {self.version}\n"))
        found.extend((began, line) for line in _lines(output))
        return found

    @property
    def billed_ms(self) -> int:
        """What AWS bills: since August 2025 INIT too ("AWS Lambda standardizes billing for INIT Phase").

        Of a restore AWS bills what the runtime and hooks took, which is all that it consists of here.
        """
        return math.ceil(self.duration_ms + (self.init_ms or 0.0) + (self.restore_ms or 0.0))

    def report(self) -> str:
        """Return the REPORT line."""
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {self.memory_mb} MB",
            f"Max Memory Used: {self.peak_memory_mb} MB",
        ]
        if self.init_ms is not None:
            fields.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.restore_ms is not None:
            fields.append(f"Restore Duration: {self.restore_ms:.2f} ms")
            fields.append(f"Billed Restore Duration: {math.ceil(self.restore_ms)} ms")
        if self.status:
            fields.append(f"Status: {self.status}")
        if self.error_type:
            fields.append(f"Error Type: {self.error_type}")
        return "\t".join(fields) + "\t\n"

    def tail(self) -> str:
        """Return `X-Amz-Log-Result`: base64 of the last 4 KB."""
        text = "".join(line for _, line in self.events()).encode()
        return base64.b64encode(text[-AWS_LAMBDA.log_tail_bytes.most :]).decode()


def _lines(output: bytes) -> list[str]:
    # awslambdaric's plain log sink joins the lines of one error by "\r", so that they stay one event.
    # One at a line's end says that the next line takes its place.
    text = output.decode("utf-8", "replace")
    return [line[:-1].replace("\r", "\n") + line[-1] + "\n" for line in text.split("\n") if line]


def timeout_note(request_id: str, timeout_s: float, at: float) -> str:
    """Return the line that Lambda logs when it kills a task for its time."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return f"{stamp}Z {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where one environment's log goes."""

    function_name: str
    name: str

    @property
    def group(self) -> str:
        """The log group of the function."""
        return f"/aws/lambda/{self.function_name}"

    @classmethod
    def create(cls, function_name: str, version: str, now: float) -> LogStream:
        """Return a new stream, named as Lambda names them."""
        day = datetime.fromtimestamp(now, UTC).strftime("%Y/%m/%d")
        return cls(function_name, f"{day}/[{version}]{secrets.token_hex(16)}")


class LogBuffer:
    """Keeps records until CloudWatch Logs is asked. Appended to by the loop, emptied by moto's threads.

    Args:
        account_id: Whose log groups they are.
        region: Where these are.
        has_function: Returns in moto's threads whether there is a function of this name.
    """

    def __init__(self, *, account_id: str, region: str, has_function: Callable[[str], bool]) -> None:
        self._account_id = account_id
        self._region = region
        self._has_function = has_function
        self._waiting: deque[tuple[LogStream, InvocationLog]] = deque()
        self._waiting_bytes = 0
        self._running: dict[int, tuple[LogStream, InvocationLog]] = {}
        self._lock = threading.Lock()
        self.dropped = 0

    def begin(self, stream: LogStream, log: InvocationLog) -> None:
        """Let what an invocation has logged so far be seen while it runs."""
        self._running[id(log)] = stream, log

    def end(self, log: InvocationLog) -> None:
        """Note that an invocation no longer runs; `append` follows where it came to a result."""
        self._running.pop(id(log), None)

    def append(self, stream: LogStream, log: InvocationLog) -> None:
        """Keep one record; the oldest ones go when too many wait, as none was requested."""
        self._waiting.append((stream, log))
        self._waiting_bytes += len(log.output) + len(log.init_output) + _RECORD_OVERHEAD_BYTES
        while self._waiting_bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
            _, oldest = self._waiting.popleft()
            self._waiting_bytes -= len(oldest.output) + len(oldest.init_output) + _RECORD_OVERHEAD_BYTES
            self.dropped += 1

    def flush(self) -> None:
        """Write what waits into moto. Runs in a thread, before any request to CloudWatch Logs."""
        with self._lock:
            if not self._waiting and not self._running:
                return
            from moto.logs.models import logs_backends

            backend = logs_backends[self._account_id][self._region]
            while self._waiting:
                stream, log = self._waiting.popleft()
                self._waiting_bytes -= len(log.output) + len(log.init_output) + _RECORD_OVERHEAD_BYTES
                self._write(backend, stream, log, log.events())
            for stream, log in list(self._running.values()):
                self._write(backend, stream, log, log.events_so_far())

    def _write(self, backend: Any, stream: LogStream, log: InvocationLog, so_far: list[tuple[int, str]]) -> None:
        if stream.group not in backend.groups and not self._has_function(stream.function_name):
            return  # function and group were deleted while it ran: it must not bring the group back
        backend.ensure_log_group(stream.group)
        streams = backend.groups[stream.group].streams
        if stream.name not in streams:
            backend.create_log_stream(stream.group, stream.name)
        events = [{"timestamp": at, "message": text.rstrip("\n")} for at, text in so_far[log.delivered :]]
        if events:
            backend.put_log_events(stream.group, stream.name, events)
            log.delivered = len(so_far)
