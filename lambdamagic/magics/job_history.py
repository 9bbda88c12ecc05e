"""`%lambda jobs --all`: the jobs of this user's history and of the bucket."""

from __future__ import annotations

import time

from lambdamagic.api.attach import JobInfo, list_jobs
from lambdamagic.appearance import SIGNS, state_word
from lambdamagic.errors import LambdaMagicError
from lambdamagic.magics.session import Session
from lambdamagic.magics.tables import Table
from lambdamagic.widgets import text


def history_table(session: Session) -> Table:
    """Return the table; the bucket is asked only where jobs go to AWS, since the embedded one begins empty."""
    settings = session.settings().settings
    notes: list[str] = []
    with_bucket = settings.resolved_target() == "aws" and bool(settings.bucket)
    try:
        found = list_jobs(bucket=with_bucket)
    except LambdaMagicError as error:
        found = list_jobs()
        notes.append(f"Could not list the bucket: {error.message}")
    if not found:
        notes.append("No jobs yet.")
    elif any(info.is_attachable and info.state == "abandoned" for info in found):
        notes.append("%lambda attach JOB reattaches to an abandoned job: one whose kernel exited before its end.")
    columns = ("job", "what~", "state", "tasks>", "cost>", "began", "mode", "where")
    return Table("Jobs", columns, [_row(info) for info in found], notes)


def _row(info: JobInfo) -> tuple[str, ...]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.started_at)) if info.started_at else ""
    tasks = f"{info.done:,}/{info.task_count:,}" if info.task_count is not None else ""
    cost = text.money(info.cost_usd) if info.cost_usd else ""
    where = str(info.where.get("target", ""))
    return (
        info.job_id,
        info.label,
        f"{SIGNS.get(info.state, '?')} {state_word(info.state, failed=info.failed, count=info.task_count)}",
        tasks,
        cost,
        began,
        info.mode,
        where,
    )
