"""INIT of one environment: when it began, what it wrote, and how it ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from lambdamagic.local.control.log_streams import FailedInit
from lambdamagic.local.environments.results import Result


@dataclass(slots=True)
class InitPhase:
    """One INIT.

    Attributes:
        ended: Why it failed, or None where it did not.
        request_id: The invocation that waits for it.
        output: What it wrote, and later what threads write between two invocations.
        ms: How long it took, until an invocation is billed for it.
        failed: How it failed.
    """

    ended: asyncio.Future[Result | None]
    request_id: str = ""
    output: bytearray = field(default_factory=bytearray)
    ms: float | None = None
    failed: FailedInit | None = None
    _began: float = 0.0
    _began_at: float = 0.0

    def begin(self, request_id: str) -> None:
        """Note the moment before the process is started."""
        self.request_id, self._began, self._began_at = request_id, time.perf_counter(), time.time()

    @property
    def so_far_ms(self) -> float:
        """How long ago it began."""
        return (time.perf_counter() - self._began) * 1000

    def fail(self, result: Result, *, phase: str) -> FailedInit:
        """Note how it failed, and return that."""
        self.failed = FailedInit(
            self._began_at, self.so_far_ms, phase, result.status, result.error_type, bytes(self.output)
        )
        return self.failed
