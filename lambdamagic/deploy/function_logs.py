"""A function's logs in CloudWatch Logs, of any age: all of them, or what one job or task left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.proxies import is_loopback
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.functions import bare_name, describe_function
from lambdamagic.errors import FunctionMissingError
from lambdamagic.protocol.joblog import JOB_LINE

#: How much later than others an event may be found: environments deliver their lines in separate batches.
_LATE_MS = 60_000
_REQUEST = re.compile(r"RequestId: ([0-9a-f-]{36})")
_REPORT = re.compile("(INIT_)?REPORT ")
_FAILED = re.compile("\\bStatus: (error|timeout)")
_FRAME = re.compile("INIT_START |START |END |(INIT_)?REPORT ")
_SAID_CHARS = 1_000


@dataclass(frozen=True)
class LogLine:
    """One event of a log.

    Attributes:
        at: When, in seconds since the epoch.
        stream: The execution environment's log stream.
        text: What was logged.
        request_id: The invocation that it belongs to, where that is known.
        job_id: The job that it belongs to, where that is known.
    """

    at: float
    stream: str
    text: str
    request_id: str = ""
    job_id: str = ""


class FunctionLogs:
    """The log of one function.

    Args:
        access: The account.
        group: Its log group.
        clock: The time.

    Attributes:
        group: Its log group.
    """

    def __init__(self, access: AwsAccess, group: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.group = group
        self._access, self._clock = access, clock

    @classmethod
    def of(cls, access: AwsAccess, function: str, *, clock: Clock = SYSTEM_CLOCK) -> FunctionLogs:
        """Return a function's log, which is in the log group that its configuration names.

        Raises:
            FunctionMissingError: There is no such function.
            TargetError: It cannot be looked at.
        """
        configuration = describe_function(access, function).configuration
        logging = configuration.get("LoggingConfig") or {}
        return cls(access, str(logging.get("LogGroup") or f"/aws/lambda/{bare_name(function)}"), clock=clock)

    def read(self, *, since_s: float, job: str = "", task: int | None = None) -> list[LogLine]:
        """Return lines of the last `since_s` seconds, the oldest first.

        Args:
            since_s: How far back.
            job: Only this job's; an id, or the beginning or end of one.
            task: Only invocations that carried this task of the job, counted from 0.

        Raises:
            FunctionMissingError: There is no such log group: nothing has run yet.
        """
        with client(self._access, "logs") as logs:
            found = self._fetch(logs, self._ms_ago(since_s), {})
        return list(_of_job(found, job, task))

    def failed_starts(self, *, since_s: float) -> str:
        """Return the log of environments that fail before they receive a job; empty unless the latest two did.

        Args:
            since_s: How far back.

        Raises:
            LambdaMagicError: The log cannot be read.
        """
        found = self.read(since_s=since_s)
        reports = [line for line in found if _REPORT.match(line.text)]
        if len(reports) < 2 or not all(_FAILED.search(line.text) and not line.job_id for line in reports[-2:]):
            return ""
        last = reports[-1]
        # INIT writes before START, where no invocation is known yet; each of its tries says the same.
        before = [line for line in found if line.stream == last.stream and not line.job_id]
        said = dict.fromkeys(line.text for line in before if not _FRAME.match(line.text))
        return "\n".join(said)[-_SAID_CHARS:] or last.text

    def follow(
        self, *, since_s: float, job: str = "", task: int | None = None, is_over: Callable[[], bool] = lambda: False
    ) -> Iterator[LogLine]:
        """Yield lines as they come, until the caller stops.

        Args:
            since_s: How far back the first lines are.
            job: See `read`.
            task: See `read`.
            is_over: Asked before each look; ends this.
        """
        begin_ms, seen = self._ms_ago(since_s), dict[str, int]()
        assign = _Assigner()
        # One client: a Ctrl-C that comes while objects are taken down is lost, and each client takes many with it.
        with client(self._access, "logs") as logs:
            while not is_over():
                for line in assign(self._fetch(logs, begin_ms, seen)):
                    if assign.wants(line, job, task):
                        yield line
                begin_ms = max([begin_ms, *(at_ms - _LATE_MS for at_ms in seen.values())])
                seen = {event: at_ms for event, at_ms in seen.items() if at_ms >= begin_ms}
                self._clock.sleep(0.2 if is_loopback(self._access.endpoint_url or "") else 2.0)

    def _ms_ago(self, seconds: float) -> int:
        return int((self._clock.time() - seconds) * 1000)

    def _fetch(self, logs: Any, begin_ms: int, seen: dict[str, int]) -> list[LogLine]:
        """Return the events since a moment that were not seen before, and note them with their times."""
        from botocore.exceptions import ClientError

        lines = []
        with explained(f"read the log {self.group}"):
            try:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=self.group, startTime=begin_ms)
                for page in pages:
                    for event in page["events"]:
                        if event["eventId"] not in seen:
                            seen[event["eventId"]] = event["timestamp"]
                            text = event["message"].rstrip("\n")
                            lines.append(LogLine(event["timestamp"] / 1000, event["logStreamName"], text))
            except ClientError as error:
                if is_code(error, "ResourceNotFoundException"):
                    raise FunctionMissingError(
                        f"no log group {self.group}: no cell has run yet, or it was deleted",
                        hint="Run a cell first, or choose another function from `lambdamagic list`",
                    ) from error
                raise
        return sorted(lines, key=lambda line: line.at)  # stable: within a stream the order stays


class _Assigner:
    """Finds out which invocation, and which job, a line belongs to: an environment runs one at a time."""

    def __init__(self) -> None:
        self._request: dict[str, str] = {}
        self._job: dict[str, tuple[str, int, int]] = {}

    def __call__(self, lines: list[LogLine]) -> Iterator[LogLine]:
        # A job names itself after START, so lines are held back until the job of their invocation is known.
        found = [self._one(line) for line in lines]
        jobs = {line.request_id: line.job_id for line in found if line.job_id}
        for line in found:
            job_id = line.job_id or jobs.get(line.request_id, "")
            yield LogLine(line.at, line.stream, line.text, line.request_id, job_id)

    def _one(self, line: LogLine) -> LogLine:
        if line.text.startswith("START RequestId"):
            match = _REQUEST.search(line.text)
            self._request[line.stream] = match[1] if match else ""
        request_id = self._request.get(line.stream, "")
        named = JOB_LINE.search(line.text)
        if named:
            self._job[request_id] = (named["job"], int(named["first"]), int(named["last"]))
        return LogLine(line.at, line.stream, line.text, request_id, self._job.get(request_id, ("", 0, 0))[0])

    def wants(self, line: LogLine, job: str, task: int | None) -> bool:
        if not job:
            return True
        if not line.job_id or not (line.job_id.startswith(job) or line.job_id.endswith(job)):
            return False
        _, first, last = self._job.get(line.request_id, ("", 0, -1))
        return task is None or first <= task <= last


def _of_job(lines: list[LogLine], job: str, task: int | None) -> Iterator[LogLine]:
    assign = _Assigner()
    return (line for line in [*assign(lines)] if assign.wants(line, job, task))
