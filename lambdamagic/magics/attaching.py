"""`%lambda attach JOB`: a job whose kernel died, taken up in this notebook."""

from __future__ import annotations

import sys
from typing import Any

from lambdamagic.api.attach import attachable, attached_map
from lambdamagic.api.launcher import Launcher
from lambdamagic.codec.answer import Effects, read_answer
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.jobs.job import Arrival
from lambdamagic.magics.front import front_of, replay, tell
from lambdamagic.magics.remote_errors import local_exception
from lambdamagic.magics.session import Session
from lambdamagic.runs.stored import StoredWork
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.showing import Showing, choose_view

_EVERY_S = 0.1


def attach_here(session: Session, job_id: str) -> Any:
    """Wait for a job as its own cell did: bind a cell's names and return its value, return a map's results.

    Raises:
        KeyboardInterrupt: The user stopped waiting; the job is cancelled, and can be attached again.
        JobMissingError: The job is not known here.
        BaseException: What the cell or the map's first failed task raised.
    """
    launcher, work = attachable(job_id, session.home)
    listener = ProgressListener()
    front = "nobody" if session.settings().settings.quiet else front_of(session.shell)
    showing = Showing(choose_view(front, listener), listener)
    if not work.is_map:
        return _cell(session, launcher, work)
    job = attached_map(launcher, work, listener=listener)
    try:
        while not job.wait(_EVERY_S):
            showing.tick()
    except KeyboardInterrupt:
        job.cancel()
        sys.stderr.write(f"λ {job.label}: cancelled; `%lambda attach {job_id}` takes it up again\n")
        raise
    finally:
        showing.close()
    return job.results() if session.settings().settings.on_error == "return" else job.result()


def _cell(session: Session, launcher: Launcher, work: StoredWork) -> Any:
    try:
        arrival = work.answer_of_cell() or _waited_for(launcher, work)
    finally:
        work.let_go()
    if arrival.error is not None:
        raise arrival.error
    response = arrival.response
    assert response is not None
    replay(response.outputs)
    effects: Effects = read_answer(session.home, work, unpack_numbers(response.numbers), arrival.frames)
    for problem in effects.apply_in_place():
        tell(problem)
    # What the cell had captured was of the kernel that died: what is not here comes back with its changes.
    here = session.shell.user_ns
    session.shell.push({**{name: value for name, value in work.captured.items() if name not in here}, **effects.bound})
    if effects.error:
        raise local_exception(session.shell, effects.error, f"raised on Lambda, request {arrival.request_id}")
    return effects.values[0] if effects.values else None


def _waited_for(launcher: Launcher, work: StoredWork) -> Arrival:
    """Return a cell's answer when it comes; the cell runs again only if its environment died."""
    arrivals: list[Arrival] = []
    launcher.run(launcher.place(), work.request([0], 1)).carry(arrivals.append)
    return arrivals[0]
