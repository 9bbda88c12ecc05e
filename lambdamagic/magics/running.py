"""From a plan to a finished job, with a view, an interrupt and an end in every case."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lambdamagic.config import ResolvedSettings
from lambdamagic.errors import CredentialsError, JobCancelledError, LambdaMagicError
from lambdamagic.events import Listeners
from lambdamagic.jobs.durable import Inputs
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival, Job
from lambdamagic.jobs.sources import UnitSource
from lambdamagic.magics.details import JobDetails
from lambdamagic.magics.session import JobRecord, Session
from lambdamagic.targets.base import Target
from lambdamagic.targets.spec import job_spec
from lambdamagic.widgets.actions import Actions
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.views import Showing, choose_view


class JobRunner:
    """Runs one job for the cell that waits for it.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        label: What runs, for a person.
        outcome: Returns a task's value or exception, as far as there is one.
        argument: Returns what a task is called with.
    """

    def __init__(
        self,
        session: Session,
        resolved: ResolvedSettings,
        label: str,
        *,
        outcome: Callable[[int], Any],
        argument: Callable[[int], Any] | None = None,
    ) -> None:
        self.session, self.resolved, self.label = session, resolved, label
        self.target: Target = session.target(resolved)
        self.job: Job | None = None
        settings = resolved.settings
        listener = ProgressListener()
        self._details = details = JobDetails(listener, outcome, argument)
        actions = Actions(cancel=self._cancel, describe=details.describe, results_csv=details.results_csv)
        front = "nobody" if settings.quiet else session.front
        view = choose_view(front, listener, wanted=settings.view, actions=actions, log=details.log, shelf=session.shelf)
        self._showing = Showing(view, listener)

    def _cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def run(
        self,
        kind: Any,
        program: Program,
        units: UnitSource,
        *,
        task_count: int | None,
        options: dict[str, Any],
        receive: Callable[[Arrival], None],
        between: Callable[[], None] = lambda: None,
        deaths: int = 0,
        is_program_shared: bool = False,
        cached: tuple[int, ...] = (),
        inputs: Inputs | None = None,
    ) -> JobRecord:
        """Run the job and hand over what arrives; `between` is called by the waiting thread now and then.

        Raises:
            KeyboardInterrupt: The user stopped it; the job is cancelled, and what arrived before was handed over.
            LambdaMagicError: The job could not run or go on.
        """
        target = self.target
        try:
            spec = job_spec(
                self.resolved,
                target,
                kind,
                units,
                label=self.label,
                program=program,
                task_count=task_count,
                options=options,
                deaths=deaths,
                is_program_shared=is_program_shared,
                cached=cached,
                inputs=inputs,
            )
        except LambdaMagicError as error:
            raise self._checked(error) from error.__cause__
        listeners = Listeners()
        listeners.add(self._showing.listener)
        self._details.function = spec.function.name
        self.job = job = self.session.start(spec, listeners)
        record = JobRecord(self._showing.listener.snapshot(), target.name, spec.function.name)
        try:

            def tick() -> None:
                self._showing.tick()
                between()

            between()
            for arrival in job.arrivals(tick):
                if arrival.error is not None:
                    arrival = replace(arrival, error=target.check(arrival.error))
                self._details.took(arrival)
                receive(arrival)
                tick()
        except KeyboardInterrupt:
            job.cancel()
            job.wait(2.0)
            sys.stderr.write(f"λ {self.label}: cancelled; what still runs on Lambda is told to stop\n")
            raise
        except JobCancelledError:
            raise
        except LambdaMagicError as error:
            raise self._checked(error) from error.__cause__
        finally:
            if job.state == "running":
                job.give_up()  # what was received could not be used, or was an exception to raise
                job.wait(2.0)
            self._showing.close()
            record.progress = self._showing.listener.snapshot()
            record.logs = list(job.log_tails)
            self.session.remember(record)
        return record

    def _checked(self, error: LambdaMagicError) -> Exception:
        """Return the error to raise: that the target itself died, if it did."""
        if isinstance(error, CredentialsError):
            # The next cell looks for credentials anew: the user may have signed in meanwhile.
            self.session.forget(self.target)
        return self.target.check(error)


def replay(outputs: list[dict[str, Any]]) -> None:
    """Show in this cell what the remote code printed and displayed, in its order."""
    for entry in outputs:
        if "stream" in entry:
            stream = sys.stdout if entry["stream"] == "stdout" else sys.stderr
            stream.write(entry["text"])
            stream.flush()
        elif "display" in entry:
            from IPython.display import publish_display_data

            publish_display_data(entry["display"], entry.get("metadata") or {})


def tell(message: str, *, quiet: bool = False) -> None:
    """Tell the user something beside the cell's own output."""
    if not quiet:
        sys.stderr.write(f"lambdamagic: {message}\n")
