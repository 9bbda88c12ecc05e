"""A graph that runs in Lambda without its client, as a job: watch it, cancel it, reattach to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher
from lambdamagic.appearance import html_line
from lambdamagic.errors import ConfigError, JobCancelledError
from lambdamagic.events import JobState, Listeners
from lambdamagic.jobs.history import GRAPH_MODE, History, JobNote
from lambdamagic.jobs.job import new_job_id
from lambdamagic.runs.spec import budget_of
from lambdamagic.runs.variables import names_of, values_of
from lambdamagic.runs.walks_run import WalksRun
from lambdamagic.runs.walks_work import GraphCode, WalksWork, Writer, new_work, read_work


class GraphJob:
    """A graph under way in Lambda. Thread-safe; `start_graph` and `lambdamagic.attach` make it.

    Billed: each walk as an invocation, and the requests to S3 that `requests` counts.

    Attributes:
        label: A name of the graph, for display.
        job_id: Its id.
    """

    def __init__(
        self, launcher: Launcher, work: WalksWork, finish: Callable[[Mapping[int, Any]], Any], where: dict[str, Any]
    ) -> None:
        self._launcher, self._work, self._finish, self._where = launcher, work, finish, where
        self.label, self.job_id = work.label, work.job_id
        self._shown: set[str] = set()  # walks of which the prints were shown: a retry reads their records again
        self._run = self._begin()

    def _begin(self, *, retries: bool = False) -> WalksRun:
        launcher, work, place = self._launcher, self._work, self._launcher.place()
        target = place.target
        target.prepare_events(work.function.name)
        note = JobNote(
            work.job_id, work.label, GRAPH_MODE, self._where, len(work.structure.needs), work.started_at, work.key
        )
        listeners = Listeners()
        for each in launcher.listeners:
            listeners.add(each)
        listeners.add(History().begin(note))
        bar = None
        if launcher.shows_progress:
            from lambdamagic.api.progress_bars import ProgressBar  # with it come the views and what draws them

            bar = ProgressBar(
                place.settings,
                work.job_id,
                work.label,
                len(work.structure.needs),
                self.cancel,
                open_logs=lambda _, clock: target.logs(work.function.name, clock),
            )
            listeners.add(bar.listener)
            bar.open()
        run = WalksRun(
            work,
            target,
            process.home(),
            listeners,
            budget=budget_of(place.resolved, target),
            check=place.check,
            environment=values_of(names_of(place.settings.send_env), mode="event"),
        )
        run.view = bar
        if retries:
            run.retry()
        run.start()
        process.finish_before_exit(self)
        return run

    @property
    def task_count(self) -> int:
        """How many tasks the graph has; those of a chain count as one."""
        return len(self._work.structure.needs)

    @property
    def state(self) -> JobState:
        """`running`, `done`, `failed` or `cancelled`."""
        if not self._run.has_ended:
            return "running"
        if isinstance(self._run.error, JobCancelledError):
            return "cancelled"
        return "failed" if self._run.error is not None else "done"

    @property
    def cost_usd(self) -> float:
        """What it cost so far at list price, in US dollars; the embedded Lambda costs nothing."""
        return self._run.account.cost_usd

    @property
    def requests(self) -> tuple[int, int]:
        """Requests to S3 so far: writes (PUT and LIST) and reads (GET)."""
        return self._run.account.writes, self._run.account.reads

    @property
    def invocations(self) -> int:
        """Walks that have ended so far."""
        return self._run.account.invocations

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it no longer runs, or for `timeout` seconds, and return whether it has ended.

        What its tasks print is shown meanwhile, a walk's when it has ended.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left_s = _SHOWN_EVERY_S if until is None else until - time.monotonic()
            has_ended = self._run.wait(max(0.0, min(left_s, _SHOWN_EVERY_S)))
            self._show_printed()
            if has_ended or left_s <= 0:
                return has_ended

    def _show_printed(self) -> None:
        printed = self._run.account.printed
        while printed:
            try:
                walk, outputs = printed.popleft()
            except IndexError:  # another thread waits too
                return
            if walk not in self._shown:
                self._shown.add(walk)
                for entry in outputs:
                    self._launcher.printed.show_of(entry.get("task") or 0, [entry], prefixed=True)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and return the requested results.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: It still runs.
            CancelledError: It was cancelled.
            BaseException: What a task raised first, or what ended the graph as a whole.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"graph {self.job_id} is still running after {timeout} s")
        error = self._run.error
        if isinstance(error, JobCancelledError):
            raise CancelledError(f"graph {self.job_id} was cancelled")
        if error is not None:
            raise error
        return self._finish(self._run.values())

    @property
    def missing(self) -> list[int]:
        """Numbers of the requested results that are not known yet."""
        return self._run.missing

    @property
    def failures(self) -> dict[int, BaseException]:
        """The exception of the task that ended the graph, by its number."""
        failed, error = self._run.failed_node, self._run.error
        return {} if failed is None or error is None else {failed: error}

    def results(self) -> list[Any]:
        """Return a list of the requested results, or of the exception that ended the graph; empty while it runs."""
        if not self._run.has_ended:
            return []
        return [self._run.error if self._run.error is not None else self.result()]

    def cancel(self) -> None:
        """Stop all walks; a running task is interrupted within ten seconds. Idempotent."""
        self._run.cancel()

    def retry(self) -> None:
        """Continue a graph that failed or was cancelled; returns at once, and `result()` waits for it again.

        What was computed is kept: the task that failed runs again, and what has not run. Billed as any walk.

        Raises:
            RuntimeError: It runs, or is done.
        """
        if self.state not in ("failed", "cancelled"):
            raise RuntimeError(f"graph {self.job_id} is {self.state}: there is nothing to retry")
        self._run = self._begin(retries=True)

    def finish(self) -> None:
        """Wait for the end: the interpreter does so before it ends."""
        self.wait()

    def _counts(self) -> str:
        writes, reads = self.requests
        return f"{self.task_count:,} tasks, {self.invocations:,} walks, S3: {writes:,} writes, {reads:,} reads"

    def __repr__(self) -> str:
        return f"<GraphJob {self.job_id}: {self.label}, {self.state}, {self._counts()}>"

    def _repr_html_(self) -> str:
        return html_line(self.label, self.state, f"{self._counts()} · job {self.job_id}")


def start_graph(
    launcher: Launcher, code: GraphCode, *, label: str, run: Callable[..., Any], walks: int = 0
) -> GraphJob:
    """Store a graph, send its first walks, and return it as a job.

    Args:
        launcher: Makes runs.
        code: What its nodes are.
        label: A name of the graph, for display.
        run: A function that comes with the program; nodes need none.
        walks: How many first walks there are at most; 0 for as many as may run at once.

    Raises:
        CaptureError, EncodeError: Something cannot be sent.
        ConfigError: There is no bucket.
        TargetError: The target is not usable.
    """
    settings, place = launcher.settings, launcher.place()
    target = place.target
    store = target.stager.store
    if store is None:
        raise ConfigError("running a graph in walks needs a bucket, and none is set", hint="Set LAMBDAMAGIC_BUCKET")
    fitted = launcher.fitted(run, list(code.calls[:_LOOKED_INTO]))
    if not fitted.function.runs_graphs:
        raise ConfigError(
            f"the function {fitted.function.name} was not deployed to run graphs: its role may not invoke it",
            hint="Run `lambdamagic deploy --graphs`, or compute in mode sync: the graph is then scheduled from here",
        )
    job_id = new_job_id()
    writer = Writer(store, job_id, lambda items, start: launcher.encode_items(items, start, program=fitted.program))
    names = [name.strip() for name in (settings.retry_on or "").split(",") if name.strip()]
    options = {"serializer": settings.serializer, "retries": settings.retries, "retry_on": names, "session": job_id}
    work = new_work(
        writer,
        code,
        fitted.program,
        label=label,
        function=fitted.function,
        options=options,
        walks=walks or launcher.concurrency(),
    )
    where = {
        **target.whereabouts(),
        "function": fitted.function.name,
        "memory_mb": fitted.function.memory_mb,
        "timeout_s": fitted.function.timeout_s,
    }
    return GraphJob(launcher, work, code.finish, where)


#: How often prints are looked for while a thread waits.
_SHOWN_EVERY_S = 0.2
#: So many nodes are looked into for what their code imports.
_LOOKED_INTO = 200


def attach_graph(launcher: Launcher, note: JobNote) -> GraphJob:
    """Reattach to a graph whose client has gone.

    Raises:
        JobMissingError, IntegrityError, TargetError: As for `attach`.
    """
    store = launcher.target().stager.required()
    work, finish = read_work(store, note.job_id, note.key, process.home())
    return GraphJob(launcher, work, finish, note.where)
