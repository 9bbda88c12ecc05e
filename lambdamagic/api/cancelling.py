"""Jobs of other processes, told to stop."""

from __future__ import annotations

from typing import Any

from lambdamagic.api import process
from lambdamagic.api.options import read_options
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.history import History


def cancel_job(job_id: str, **options: Any) -> str:
    """Leave the sign for a job's running tasks to stop, wherever its client is; return the state that it was in.

    Tasks look for the sign about every second, and those that its client still sends stop when they see it.

    Args:
        job_id: The job's id.
        **options: As for `LambdaExecutor`; they go before where the history says that the job ran.

    Raises:
        JobMissingError: This user's history does not know the job, and no options say where it ran; or it ran on an
            embedded Lambda that only its own client reaches.
        TargetError: The bucket cannot be written to.
    """
    note = History().read(job_id)
    if note is None and not options.get("bucket"):
        raise JobMissingError(
            f"the history of this user on this machine does not know job {job_id!r}",
            hint="`lambdamagic jobs` lists those that it knows; for others set the settings `function` and `bucket`",
        )
    where = dict(note.where) if note is not None else {}
    if where.get("target") == "local":
        raise JobMissingError(
            f"job {job_id} runs on an embedded Lambda that belongs to its own kernel",
            hint="Interrupt that kernel, or cancel the job there",
        )
    given = {**where, **{key: value for key, value in options.items() if value is not None}}
    process.target(read_options(given).resolved.settings, read_options(given).access).stager.tell_cancelled(job_id)
    return "stored" if note is None else note.state
