"""Cancel jobs of other processes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lambdamagic.api import process
from lambdamagic.api.options import read_options
from lambdamagic.errors import JobMissingError
from lambdamagic.jobs.history import History
from lambdamagic.walks import names


@dataclass(frozen=True)
class Cancelling:
    """What is known about a job that is being cancelled.

    Attributes:
        state: The state that it was in, or `unknown`: this machine's history has no such job, which may be one of
            another machine, one of mode `sync` that still runs (it is written down at its end), or a misspelt id.
        bucket: Where the sign to stop was left; empty if the job has no bucket.
        like: The nearest id in the history, where the one that was given is not in it; empty if none is near.
    """

    state: str
    bucket: str
    like: str = ""


def cancel_job(job_id: str, **options: Any) -> Cancelling:
    """Create the object that makes a job's running tasks stop, wherever its client is.

    Tasks look for the sign about every second, and those that its client still sends stop when they see it.

    Args:
        job_id: The job's id.
        **options: As for `LambdaExecutor`; they go before where the history says that the job ran.

    Raises:
        JobMissingError: This user's history does not know the job, and no options say where it ran; or it ran on an
            embedded Lambda that only its own client reaches.
        TargetError: The bucket cannot be written to.
    """
    history = History()
    note = history.read(job_id)
    like = ""
    if note is None:
        like = next(iter(get_close_matches(job_id, [each.job_id for each in history.all()], n=1, cutoff=0.8)), "")
        if not options.get("bucket"):
            raise JobMissingError(
                f"the job history on this machine has no job {job_id!r}",
                hint=(f"Did you mean {like}? " if like else "")
                + "`lambdamagic jobs` lists your jobs; for others set `function` and `bucket`",
            )
    where = dict(note.where) if note is not None else {}
    if where.get("target") == "local":
        raise JobMissingError(
            f"job {job_id} runs on an embedded Lambda that belongs to its own kernel",
            hint="Interrupt that kernel, or cancel the job there",
        )
    given = {**where, **{key: value for key, value in options.items() if value is not None}}
    read = read_options(given)
    stager = process.target(read.resolved.settings, read.access).stager
    if note is not None and note.is_graph:
        stager.required().put(names.graph_prefix(job_id) + names.CANCEL, [b"cancelled"])
    else:
        stager.mark_cancelled(job_id)
    return Cancelling("unknown" if note is None else note.state, read.resolved.settings.bucket or "", like)
