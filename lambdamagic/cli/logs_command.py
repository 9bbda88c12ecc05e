"""`lambdamagic logs`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lambdamagic.cli.app import App, examples, with_common_options

if TYPE_CHECKING:
    from lambdamagic.deploy.function_logs import LogLine


@click.command(epilog=examples("lambdamagic logs --since 2h", "lambdamagic logs -f --job 1f0c77ab"))
@click.argument("function", required=False)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@click.option("--job", default="", metavar="ID", help="Only this job's lines: its id, or the beginning or end of it.")
@click.option(
    "--task", type=click.IntRange(min=0), metavar="N", help="With --job: only invocations that carried task N."
)
@click.option("--since", metavar="AGE", help="How far back, such as 90s, 10m, 2h, 3d or 1w (1h; with --job 1w).")
@with_common_options
def logs(app: App, function: str | None, follow: bool, job: str, task: int | None, since: str | None) -> None:
    """Print what functions logged, from CloudWatch Logs.

    FUNCTION is by default the one in the settings. With --json each line is a separate JSON document.
    """
    from lambdamagic.config.ages import parse_age
    from lambdamagic.deploy.function_logs import FunctionLogs

    if task is not None and not job:
        raise click.UsageError("--task requires --job")
    since_s = parse_age(since or ("1w" if job else "1h"))
    access = app.access()
    name = function or app.settings().settings.function or "lambdamagic"
    found = FunctionLogs.of(access, name)
    if follow:
        with _interrupts() as has_come:
            for line in found.follow(since_s=since_s, job=job, task=task, is_over=has_come):
                _print(app, line)
        raise KeyboardInterrupt
    lines = found.read(since_s=since_s, job=job, task=task)
    for line in lines:
        _print(app, line)
    if not lines:
        if job and not (task is not None and found.read(since_s=since_s, job=job)):
            _require_known(job, found.group)
        app.out.note("no log lines; --since looks further back")


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed.

    It raises at once, as ever; but Python drops an exception that is raised while an object is finalized, and then
    an endless loop would not end.
    """
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)


def _require_known(job: str, group: str) -> None:
    from lambdamagic.api.job_logs import find_job
    from lambdamagic.errors import JobMissingError

    if find_job(job) is None:
        raise JobMissingError(
            f"no job {job!r} in the log group {group} or in the history on this machine",
            hint="`lambdamagic jobs` lists the jobs of this machine; --since looks further back in the log, and "
            "FUNCTION selects another function's",
        )


def _print(app: App, line: LogLine) -> None:
    import json

    from lambdamagic.protocol.joblog import DISPLAYS_END

    if line.text.rstrip().endswith(DISPLAYS_END):
        return  # pictures, for a notebook's page
    at = datetime.fromtimestamp(line.at, UTC)
    if app.out.as_json:
        document = {"at": at.isoformat(), "stream": line.stream, "request": line.request_id or None}
        app.out.text(json.dumps({**document, "job": line.job_id or None, "text": line.text}))
    else:
        app.out.text(f"{click.style(at.strftime('%H:%M:%S.%f')[:-3], dim=True)}  {line.text}")
