"""What an environment is given to run, and what is known of it while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lambdamagic.local.control.log_streams import InvocationLog
from lambdamagic.local.environments.results import Result
from lambdamagic.local.environments.runtime_api import Task


@dataclass(slots=True)
class Invocation:
    """One task given to an environment."""

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: str | None = None
    trace_id: str = "Root=1-00000000-000000000000000000000000;Sampled=0"


@dataclass(slots=True)
class Running:
    """An invocation that an environment runs.

    Attributes:
        done: Its result.
        log: What is logged of it.
        began: By `time.perf_counter`.
        spent_s: How long an INIT ran that is part of it.
        delivered: Whether the runtime has taken it.
        task: What was delivered.
        timer: Ends it at its timeout.
    """

    invocation: Invocation
    done: asyncio.Future[Result]
    log: InvocationLog
    began: float
    spent_s: float = 0.0
    delivered: bool = False
    task: Task | None = None
    timer: asyncio.TimerHandle | None = None


class NotDelivered(Exception):
    """The environment died before it took the task, so another one may run it."""
