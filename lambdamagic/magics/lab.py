"""The kernel's side of JupyterLab's panel: its requests and actions, and the comm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdamagic.events import EVERY_JOB
from lambdamagic.jobs.engine import find_job
from lambdamagic.magics.cell_outputs import CellOutputs
from lambdamagic.widgets.panel import TARGET, JobsPanel
from lambdamagic.widgets.showing import front_of

if TYPE_CHECKING:
    from lambdamagic.magics.record import RanMap
    from lambdamagic.magics.session import Session
    from lambdamagic.widgets.progress import ProgressListener


class LabLink:
    """Sends the jobs of one kernel to JupyterLab, from `open` to `close`. Does nothing in a shell without a kernel.

    Args:
        session: The notebook's session, which remembers the logs of jobs that have ended.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._panel: JobsPanel | None = None
        self._outputs = CellOutputs(session.shell)
        self._is_in_cell = False

    def open(self) -> None:
        """Open the comm and follow all jobs from now on."""
        shell = self._session.shell
        if getattr(shell, "kernel", None) is None or front_of(shell) == "headless":
            return  # nbclient and papermill would warn of a comm that they do not know
        import comm  # ipykernel's; IPython alone is without it

        self._panel = panel = JobsPanel(self)
        self._stop_listening = EVERY_JOB.add(panel)
        self._session.shelf.on_opened = self._view_opened
        shell.events.register("pre_run_cell", self._cell_begins)
        shell.events.register("post_run_cell", self._cell_ended)
        panel.connect(comm.create_comm(target_name=TARGET))

    def close(self) -> None:
        """Undo `open`. Idempotent."""
        panel, self._panel = self._panel, None
        if panel is not None:
            self._session.shelf.on_opened = lambda job_id, is_blocking: None
            self._session.shell.events.unregister("pre_run_cell", self._cell_begins)
            self._session.shell.events.unregister("post_run_cell", self._cell_ended)
            self._outputs.end(None)
            self._stop_listening()
            panel.close()

    def _cell_begins(self, info: Any) -> None:
        self._session.cell = getattr(info, "cell_id", None) or ""
        self._is_in_cell = True

    def _view_opened(self, job_id: str, is_blocking: bool) -> None:
        if is_blocking and self._is_in_cell:
            self._outputs.begin(job_id)
        if self._panel is not None:
            self._panel.touch(job_id)

    def _cell_ended(self, result: Any) -> None:
        self._is_in_cell = False
        for job_id in self._outputs.end(result.error_before_exec or result.error_in_exec):
            if self._panel is not None:
                self._panel.touch(job_id)

    def cell_of(self, job_id: str) -> str:
        """Return the id of the cell that a job belongs to; a program's jobs belong to the one that runs."""
        record = self._session.find(job_id)
        return self._session.cell if record is None else record.cell

    def listener_of(self, job_id: str) -> ProgressListener | None:
        """Return the listener of a running job of this notebook."""
        record = self._session.find(job_id)
        return None if record is None else record.listener

    def cancel(self, job_id: str) -> bool:
        """Stop a job; return whether it was still under way."""
        record = self._session.find(job_id)
        if record is not None and (cancel := record.cancel) is not None:
            cancel()  # it may not have begun, and be no job of an engine yet
            return True
        job = find_job(job_id)
        if job is None or job.state != "running":
            return False
        job.cancel()
        return True

    def logs(self, job_id: str) -> str:
        """Return the end of a job's logs."""
        job, record = find_job(job_id), self._session.find(job_id)
        tails = job.log_tails if job is not None else record.logs if record is not None else []
        return "\n".join(tails)

    def can_retry(self, job_id: str) -> bool:
        """Whether tasks of a job that failed or did not run can be run again."""
        return self._map_of(job_id) is not None

    def retry(self, job_id: str) -> bool:
        """Run them again as soon as no cell runs; return whether that is possible."""
        ran_map = self._map_of(job_id)
        if ran_map is None:
            return False
        ran_map.retry()
        return True

    def has_table(self, job_id: str) -> bool:
        """Whether there is a table of a job's tasks."""
        return self._kept(job_id) is not None

    def table_of(self, job_id: str) -> str | None:
        """Return the table of a job's tasks as CSV; None when it is not a map, or no longer kept."""
        kept = self._kept(job_id)
        return None if kept is None else kept.to_csv()

    def can_attach(self, job_id: str) -> bool:
        """Whether a job continues without this kernel, and another can reattach to it."""
        job = find_job(job_id)
        return job is not None and job.state == "running" and job.spec.mode != "sync"

    def view_of(self, job_id: str) -> str:
        """Return the id of the widget that shows a job; empty when none does."""
        return self._session.shelf.model_of(job_id)

    def result_of(self, job_id: str) -> dict[str, str] | None:
        """Return the MIME bundle that took a job's widget's place, if it is kept; None while its cell runs."""
        return None if self._outputs.is_recording(job_id) else self._session.shelf.result_of(job_id)

    def outputs_of(self, job_id: str) -> list[dict[str, Any]] | None:
        """Return the outputs below a job's widget in its cell; None while the cell runs, or if they are unknown."""
        below = self._session.shelf.below(job_id)
        if below is not None:  # the cell had ended: nothing else followed
            return [{"output_type": "display_data", "data": below, "metadata": {}}]
        return self._outputs.of(job_id)

    def _map_of(self, job_id: str) -> RanMap | None:
        kept = self._kept(job_id)
        return kept if kept is not None and kept.can_run_again else None

    def _kept(self, job_id: str) -> RanMap | None:
        record = self._session.find(job_id)
        return None if record is None else record.map
