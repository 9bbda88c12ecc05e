"""INIT of one environment: when it began, what it wrote, and how it ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from lambdamagic.local.control.log_streams import FailedInit, InvocationLog
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

    def failures(self) -> tuple[FailedInit, ...]:
        """Return how it failed, if it did."""
        return () if self.failed is None else (self.failed,)

    def move_to(self, log: InvocationLog, restore_ms: float | None, before: InitPhase | None) -> float:
        """Let an invocation's log have what was not reported yet; return how many seconds of INIT are part of it.

        Args:
            log: Of the invocation.
            restore_ms: How long the restore took, where INIT was when the version was published.
            before: The INIT that failed in the same sandbox.
        """
        output = bytes(self.output)
        self.output.clear()
        if self.ms is None:
            # Written by a thread between two tasks; a frozen environment of AWS's would write it now.
            log.output = output
            return 0.0
        ms, self.ms = self.ms, None
        log.init_output = output
        if restore_ms is not None:
            log.restore_ms = restore_ms
        elif before is None:
            log.init_ms = ms
        else:
            log.failed_inits = before.failures()
            return ms / 1000
        return 0.0
