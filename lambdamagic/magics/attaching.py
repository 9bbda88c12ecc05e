"""`%lambda attach JOB`: reattach to a job whose kernel has gone."""

from __future__ import annotations

import sys
from typing import Any

from lambdamagic.api.attach import attachable
from lambdamagic.magics.answers import CellWork
from lambdamagic.magics.cards import Card
from lambdamagic.magics.cell import table_of_cell
from lambdamagic.magics.front import replay
from lambdamagic.magics.mapping import MapRun
from lambdamagic.magics.session import Session
from lambdamagic.runs.opened import Place
from lambdamagic.runs.stored import StoredWork


def attach_here(session: Session, job_id: str) -> Any:
    """Wait for a job as its own cell did: bind a cell's names and return its value, return a map's results.

    Raises:
        KeyboardInterrupt: The user stopped waiting; the job is cancelled, and can be attached again.
        JobMissingError: The job is not known here.
        BaseException: What the cell or the map's first failed task raised.
    """
    launcher, work = attachable(job_id, session.home)
    try:
        if work.is_map:
            return MapRun(session, session.settings(), None).attached(work, launcher.place)
        return _cell(session, launcher.place(), work)
    except KeyboardInterrupt:
        sys.stderr.write(f"λ {work.label}: cancelled; `%lambda attach {job_id}` resumes it\n")
        raise
    finally:
        work.let_go()


def _cell(session: Session, place: Place, work: StoredWork) -> Any:
    cell = CellWork(session, place.settings, known=lambda: work)
    answer = work.answer_of_cell()
    if answer is not None:
        cell.take(answer)
    else:
        Card(session, place, work.request([0], 1), table_of_cell(session)).carry(cell.take)
    assert cell.answer is not None, "a job that ends without error has had an arrival"
    replay(cell.answer.outputs)
    # What the cell had captured was of the kernel that died: what is not here comes back with its changes.
    here = session.shell.user_ns
    gone = {name: value for name, value in work.captured.items() if name not in here}
    return cell.conclude(lambda bound: {**gone, **bound})
