"""Electrons as jobs. State is kept in the module: Covalent recreates the executor for each electron."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.api.map_job import MapJob
from lambdamagic.covalent.electrons import Electron
from lambdamagic.errors import JobMissingError
from lambdamagic.pythons import python_here
from lambdamagic.worker.electron import ElectronCall, Returned

#: Threads that wait for electrons: as many as an account's default quota of invocations at once ("Lambda quotas").
WAITING = ThreadPoolExecutor(1000, thread_name_prefix="lambdamagic-covalent")

_DISPATCHES_KEPT = 64
_JOBS_KEPT = 1000
#: How programs written for Covalent's former executor name what belongs to an electron.
_FORMER_NAME = re.compile(r"(?:func|result|exception)-(?P<dispatch>.+)-(?P<node>-?\d+)\.(?:pkl|json)")

_lock = threading.Lock()
_dispatches: OrderedDict[str, Dispatch] = OrderedDict()
_jobs: OrderedDict[str, ElectronJob] = OrderedDict()


class Dispatch:
    """What the electrons of one dispatch share, as far as their options are the same.

    Covalent does not report a dispatch's end, so the latest are kept.

    Args:
        options: What `LambdaExecutor` takes.

    Attributes:
        executor: Sends them. What `max_cost_usd` allows is for one dispatch, not for a server's life.
        slots: As many as may run at once (`max_concurrency`); on the embedded Lambda two for each processor.

    Raises:
        LambdaMagicError: The options contradict each other, or the target is not usable.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.executor = LambdaExecutor(stdout="drop", **options)
        self.slots = asyncio.Semaphore(self.executor.concurrency())


class ElectronJob:
    """One electron under way, or one that has ended.

    Args:
        job: Its job, of one task.
        electron: The electron that runs.
    """

    def __init__(self, job: MapJob, electron: Electron) -> None:
        self._job = job
        self.place = (electron.dispatch_id, electron.node_id)

    @property
    def job_id(self) -> str:
        """Its job's id."""
        return self._job.job_id

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._job.state != "running"

    def wait_for(self, seconds: float) -> None:
        """Wait for its end, but not longer."""
        self._job.wait(seconds)

    def cancel(self) -> None:
        """Stop it; it ends within seconds. Idempotent."""
        self._job.cancel()

    def wait(self) -> Returned | None:
        """Wait for its end and return what it has returned, or None if it was cancelled.

        Raises:
            ElectronFailedError: Its code raised.
            LambdaMagicError: Something around it failed.
        """
        try:
            returned: Returned = self._job.result()[0]
        except CancelledError:
            return None
        return returned


def start(electron: Electron, options: Mapping[str, Any], *, wait_s: float = 0) -> ElectronJob:
    """Send an electron.

    Args:
        electron: What is to run.
        options: What `LambdaExecutor` takes.
        wait_s: How long to wait for its end.

    Raises:
        LambdaMagicError: It cannot be sent.
    """
    executor = dispatch_of(electron.dispatch_id, options).executor
    asks = electron.requirements or electron.commands
    electron.check(executor.packages() if asks else None, str(options.get("python") or python_here()))
    call = ElectronCall(electron.name, electron.dispatch_id, electron.node_id)
    started = ElectronJob(executor.start_map(call, [electron.sent]), electron)
    with _lock:
        _jobs[started.job_id] = started
        while len(_jobs) > _JOBS_KEPT and next(iter(_jobs.values())).is_over:
            _jobs.popitem(last=False)
    started.wait_for(wait_s)
    return started


def cancel_started(starting: Future[ElectronJob]) -> None:
    """Stop an electron that was being sent while its dispatch was removed."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().cancel()


def find(name: str) -> ElectronJob:
    """Return an electron that was started in this process.

    Args:
        name: Its job's id; or the name of one of its files in Covalent's former executor, which has dispatch and node.

    Raises:
        JobMissingError: There is none.
    """
    former = _FORMER_NAME.fullmatch(name)
    with _lock:
        if name in _jobs:
            return _jobs[name]
        if former is not None:
            place = (former["dispatch"], int(former["node"]))
            for each in reversed(_jobs.values()):
                if each.place == place:
                    return each
    raise JobMissingError(
        f"this process has started no electron {name!r}",
        hint="`submit_task` returns the id to pass here; `lambdamagic jobs` lists the jobs of other processes",
    )


def forget(job: ElectronJob) -> None:
    """Forget an electron."""
    with _lock:
        _jobs.pop(job.job_id, None)


def known_dispatch(dispatch_id: str, options: Mapping[str, Any]) -> Dispatch | None:
    """Return what the electrons of a dispatch share, or None if it is not made yet; does not block."""
    with _lock:
        return _dispatches.get(_key(dispatch_id, options))


def _key(dispatch_id: str, options: Mapping[str, Any]) -> str:
    return json.dumps([dispatch_id, options], sort_keys=True)


def dispatch_of(dispatch_id: str, options: Mapping[str, Any]) -> Dispatch:
    """Return what the electrons of a dispatch share; made at first use.

    Raises:
        LambdaMagicError: The options contradict each other, or the target is not usable.
    """
    key = _key(dispatch_id, options)
    with _lock:
        found = _dispatches.pop(key, None)
    made = found or Dispatch(options)
    with _lock:
        made = _dispatches.setdefault(key, made)
        _dispatches.move_to_end(key)
        while len(_dispatches) > _DISPATCHES_KEPT:
            _dispatches.popitem(last=False)
    return made
