"""What a job of any age left in CloudWatch Logs, found by this user's history."""

from __future__ import annotations

from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.function_logs import FunctionLogs, LogLine
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.history import History, JobNote

_BEFORE_S = 120.0  # clocks differ


def logs_of_job(job: str, *, now: float, function: str | None = None, **where: Any) -> list[LogLine]:
    """Return the lines that a job left in the log of its function.

    Args:
        job: Its id, or the beginning or end of one.
        now: The time, in seconds since the epoch.
        function: Where to look if the history does not say.
        **where: `region`, `profile` and `endpoint_url`, likewise.

    Raises:
        JobMissingError: The history does not know the job, and no function is named; or it ran on an embedded Lambda.
        FunctionMissingError: The function or its log is gone.
        TargetError: The log cannot be read.
    """
    note = find_job(job)
    if note is not None and note.where.get("target") == "local":
        raise JobMissingError(f"job {note.job_id} ran on an embedded Lambda, whose logs were deleted when it ended")
    if note is None and function is None:
        raise JobMissingError(f"no job {job!r}", hint="`%lambda jobs --all` lists your jobs")
    place = {**where, **(note.where if note is not None else {})}
    name = str(place.get("function") or function)
    access = AwsAccess(**{key: place.get(key) for key in ("region", "profile", "endpoint_url")})
    since_s = now - note.started_at + _BEFORE_S if note is not None else 7 * 86_400.0
    return FunctionLogs.of(access, name).read(since_s=since_s, job=note.job_id if note is not None else job)


def find_job(job: str) -> JobNote | None:
    """Return the job history's note of a job: the latest that matches, or None.

    Args:
        job: Its id, or the beginning or end of one.
    """
    return next((note for note in History().all() if note.job_id.startswith(job) or note.job_id.endswith(job)), None)
