"""`lambdamagic jobs|attach|cancel|cost`: jobs of all kernels and programs of this user."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.appearance import state_word
from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import RAN_AND_FAILED

if TYPE_CHECKING:
    from lambdamagic.api.attach import JobInfo


@click.command(epilog=examples("lambdamagic jobs -n 50"))
@click.option("--bucket", is_flag=True, help="Also list other users' jobs in the configured bucket.")
@click.option("-n", "count", type=click.IntRange(min=1), default=20, metavar="N", help="Show the latest N (20).")
@with_common_options
def jobs(app: App, bucket: bool, count: int) -> None:
    """List your jobs, latest first: of all kernels and programs, including those that have ended."""
    from lambdamagic.api.attach import list_jobs

    found = list_jobs(bucket=bucket, count=count, **(app.options if bucket else {}))
    if app.out.as_json:
        app.out.document({"jobs": [dataclasses.asdict(each) for each in found]})
        return
    columns = ("job", "what", "state", "tasks>", "cost>", "began", "mode", "where")
    app.out.table(columns, [_row(each) for each in found], empty="no jobs yet")
    if any(each.is_attachable and each.state == "abandoned" for each in found):
        app.out.note("`lambdamagic attach JOB` reattaches to an abandoned job: one whose client exited before its end.")


def _row(job: JobInfo) -> tuple[str, ...]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started_at)) if job.started_at else ""
    tasks = f"{job.done:,}/{job.task_count:,}" if job.task_count is not None else ""
    cost = f"{job.cost_usd:.6f} USD" if job.cost_usd else ""
    where = str(job.where.get("function") or job.where.get("target") or "")
    state = state_word(job.state, failed=job.failed, count=job.task_count)
    return job.job_id, job.label, state, tasks, cost, began, job.mode, where


@click.command(epilog=examples("lambdamagic attach 20261121-093012-1f0c77ab -o results.pkl"))
@click.argument("job")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the results to a file, with cloudpickle.")
@with_common_options
def attach(app: App, job: str, output: Path | None) -> None:
    """Reattach to a job whose notebook has gone: wait for its results, and print or save them.

    What is done is not run again. The job must have been started with mode `event` or `trigger` on this machine. A
    cell's names belong into a notebook: `%lambda attach JOB`.
    """
    from lambdamagic.api.attach import attach as take_up

    found = take_up(job, **app.options)
    app.out.note(f"{found.label}: {found.task_count:,} tasks, {len(found.missing):,} without a result yet")
    found.wait()
    results = found.results()
    if output is not None:
        import cloudpickle

        output.write_bytes(cloudpickle.dumps(results))
    failed = len(found.failures)
    if app.out.as_json:
        shown = [_result(number, each, is_failure=number in found.failures) for number, each in enumerate(results)]
        document = {"job": job, "state": found.state, "failed": failed, "output": str(output) if output else None}
        app.out.document({**document, "results": shown})
    else:
        for number, each in enumerate(results if output is None else ()):
            app.out.text(f"{number}  {each!r}")
        app.out.text(f"{found.state}: {len(results):,} tasks, {failed:,} failed" + (f"; in {output}" if output else ""))
    if found.state != "done":
        raise click.exceptions.Exit(RAN_AND_FAILED)


def _result(number: int, value: Any, *, is_failure: bool) -> dict[str, Any]:
    return {"task": number, "error" if is_failure else "value": repr(value)}


@click.command(epilog=examples("lambdamagic cancel 20261121-093012-1f0c77ab"))
@click.argument("job")
@with_common_options
def cancel(app: App, job: str) -> None:
    """Stop the running tasks of a job, wherever its client is."""
    from lambdamagic.api.cancelling import cancel_job

    settings = app.settings().settings
    where = {"function": settings.function, "bucket": settings.bucket, **app.options}
    found = cancel_job(job, **where)
    if app.out.as_json:
        app.out.document({"job": job, "state_before": found.state, "bucket": found.bucket, "like": found.like or None})
    elif found.state in ("done", "failed", "cancelled"):
        app.out.text(f"{job} has already ended ({found.state})")
    elif found.state == "unknown":
        app.out.text(
            f"{job} is not in this machine's history (a job of mode sync is added when it ends). A stop request "
            f"was written to the bucket {found.bucket}: running tasks of that job, if any, stop within about 1 s"
        )
        if found.like:
            app.out.note(f"Did you mean {found.like}?")
    else:
        app.out.text(f"Stopping {job}: its running tasks stop within about 1 s")


@click.command(epilog=examples("lambdamagic cost --since 7d"))
@click.option("--since", metavar="AGE", default="30d", help="How far back, such as 90s, 10m, 2h, 3d or 1w (30d).")
@with_common_options
def cost(app: App, since: str) -> None:
    """Show the cost of your jobs at list price, by day.

    From the history of 90 days on this machine: jobs on AWS that have ended, with their S3 requests, and other
    invocations. AWS's bill is what counts.
    """
    from lambdamagic.api.spending import spending
    from lambdamagic.jobs.prices import AS_OF

    found = spending(since)
    if app.out.as_json:
        app.out.document(dataclasses.asdict(found))
        return
    rows = [(day.day, f"{day.jobs:,}", f"{day.tasks:,}", f"{day.cost_usd:.6f}") for day in found.days]
    app.out.table(("day", "jobs>", "tasks>", "USD>"), rows, empty=f"no jobs on AWS in the last {since}")
    if rows:
        app.out.text(f"total {found.cost_usd:.6f} USD for {found.jobs:,} jobs, at list prices of {AS_OF}")
