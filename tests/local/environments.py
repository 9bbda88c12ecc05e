"""Execution environments without processes: a test says when each is up, answers and ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from lambdamagic.local.control.log_streams import LogBuffer
from lambdamagic.local.environments.blueprints import Blueprint
from lambdamagic.local.environments.environment import Environment
from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.invocations import Invocation
from lambdamagic.local.environments.invoke_api import new_request_id
from lambdamagic.local.environments.processes import ProcessExit
from lambdamagic.local.environments.runtime_api import Task

KILLED = ProcessExit(9)


def function(name: str, **changes: Any) -> FunctionVersion:
    """Return a function as the data plane sees it."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    values: dict[str, Any] = {
        "name": name,
        "version": "$LATEST",
        "arn": arn,
        "invoked_arn": arn,
        "handler": "app.handler",
        "runtime": "python3.12",
        "memory_mb": 10_240,
        "timeout_s": 900,
        "variables": (),
        "code_digest": "",
        "package": b"",
        "layers": (),
        "package_type": "Zip",
        "reserved_concurrency": None,
        "max_retries": 2,
        "max_event_age_s": 21_600,
        "on_failure_arn": None,
        "on_success_arn": None,
        "region": "us-east-1",
    }
    return FunctionVersion(**{**values, **changes})


def blueprint(folder: Path) -> Blueprint:
    """Return how a process would be started."""
    return Blueprint(["/bin/true"], {}, folder, "python3.12")


def log_buffer() -> LogBuffer:
    """Return a log without a reader."""
    return LogBuffer(account_id="123456789012", region="us-east-1", has_function=lambda name: True)


def invocation() -> Invocation:
    """Return a task."""
    return Invocation(new_request_id(), b"{}", "arn")


class ScriptedProcesses:
    """Stands for the keeper: notes what is started and killed, and ends nothing before it is asked."""

    keeper_pid = 0

    def __init__(self) -> None:
        self.begun: list[Environment] = []
        self.killed: list[Environment] = []
        self.tasks: list[Task] = []

    async def spawn(self, identity: str, **options: Any) -> int:
        """Record the environment, which is reported of its process's end by a separate method."""
        del identity
        self.begun.append(options["on_exit"].__self__)
        return os.getpid()

    def kill(self, identity: str) -> None:
        """Record what is to be killed."""
        self.killed.append(next(each for each in self.begun if each.identity == identity))

    def be_ready(self, environment: Environment) -> None:
        """Ask for the next task, as a runtime does at the end of INIT and of each task."""
        environment.on_next(self._deliver)

    def answer(self, environment: Environment) -> None:
        """Answer the last task, and ask for the next."""
        assert environment.on_result(self.tasks[-1].request_id, b"1", is_error=False) is None
        self.be_ready(environment)

    def end(self, environment: Environment) -> None:
        """Let a process end as one that was killed."""
        environment._on_exit(KILLED)

    def close(self) -> None:
        """Close what is still open."""
        for environment in self.begun:
            environment.discard()

    def _deliver(self, task: Task) -> bool:
        self.tasks.append(task)
        return True


async def until(is_so: Any) -> None:
    """Let the event loop continue until a condition holds."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - it is asked at every step of the loop, and waits for no time
            await asyncio.sleep(0)
