"""The kernel's end of JupyterLab's panel: what it may do with jobs, and the comm between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdamagic.events import EVERY_JOB
from lambdamagic.jobs.engine import find_job
from lambdamagic.widgets.panel import TARGET, JobsPanel

if TYPE_CHECKING:
    from lambdamagic.magics.session import Session


class LabLink:
    """Tells JupyterLab of the jobs of one kernel, from `open` to `close`. Does nothing in a shell without a kernel.

    Args:
        session: The notebook's session, which remembers the logs of jobs that have ended.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._panel: JobsPanel | None = None

    def open(self) -> None:
        """Open the comm and follow all jobs from now on."""
        shell = self._session.shell
        if getattr(shell, "kernel", None) is None:
            return
        import comm  # ipykernel's; IPython alone is without it

        self._panel = panel = JobsPanel(cancel=_cancel, logs=self._logs)
        self._stop_listening = EVERY_JOB.add(panel)
        shell.events.register("pre_run_cell", self._cell_begins)
        panel.connect(comm.create_comm(target_name=TARGET))

    def close(self) -> None:
        """Undo `open`. Idempotent."""
        panel, self._panel = self._panel, None
        if panel is not None:
            self._session.shell.events.unregister("pre_run_cell", self._cell_begins)
            self._stop_listening()
            panel.close()

    def _cell_begins(self, info: Any) -> None:
        if self._panel is not None:
            self._panel.cell = getattr(info, "cell_id", None) or ""

    def _logs(self, job_id: str) -> str:
        job, record = find_job(job_id), self._session.find(job_id)
        tails = job.log_tails if job is not None else record.logs if record is not None else []
        return "\n".join(tails)


def _cancel(job_id: str) -> bool:
    job = find_job(job_id)
    if job is None or job.state != "running":
        return False
    job.cancel()
    return True
