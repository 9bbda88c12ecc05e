"""Electrons as jobs. All is kept by the module: Covalent makes an executor anew for each electron."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, TypeVar

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.api.map_job import MapJob
from lambdamagic.covalent.electrons import Electron
from lambdamagic.errors import JobMissingError
from lambdamagic.pythons import python_here
from lambdamagic.worker.electron import ElectronCall, Returned

_T = TypeVar("_T")

#: Threads that wait for electrons: as many as an account's default quota of invocations at once ("Lambda quotas").
WAITING = ThreadPoolExecutor(1000, thread_name_prefix="lambdamagic-covalent")

_EXECUTORS_KEPT = 64
_JOBS_KEPT = 1000
#: How programs written for Covalent's former executor name what belongs to an electron.
_FORMER_NAME = re.compile(r"(?:func|result|exception)-(?P<dispatch>.+)-(?P<node>-?\d+)\.(?:pkl|json)")

_lock = threading.Lock()
_executors: OrderedDict[str, LambdaExecutor] = OrderedDict()
_jobs: OrderedDict[str, ElectronJob] = OrderedDict()


class ElectronJob:
    """One electron under way, or one that has ended.

    Args:
        job: Its job, of one task.
        electron: What runs.
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

    def cancel(self) -> None:
        """Tell it to stop; it has ended within seconds. Idempotent."""
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


def start(electron: Electron, options: Mapping[str, Any]) -> ElectronJob:
    """Send an electron.

    Args:
        electron: What is to run.
        options: What `LambdaExecutor` takes.

    Raises:
        LambdaMagicError: It cannot be sent.
    """
    executor = _executor(electron.dispatch_id, options)
    asks = electron.requirements or electron.commands
    electron.check(executor.packages() if asks else None, str(options.get("python") or python_here()))
    call = ElectronCall(electron.name, electron.dispatch_id, electron.node_id)
    started = ElectronJob(executor.start_map(call, [electron.sent]), electron)
    with _lock:
        _jobs[started.job_id] = started
        while len(_jobs) > _JOBS_KEPT and next(iter(_jobs.values())).is_over:
            _jobs.popitem(last=False)
    return started


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
        hint="`submit_task` returns the id to ask with; `lambdamagic jobs` lists those of other processes",
    )


def forget(job: ElectronJob) -> None:
    """Keep nothing of an electron any more."""
    with _lock:
        _jobs.pop(job.job_id, None)


def _executor(dispatch_id: str, options: Mapping[str, Any]) -> LambdaExecutor:
    """Return the executor of a dispatch: what `max_cost_usd` allows is for one dispatch, not for a server's life."""
    key = json.dumps([dispatch_id, options], sort_keys=True)
    with _lock:
        found = _executors.pop(key, None)
    made = found or LambdaExecutor(**options)
    with _lock:
        made = _executors.setdefault(key, made)
        _executors.move_to_end(key)
        while len(_executors) > _EXECUTORS_KEPT:
            _executors.popitem(last=False)
    return made
