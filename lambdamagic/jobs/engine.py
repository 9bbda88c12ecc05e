"""The engine: takes a job's units to Lambda, as many at once as it may, until each has an end.

One event loop in one daemon thread decides; blocking calls run in daemon threads. It knows transports and policies, no
AWS and no view.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import weakref
from collections.abc import Callable

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import JobCancelledError
from lambdamagic.events import EVERY_JOB, JobState, Listeners
from lambdamagic.jobs.job import Job, JobSpec
from lambdamagic.jobs.run import JobRun
from lambdamagic.jobs.threads import DaemonThreads

_known: weakref.WeakValueDictionary[str, Job] = weakref.WeakValueDictionary()


def find_job(job_id: str) -> Job | None:
    """Return a job of this process by its id, whichever engine runs it; None when it is no longer referenced."""
    return _known.get(job_id)


class Engine:
    """Runs jobs. Thread-safe; its threads start with the first job.

    Args:
        max_threads: How many blocking calls may run at once, over all jobs.
        jitter: Gives numbers in [0, 1) for waits.
        clock: The time that jobs and their policies see.
    """

    def __init__(
        self,
        *,
        max_threads: int = 10_000,
        jitter: Callable[[], float] = random.random,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._threads = DaemonThreads(max_threads, "lambdamagic-invoke")
        self._jitter, self._clock = jitter, clock
        self._lock = threading.Lock()
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, spec: JobSpec, listeners: Listeners) -> Job:
        """Begin a job and return it at once."""
        if spec.journal is not None:
            listeners.add(spec.journal)
        job = Job(spec, listeners, self._clock)
        listeners.add(EVERY_JOB.emit)
        loop = self._running_loop()
        run = JobRun(job, self._threads, self._jitter, self._clock)

        def stop(state: JobState) -> None:
            with contextlib.suppress(RuntimeError):  # the engine was closed, and the job ended with it
                loop.call_soon_threadsafe(run.stop, state)

        job._cancel = lambda: stop("cancelled")
        job._give_up = lambda: stop("failed")
        _known[spec.job_id] = job  # from now on another process may cancel it
        with self._lock:
            self._jobs.add(job)
        loop.call_soon_threadsafe(run.begin)
        return job

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._loop = loop
                self._thread = threading.Thread(target=loop.run_forever, name="lambdamagic-engine", daemon=True)
                self._thread.start()
                self._threads.keep_one()
            return self._loop

    def close(self) -> None:
        """End the engine's threads. Jobs that still run end as cancelled, so that their waiters are notified."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        self._threads.close()
        if loop is None or thread is None:
            return

        def end() -> None:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            # Two rounds later: each cancelled task has had its turn by then, also one that had not begun.
            loop.call_soon(lambda: loop.call_soon(loop.stop))

        loop.call_soon_threadsafe(end)
        thread.join(5.0)
        if not thread.is_alive():
            loop.close()
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            if job.state == "running":
                job.finished("cancelled", JobCancelledError(f"job {job.job_id} ended with its engine"))
