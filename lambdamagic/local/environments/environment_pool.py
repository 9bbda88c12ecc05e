"""Choose the environment of an invocation, and enforce the concurrency quota.

Lambda counts running invocations, not environments, and refuses what is over the quota at once: it never
queues a synchronous call. So does this.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lambdamagic.errors import LocalServerError
from lambdamagic.local.control.log_streams import InvocationLog, LogBuffer
from lambdamagic.local.environments.blueprints import Blueprint
from lambdamagic.local.environments.environment import Environment
from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.invocations import Invocation, NotDelivered
from lambdamagic.local.environments.processes import Processes
from lambdamagic.local.environments.resident_memory import strays_rss_bytes, tree_rss_bytes
from lambdamagic.local.environments.results import Result, task_timed_out
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.observing import Observed

MEMORY_SAMPLE_S = 0.025  # a process that fills memory at 2 GB/s overshoots by some 50 MB
_MB = 1024 * 1024
_MAX_UNDELIVERED = 3
_IDLE_CHECK_S = 1.0


def throttled(reason: str) -> AwsError:
    """Return Lambda's 429; `reason` distinguishes a reserved quota from the account's."""
    return AwsError(
        429, "TooManyRequestsException", "Rate Exceeded.", members={"Reason": reason}, headers={"Retry-After": "1"}
    )


@dataclass(frozen=True, slots=True)
class Completed:
    """An invocation that came to an end, with what is needed to answer it."""

    result: Result
    log: InvocationLog
    was_cold: bool


class Pool:
    """All execution environments of an instance. Lives in the event loop."""

    def __init__(
        self,
        *,
        folder: Path,
        processes: Processes,
        logs: LogBuffer,
        observed: Observed,
        concurrency: int,
        idle_expiry_s: float,
        init_timeout_s: float,
        silence: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._folder = folder
        self._processes = processes
        self._logs = logs
        self._observed = observed
        self._concurrency = concurrency
        self._idle_expiry_s = idle_expiry_s
        self._init_timeout_s = init_timeout_s
        self._silence = silence
        self._idle: dict[tuple[str, str], list[Environment]] = defaultdict(list)
        self._alive: dict[str, Environment] = {}
        self._running_by_name: dict[str, int] = defaultdict(int)
        self._sampler: asyncio.Task[None] | None = None
        self._work = asyncio.Event()
        self.reserved: dict[str, int] = {}

    @property
    def live(self) -> int:
        """How many environments there are."""
        return len(self._alive)

    def start(self) -> None:
        """Begin to watch memory and idle time."""
        self._sampler = asyncio.get_running_loop().create_task(self._watch())

    def admit(self, function: FunctionVersion) -> None:
        """Count an invocation in, or refuse it.

        Raises:
            AwsError: The function's reserved concurrency or the account's quota is used up.
        """
        running = self._running_by_name
        reserved = self.reserved.get(function.name)
        if reserved is not None and running.get(function.name, 0) >= reserved:
            raise throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        if sum(running.values()) >= self._concurrency:
            raise throttled("ConcurrentInvocationLimitExceeded")
        if reserved is None and self.reserved:
            # What is reserved for some functions is out of reach for the others ("Configuring reserved concurrency").
            left = self._concurrency - sum(self.reserved.values())
            unreserved = sum(count for name, count in running.items() if name not in self.reserved)
            if unreserved >= left:
                raise throttled("ConcurrentInvocationLimitExceeded")
        running[function.name] += 1

    def leave(self, function: FunctionVersion) -> None:
        """Count an admitted invocation out."""
        left = self._running_by_name[function.name] - 1
        if left:
            self._running_by_name[function.name] = left
        else:
            del self._running_by_name[function.name]

    async def run(
        self,
        function: FunctionVersion,
        blueprint: Blueprint,
        invocation: Invocation,
        *,
        kill_after_s: float | None = None,
    ) -> Completed:
        """Run an admitted invocation on a warm environment or a new one.

        Args:
            function: What to run.
            blueprint: How its environments are started.
            invocation: The task.
            kill_after_s: A scripted fault: kill the environment so long after it took the task.

        Raises:
            LocalServerError: No process could be started.
        """
        for _ in range(_MAX_UNDELIVERED):
            environment = self._take_idle(function)
            was_cold = environment is None or environment.is_snapshot
            if environment is None:
                environment = self._create(function, blueprint)
                failed = await self._init(environment, invocation.request_id)
                if failed is not None and environment.may_start_over:
                    # "Failures during the Init phase": again, now as part of the invocation.
                    environment.init_failed(failed)
                    environment = self._create(function, blueprint, before=environment)
                    failed = await self._init(environment, invocation.request_id)
                if failed is not None:
                    self._observed.observer.started(is_cold=True)
                    return self._billed(
                        Completed(failed, environment.log_failed_init(invocation.request_id, failed), True)
                    )
            if environment.is_snapshot:
                await environment.restore()
            self._observed.observer.started(is_cold=was_cold)
            self._work.set()
            fault = None
            if kill_after_s is not None:
                fault = asyncio.get_running_loop().call_later(kill_after_s, environment.kill, "fault")
            try:
                result, log = await environment.run(invocation)
            except NotDelivered:
                continue
            finally:
                if fault is not None:
                    fault.cancel()  # it is meant for this task and none that follows it
                self._give_back(environment)
            return self._billed(Completed(result, log, was_cold))
        raise LocalServerError(f"environments of {function.name} die before they take a task")

    async def snapshot(self, function: FunctionVersion, blueprint: Blueprint) -> Result | None:
        """Initialize the first environment of a version, up to where its snapshot is taken; return why it failed.

        Raises:
            LocalServerError: No process could be started.
        """
        environment = self._create(function, blueprint)
        failed = await self._init(environment, "")
        if failed is None:
            self._give_back(environment)
        return failed

    def _billed(self, completed: Completed) -> Completed:
        log = completed.log
        unreported_ms = sum(each.billed_ms for each in log.failed_inits)
        self._observed.observer.billed(log.billed_ms + unreported_ms, log.memory_mb)
        return completed

    def retire(self, keep: Callable[[FunctionVersion], bool]) -> None:
        """End what was made for functions that are no longer so; busy environments finish their task first."""
        for environment in list(self._alive.values()):
            if not keep(environment.function):
                environment.function_is_current = False
                if not environment.is_busy:
                    environment.kill("retired")
        for key in list(self._idle):
            self._idle[key] = [e for e in self._idle[key] if e.function_is_current]

    def kill_missing(self, names: set[str]) -> None:
        """Kill all environments of functions that are no longer there."""
        for environment in list(self._alive.values()):
            if environment.function.name not in names:
                environment.kill("deleted")

    def close(self) -> None:
        """Stop watching and kill all environments."""
        if self._sampler is not None:
            self._sampler.cancel()
        for environment in list(self._alive.values()):
            environment.kill("shutdown")

    def _take_idle(self, function: FunctionVersion) -> Environment | None:
        idle = self._idle[function.key]
        while idle:
            # The last used first: the others age and expire.
            environment = idle.pop()
            if environment.function.fingerprint != function.fingerprint:
                environment.kill("retired")  # made for one who had read the function before it was changed
            elif environment.is_alive:
                return environment
        return None

    def _create(
        self, function: FunctionVersion, blueprint: Blueprint, *, before: Environment | None = None
    ) -> Environment:
        if len(self._alive) >= self._concurrency:
            self._evict_one()
        environment = Environment(
            function,
            blueprint,
            folder=self._folder,
            processes=self._processes,
            logs=self._logs,
            before=before,
            init_timeout_s=self._init_timeout_s if before is None else float(function.timeout_s),
            on_end=self._on_end,
            on_thaw=self._on_thaw,
        )
        self._alive[environment.identity] = environment
        self._work.set()
        return environment

    async def _init(self, environment: Environment, request_id: str) -> Result | None:
        try:
            return await environment.start(request_id)
        except TimeoutError:
            return task_timed_out(request_id, environment.function.timeout_s)
        except (OSError, LocalServerError):
            self._alive.pop(environment.identity, None)
            environment.discard()
            raise

    def _give_back(self, environment: Environment) -> None:
        if not environment.is_alive:
            return
        if environment.function_is_current:
            self._idle[environment.function.key].append(environment)
        else:
            environment.kill("retired")

    def _evict_one(self) -> None:
        idle = [environment for stack in self._idle.values() for environment in stack if environment.is_alive]
        if idle:
            oldest = min(idle, key=lambda environment: environment.last_used)
            self._idle[oldest.function.key].remove(oldest)
            oldest.kill("evicted")

    def _on_end(self, environment: Environment) -> None:
        self._alive.pop(environment.identity, None)
        idle = self._idle.get(environment.function.key)
        if idle and environment in idle:
            idle.remove(environment)

    def _on_thaw(self, environment: Environment, frozen_s: float) -> None:
        if environment.pid is not None and self._observed.observer.thawing(environment.function.name, frozen_s):
            self._silence(environment.pid)

    async def _watch(self) -> None:
        """Sample the memory of busy environments, and end those that have been idle for long."""
        checked_at = 0.0
        while True:
            busy = [e for e in self._alive.values() if e.is_busy and e.pid is not None and e.is_alive]
            if busy:
                known = {e.pid: e.identity for e in self._alive.values() if e.pid is not None}
                strays = strays_rss_bytes(self._processes.keeper_pid, known)
            for environment in busy:
                assert environment.pid is not None
                used = tree_rss_bytes(environment.pid) + strays.get(environment.identity, 0)
                environment.note_memory(-(-used // _MB))
            now = time.monotonic()
            if now - checked_at > _IDLE_CHECK_S:
                checked_at = now
                for environment in list(self._alive.values()):
                    if not environment.is_busy and now - environment.last_used > self._idle_expiry_s:
                        environment.kill("idle")
            if busy:
                await asyncio.sleep(MEMORY_SAMPLE_S)
            else:
                self._work.clear()
                try:
                    async with asyncio.timeout(_IDLE_CHECK_S):
                        await self._work.wait()
                except TimeoutError:
                    pass
