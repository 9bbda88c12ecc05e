"""One execution environment: a real process of AWS's runtime client, from INIT to its end.

It knows its process, its Runtime API and its limits. It does not know who invokes, how many environments
there are, or what a client is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from lambdamagic.local.control.log_streams import (
    MAX_OUTPUT_BYTES,
    FailedInit,
    InvocationLog,
    LogBuffer,
    LogStream,
)
from lambdamagic.local.environments.blueprints import Blueprint
from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.init_phase import InitPhase
from lambdamagic.local.environments.invocations import Invocation, NotDelivered, Running
from lambdamagic.local.environments.output_pipe import OutputPipe
from lambdamagic.local.environments.peers import is_process
from lambdamagic.local.environments.processes import Processes, ProcessExit
from lambdamagic.local.environments.resident_memory import peak_rss_mb
from lambdamagic.local.environments.restore import Restore
from lambdamagic.local.environments.results import (
    MAX_RESPONSE_BYTES,
    Result,
    exit_error,
    response_too_large,
    task_timed_out,
)
from lambdamagic.local.environments.runtime_api import Refusal, RuntimeApi, Task
from lambdamagic.local.server.error_bodies import AwsError

_ids = itertools.count(1)
_HOME = "/home/sbx_user1051"  # as Lambda's user has it: a folder that is not there


class Environment:
    """A process that runs one invocation at a time. Lives in the event loop.

    Args:
        before: The environment whose INIT failed: this one is the same sandbox, and its INIT is part of the invocation.
    """

    def __init__(
        self,
        function: FunctionVersion,
        blueprint: Blueprint,
        *,
        folder: Path,
        before: Environment | None = None,
        processes: Processes,
        logs: LogBuffer,
        init_timeout_s: float,
        on_end: Callable[[Environment], None],
        on_thaw: Callable[[Environment, float], None] = lambda environment, frozen_s: None,
    ) -> None:
        self.function = function
        self.identity = f"{next(_ids)}-{secrets.token_hex(4)}"
        self.pid: int | None = None
        self.peak_memory_mb = 0
        self.function_is_current = True
        self.last_used = time.monotonic()
        self._blueprint = blueprint
        self._before = before
        self._folder: Path = before._folder if before else folder / self.identity
        self._processes = processes
        self._logs = logs
        self._init_timeout_s = init_timeout_s
        self._on_end, self._on_thaw = on_end, on_thaw
        self._api = RuntimeApi(self, self._is_runtime)
        new_stream = LogStream.create(function.name, function.version, time.time())
        self._stream: LogStream = before._stream if before else new_stream
        self._init = InitPhase(asyncio.get_running_loop().create_future())
        self._restore = Restore()
        self._deliver: Callable[[Task], bool] | None = None
        self._running: Running | None = None
        self._answered = ""
        self._output: OutputPipe | None = None
        self._exit: ProcessExit | None = None
        self._kill_reason = ""
        self._frozen_at: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process may still take a task."""
        return self._exit is None and not self._kill_reason

    @property
    def is_busy(self) -> bool:
        """Whether it has a task or is still in INIT."""
        return self._running is not None or not self._init.ended.done()

    @property
    def may_start_over(self) -> bool:
        """Whether its INIT failed by itself: not where the function was deleted or the instance ends."""
        return self._kill_reason in ("", "init timeout", "memory", "fault")

    @property
    def is_snapshot(self) -> bool:
        """Whether it is initialized and waits for its restore."""
        return self._restore.is_waiting

    async def start(self, request_id: str) -> Result | None:
        """Start the process and wait for the end of INIT, where a snapshot would be taken; return why it failed, if so.

        Args:
            request_id: Of the invocation that waits for it, named in errors.

        Raises:
            TimeoutError: INIT took longer than Lambda gives it; the process has been killed.
            LocalServerError: The process could not be started.
        """
        temporary = self._folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._output = OutputPipe(self._folder / f"output-{self.identity}", self._keep)
        await self._api.open()
        self._init.begin(request_id)
        surroundings = self._blueprint.surroundings
        if surroundings is not None:
            surroundings = {**surroundings, "writable": [*surroundings["writable"], str(self._folder)]}
        env = {
            **self._blueprint.variables,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "LAMBDAMAGIC_ENVIRONMENT_ID": self.identity,
            "TMPDIR": str(temporary),
            "HOME": _HOME if surroundings is not None else str(temporary),
        }
        if not self._blueprint.is_restored:
            env["AWS_LAMBDA_LOG_STREAM_NAME"] = self._stream.name
        self.pid = await self._processes.spawn(
            self.identity,
            argv=self._blueprint.argv,
            env=env,
            cwd=self._blueprint.task_root,
            output=self._output.path,
            surroundings=surroundings,
            on_exit=self._on_exit,
        )
        self._api.admit()
        try:
            async with asyncio.timeout(self._init_timeout_s):
                return await asyncio.shield(self._init.ended)
        except TimeoutError:
            self.kill("init timeout")
            raise

    async def restore(self) -> None:
        """Continue from the snapshot, until the process is ready for a task.

        Raises:
            AwsError: It could not; the process is ended.
        """
        self.last_used = time.monotonic()
        try:
            await self._restore.run()
        except AwsError:
            self.kill("restore")
            raise

    async def run(self, invocation: Invocation) -> tuple[Result, InvocationLog]:
        """Run one task to its end, whatever that is.

        Raises:
            NotDelivered: The process had died before it took the task.
        """
        loop = asyncio.get_running_loop()
        log = InvocationLog(
            request_id=invocation.request_id,
            version=self.function.version,
            started_at=time.time(),
            memory_mb=self.function.memory_mb,
            runtime=self._blueprint.runtime,
        )
        running = Running(invocation, loop.create_future(), log, time.perf_counter())
        self._running = running
        running.spent_s = self._init.move_to(log, self._restore.ms, self._before._init if self._before else None)
        running.timer = loop.call_later(self.function.timeout_s - running.spent_s, self.kill, "timeout")
        if self._exit is not None:
            self._finish_dead()
        elif self._deliver is not None and self.is_alive:  # else its end, which is near, says that it took nothing
            self._hand_over()
        try:
            result = await running.done
        finally:
            running.timer.cancel()
            self._logs.end(log)
            self._running = None
            self.last_used = time.monotonic()
        log.duration_ms = (time.perf_counter() - running.began + running.spent_s) * 1000
        if self._kill_reason == "timeout":
            log.duration_ms = max(log.duration_ms, self.function.timeout_s * 1000.0)
        if self.pid is not None and self._exit is None:
            self.peak_memory_mb = max(self.peak_memory_mb, peak_rss_mb(self.pid))
        log.peak_memory_mb = min(self.peak_memory_mb, self.function.memory_mb)
        self._logs.append(self._stream, log)
        return result, log

    def init_failed(self, result: Result) -> FailedInit:
        """Note why INIT failed, and end the process where it still runs."""
        failed = self._init.fail(result, phase="init" if self._before is None else "invoke")
        self.kill("init failed")
        return failed

    def log_failed_init(self, request_id: str, result: Result) -> InvocationLog:
        """Record an invocation whose INIT failed the second time."""
        failed = self.init_failed(result)
        log = InvocationLog(
            request_id=request_id,
            version=self.function.version,
            started_at=time.time(),
            duration_ms=failed.ms,
            memory_mb=self.function.memory_mb,
            peak_memory_mb=self.peak_memory_mb,
            failed_inits=(*(self._before._init.failures() if self._before else ()), failed),
            status=result.status,
            error_type=result.error_type,
            note=result.note,
            runtime=self._blueprint.runtime,
        )
        self._logs.append(self._stream, log)
        return log

    def kill(self, reason: str) -> None:
        """Kill the process; its invocation ends with the error that belongs to the reason."""
        if self.is_alive:
            self._kill_reason = reason
            self._processes.kill(self.identity)

    def discard(self) -> None:
        """Close what was opened for a process that never started."""
        self._api.close()
        self._close_output()

    def note_memory(self, used_mb: int) -> None:
        """Record what the process tree uses; it is killed when that is too much."""
        self.peak_memory_mb = max(self.peak_memory_mb, used_mb)
        if used_mb > self.function.memory_mb:
            self.kill("memory")

    # What the runtime says.

    def on_next(self, deliver: Callable[[Task], bool]) -> None:
        """Runtime API: INIT is over, or the last task is; asked before its end, the same task is handed over again."""
        running = self._running
        if running is not None and running.task is not None and not running.done.done():
            deliver(running.task)
            return
        self._deliver = deliver
        if not self._init.ended.done():
            self._end_init()
        elif self._restore.end():
            self._drain()
        elif self._blueprint.freezes and self.is_alive and (running is None or running.delivered):
            self._frozen_at = time.monotonic()
            self._processes.freeze(self.identity)
        if running is not None and not running.delivered and self.is_alive:
            self._hand_over()

    def on_result(self, request_id: str, payload: bytes, *, is_error: bool) -> Refusal | None:
        """Runtime API: the task has a result."""
        running = self._running
        if request_id == self._answered and (running is None or running.invocation.request_id == request_id):
            return Refusal.of_state("RuntimeResponseSentState", "InvocationResponse")
        if running is None or running.invocation.request_id != request_id or not running.delivered:
            return Refusal(400, "InvalidRequestID", "Invalid request ID")
        self._drain()
        self._answered = request_id
        if running.done.done():
            return None
        if len(payload) > MAX_RESPONSE_BYTES:
            running.log.status, running.log.error_type = "error", "Function.ResponseSizeTooLarge"
            running.done.set_result(response_too_large())
            text = f"Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
            return Refusal(413, "RequestEntityTooLarge", text)
        running.done.set_result(Result(payload, is_error=is_error))
        return None

    def on_init_error(self, payload: bytes) -> Refusal | None:
        """Runtime API: the handler could not be loaded. The runtime ends by itself."""
        self._drain()
        if self._init.ended.done():
            return self._refusal_of("InitError")
        self._init.ended.set_result(Result(payload, is_error=True, status="error", error_type="Runtime.InitError"))
        return None

    def on_snapshot(self, proceed: Callable[[], None]) -> Refusal | None:
        """Runtime API: INIT is over, and the process waits to be restored."""
        if self._init.ended.done() or not self._blueprint.is_restored:
            return self._refusal_of("RestoreReady")
        self._restore.reach(proceed)
        self._end_init()
        return None

    def on_restore_error(self, payload: bytes) -> Refusal | None:
        """Runtime API: a hook failed after the restore. The runtime ends by itself."""
        self._drain()
        is_restoring = self._restore.end(payload.decode(errors="replace"))
        return None if is_restoring else self._refusal_of("RuntimeRestoreErrorState")

    # Its own parts.

    def _refusal_of(self, wanted: str) -> Refusal:
        state = "Running" if self._running is not None else "Ready" if self._init.ended.done() else "Started"
        return Refusal.of_state(state, wanted)

    def _end_init(self) -> None:
        self._init.ms = self._init.so_far_ms
        self._drain()
        self._init.ended.set_result(None)

    def _is_runtime(self, transport: asyncio.Transport) -> bool:
        assert self.pid is not None
        return self._blueprint.is_container or is_process(transport, self.pid)

    def _hand_over(self) -> None:
        running, deliver = self._running, self._deliver
        assert running is not None
        assert deliver is not None
        self._deliver = None
        if self._frozen_at is not None:
            frozen_s, self._frozen_at = time.monotonic() - self._frozen_at, None
            self._on_thaw(self, frozen_s)
            self._processes.thaw(self.identity)
        running.log.started_at = time.time()
        running.began = time.perf_counter()
        task = Task(
            request_id=running.invocation.request_id,
            invoked_arn=running.invocation.invoked_arn,
            deadline_ms=int((running.log.started_at + self.function.timeout_s - running.spent_s) * 1000),
            trace_id=running.invocation.trace_id,
            client_context=running.invocation.client_context,
            payload=running.invocation.payload,
        )
        running.delivered = deliver(task)
        if running.delivered:
            running.task, self._answered = task, ""
            self._logs.begin(self._stream, running.log)

    def _drain(self) -> None:
        if self._output is not None:
            self._output.drain()

    def _keep(self, data: bytes) -> None:
        if self._running is not None:
            log = self._running.log
            if len(log.output) < MAX_OUTPUT_BYTES:
                log.output += data
        elif len(self._init.output) < MAX_OUTPUT_BYTES:
            self._init.output += data  # INIT, or a thread between two tasks: reported with the next one

    def _on_exit(self, ended: ProcessExit) -> None:
        self._exit = ended
        self._drain()
        self._close_output()
        self._api.close()
        self._deliver = None
        self.peak_memory_mb = max(self.peak_memory_mb, -(-ended.peak_rss_kb // 1024))
        self._restore.end("The process ended in a hook after the restore.")
        if not self._init.ended.done():
            self._init.ended.set_result(exit_error(self._init.request_id, ended, self._kill_reason))
        if self._running is not None:
            self._finish_dead()
        if self._before is not None or self._init.ended.result() is None:  # else the second INIT finds its /tmp
            asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, self._folder, True)
        self._on_end(self)

    def _finish_dead(self) -> None:
        running = self._running
        assert running is not None
        assert self._exit is not None
        if running.done.done():
            return
        if not running.delivered and self._kill_reason not in ("timeout", "memory"):
            running.done.set_exception(NotDelivered())
            return
        request_id = running.invocation.request_id
        if self._kill_reason == "timeout":
            result = task_timed_out(request_id, self.function.timeout_s)
        else:
            result = exit_error(request_id, self._exit, self._kill_reason)
        log = running.log
        log.note, log.status, log.error_type = result.note, result.status, result.error_type
        running.done.set_result(result)

    def _close_output(self) -> None:
        if self._output is not None:
            self._output.close()
