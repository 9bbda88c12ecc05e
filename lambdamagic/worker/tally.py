"""What an invocation is billed for, as far as it can know before its answer is written.

Lambda's REPORT line says it better, but only a synchronous caller receives it.
"""

from __future__ import annotations

import os
import sys
import time

from lambdamagic.protocol.envelope import Usage
from lambdamagic.worker.this_environment import raw_environment


class Tally:
    """One invocation's.

    Args:
        began: When the handler was entered, by `time.perf_counter()`.
        init_ms: How long INIT took, if it was this invocation's.
        is_cold: Whether this is the environment's first invocation.
    """

    def __init__(self, began: float, *, init_ms: float, is_cold: bool) -> None:
        self._began, self._init_ms, self._is_cold = began, init_ms, is_cold
        self._writes, self._reads = _requests()
        self._after_ms, self._after_writes = 0.0, 0

    def claimed(self) -> None:
        """Note that a claim was made: storing the answer and the last sign will take about as long as its requests."""
        self._after_ms = (time.perf_counter() - self._began) * 1000
        self._after_writes = 2

    def usage(self, *, user_ms: float = 0.0, fetched_bytes: int = 0) -> Usage:
        """Return what is used, the answer's own way into the bucket included."""
        writes, reads = _requests()
        writes += self._after_writes - self._writes
        reads -= self._reads
        return Usage(
            duration_ms=(time.perf_counter() - self._began) * 1000 + self._after_ms,
            user_ms=user_ms,
            peak_memory_mb=_peak_memory_mb(),
            cold=self._is_cold,
            environment_id=_environment_id(),
            fetched_bytes=fetched_bytes,
            s3_requests=writes + reads,
            s3_writes=writes,
            init_ms=self._init_ms,
        )


def _requests() -> tuple[int, int]:
    """Return the writes and reads of S3 that this environment has made; most make none, and load nothing for it."""
    meter = getattr(sys.modules.get("lambdamagic.storage.requests"), "PROCESS", None)
    if meter is None:  # or another thread is importing it
        return 0, 0
    total = meter.total
    return total.writes, total.reads


def _peak_memory_mb() -> int:
    """Return the highest resident memory of this environment so far, as Lambda's own report counts it."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20) if sys.platform == "darwin" else peak // 1024


def _environment_id() -> str:
    """Return what identifies this execution environment: its log stream, or what it gave itself at its restore."""
    restoring = sys.modules.get("lambdamagic.worker.restoring")
    own = "" if restoring is None else str(restoring.RESTORED.environment_id)
    return own or os.fsdecode(raw_environment().get(b"AWS_LAMBDA_LOG_STREAM_NAME", b"")) or str(os.getpid())
