"""The subcommands of `%lambda`: config, jobs, logs, last, wait, cancel, doctor, help."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from IPython.core.error import UsageError

from lambdamagic.appearance import SIGNS
from lambdamagic.config import SPECS
from lambdamagic.magics.record import JobRecord
from lambdamagic.magics.session import Session
from lambdamagic.magics.tables import Table
from lambdamagic.protocol.joblog import DISPLAYS_END
from lambdamagic.widgets import text

HELP = """\
%%lambda [options]                run the cell's body on Lambda; names and the shown value come back
%%lambda_map [options] x in xs    run the body for each item; the last expressions are collected in a list
%lambda_map [options] fn xs       call fn for each item; as in  scores = %lambda_map evaluate candidates

%%lambda_setup                    run the cell here, and first in each execution environment of later jobs

%lambda config                    the current settings and the origin of each
%lambda jobs [--all]              the jobs of this session; --all adds earlier kernels' and the bucket's
%lambda logs JOB                  a job's log (an id, the beginning or end of one, or `last`)
%lambda wait [JOB|all]            wait for background jobs (--bg), and raise the first error
%lambda cancel JOB|all            stop background jobs (by id, title, or `last`)
%lambda deploy [NAME]             create a function on AWS with the packages of this notebook
%lambda doctor                    check everything that jobs need, and show how to fix it
%lambda attach JOB                reattach to a job of --mode event or trigger whose kernel has gone
%lambda last                      the last job, and for a map its results so far;
                                  job = %lambda last, then job.resume(), job.retry_failed() or job.to_csv(path)
%lambda help                      this help

Options: `%lambda?` and `%lambda_map?` list them. `%%lambda --plan` shows what would be sent, and sends nothing."""


_WHERE = {"local": "Jobs run on the embedded Lambda of this machine.", "aws": "Jobs run on AWS."}
SUBCOMMANDS = ("attach", "cancel", "config", "deploy", "doctor", "help", "jobs", "last", "logs", "wait")


#: How many words each takes at most; the others judge theirs themselves.
_WORDS = {"config": 0, "last": 0, "doctor": 0, "help": 0, "logs": 1}


class Lines:
    """The subcommands."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, words: list[str]) -> Any:
        """Run one.

        Raises:
            UsageError: There is no such subcommand, or it does not take such words.
        """
        command, *rest = words or ["help"]
        known = {
            "config": self._config,
            "jobs": self._jobs,
            "logs": self._logs,
            "last": self._last,
            "attach": self._attach,
            "wait": self._wait,
            "cancel": self._cancel,
            "doctor": self._doctor,
            "deploy": self._deploy,
            "help": self._help,
            "-h": self._help,
            "--help": self._help,
        }
        if command not in known:
            from difflib import get_close_matches

            near = get_close_matches(command, known, n=1)
            suggestion = f"; did you mean `%lambda {near[0]}`?" if near else "; write code below a %%lambda line"
            raise UsageError(f"%lambda has no subcommand {command!r}{suggestion} (`%lambda help` lists them)")
        if len(rest) > _WORDS.get(command, len(rest)):
            takes = "only one job id" if _WORDS[command] else "no arguments"
            how = ". For this session: %config LambdaMagics.NAME = VALUE" if command == "config" else ""
            raise UsageError(f"%lambda {command} takes {takes}, not {' '.join(rest)!r}{how}")
        return known[command](rest)

    def _help(self, words: list[str]) -> None:
        print(HELP)  # noqa: T201  # help is what was asked for

    def _config(self, words: list[str]) -> Table:
        resolved = self._session.settings()
        rows = [
            (name, "–" if value is None else str(value), origin, SPECS[name].help)
            for name, value, origin in resolved.rows()
        ]
        notes = [
            f"{_WHERE[resolved.settings.resolved_target()]} – is not set.",
            "For this session only: %config LambdaMagics.memory_mb = 4096. Allowed values: %config LambdaMagics.",
        ]
        return Table("Settings", ("setting", "value~", "from~", "what it does~"), rows, notes)

    def _attach(self, words: list[str]) -> Any:
        from lambdamagic.magics.attaching import attach_here

        if len(words) != 1:
            raise UsageError("%lambda attach needs one job id; `%lambda jobs --all` lists them")
        return attach_here(self._session, words[0])

    def _jobs(self, words: list[str]) -> Table:
        if words not in ([], ["--all"]):
            raise UsageError(f"%lambda jobs takes only --all, not {' '.join(words)!r}")
        if words:
            from lambdamagic.magics.job_history import history_table

            return history_table(self._session)
        now = time.time()
        rows = [_row(record, now) for record in self._session.history]
        notes = [] if rows else ["No jobs in this session yet."]
        columns = ("job", "what~", "state", "tasks>", "took>", "billed>", "peak>", "where")
        return Table("Jobs of this session", columns, rows, notes)

    def _wait(self, words: list[str]) -> None:
        jobs = self._session.background.find(words or ["all"])
        self._session.background.wait(jobs)
        for job in jobs:
            if job.failure is not None:
                self._session.background.raised(job)
                raise job.failure

    def _cancel(self, words: list[str]) -> None:
        if not words:
            raise UsageError("%lambda cancel needs a job: an id, the beginning or end of one, a title, `last` or `all`")
        for job in self._session.background.find(words):
            job.cancel()

    def _deploy(self, words: list[str]) -> Table:
        from lambdamagic.magics.deploy_line import deploy

        return deploy(self._session, words)

    def _doctor(self, words: list[str]) -> Table:
        from lambdamagic.doctor.examine import examine
        from lambdamagic.doctor.findings import SIGNS, summary

        session = self._session
        resolved = session.settings()
        # An open target is used, so that the embedded Lambda need not start a second time; one that cannot be opened
        # is for the checks to explain.
        target = session.target(resolved) if resolved.settings.resolved_target() == "local" else None
        modules = [value.__name__ for value in session.shell.user_ns.values() if isinstance(value, ModuleType)]
        findings = list(examine(resolved, modules=modules, target=target))
        rows = [(f"{SIGNS[each.state]} {each.check}", each.text, each.fix) for each in findings]
        return Table("Doctor", ("check", "found~", "what to do~"), rows, [summary(findings)])

    def _record(self, words: list[str]) -> JobRecord:
        wanted = words[0] if words else "last"
        record = self._session.find(wanted)
        if record is None:
            raise UsageError(f"no job {wanted!r}. See `%lambda jobs`")
        return record

    def _logs(self, words: list[str]) -> None:
        record = self._session.find(words[0] if words else "last")
        if record is not None:
            lines = record.logs
        elif words and words[0] != "last":
            lines = self._stored_logs(words[0])
        else:
            record = self._record(words)  # says that there is none
            lines = record.logs
        print("\n".join(lines) if lines else "No log for this job.")  # noqa: T201  # what was asked for

    def _stored_logs(self, job: str) -> list[str]:
        """Return the lines of another session's job in CloudWatch Logs."""
        from lambdamagic.api.job_logs import logs_of_job
        from lambdamagic.errors import JobMissingError

        settings = self._session.settings().settings
        is_aws = settings.resolved_target() == "aws"
        where = {"region": settings.region, "profile": settings.profile, "endpoint_url": settings.endpoint_url}
        try:
            found = logs_of_job(job, now=time.time(), function=settings.function if is_aws else None, **where)
        except JobMissingError as error:
            raise UsageError(f"{error.message}. See `%lambda jobs --all`") from None
        return [line.text for line in found if not line.text.rstrip().endswith(DISPLAYS_END)]

    def _last(self, words: list[str]) -> JobRecord:
        return self._record([])


def _row(record: JobRecord, now: float) -> tuple[str, ...]:
    progress = record.progress
    return (
        progress.job_id,
        progress.label,
        f"{SIGNS.get(progress.state, '?')} {progress.word}",
        f"{progress.finished_tasks:,}/{progress.task_count:,}" if progress.task_count else "",
        text.duration(progress.elapsed_s(now)) if progress.started_at else "",
        text.billed(progress) if progress.started_at else "",
        f"{progress.peak_memory_mb:,} MB" if progress.peak_memory_mb else "",
        record.target,
    )
