"""The REPORT line that Lambda writes at the end of every invocation, and what an invocation is billed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NUMBER = r"([0-9]{1,15}(?:[.][0-9]{1,15})?)"  # what a function prints can look like a report
_FIELDS = {
    "duration_ms": re.compile(rf"\tDuration: {_NUMBER} ms"),
    "billed_ms": re.compile(rf"\tBilled Duration: {_NUMBER} ms"),
    "memory_mb": re.compile(rf"\tMemory Size: {_NUMBER} MB"),
    "peak_memory_mb": re.compile(rf"\tMax Memory Used: {_NUMBER} MB"),
    "restore_ms": re.compile(rf"\tRestore Duration: {_NUMBER} ms"),
    "init_ms": re.compile(rf"\tInit Duration: {_NUMBER} ms"),
}
# No REPORT line has an INIT that failed or took too long; one of the phase `invoke` is part of REPORT's Duration.
_FAILED_INIT = re.compile(rf"INIT_REPORT Init Duration: {_NUMBER} ms\tPhase: init\tStatus: (?:timeout|error)\b")


@dataclass(frozen=True)
class Report:
    """What one invocation cost, as Lambda reports it.

    Attributes:
        request_id: AWS's id of the invocation.
        duration_ms: Run time.
        billed_ms: Billed run time; includes INIT for managed runtimes since August 2025, also one that failed before.
        memory_mb: The function's memory.
        peak_memory_mb: Highest use of it in this execution environment.
        init_ms: How long INIT took; 0 when the environment was warm.
        failed_init_ms: How long an INIT took that failed before, for which there is no REPORT line.
        restore_ms: How long the restore of a snapshot took (SnapStart); 0 when the environment was warm.
    """

    request_id: str = ""
    duration_ms: float = 0.0
    billed_ms: float = 0.0
    memory_mb: int = 0
    peak_memory_mb: int = 0
    init_ms: float = 0.0
    failed_init_ms: float = 0.0
    restore_ms: float = 0.0

    @property
    def is_cold(self) -> bool:
        """Whether INIT ran for this invocation, or a snapshot was restored."""
        return self.init_ms > 0 or self.restore_ms > 0


def parse_report(log_tail: str, request_id: str = "") -> Report | None:
    """Find the REPORT line in a log tail.

    Args:
        log_tail: Text of `LogResult`.
        request_id: Take only this invocation's line, if given.
    """
    lines = log_tail.splitlines()
    for line in reversed(lines):
        if not line.startswith(f"REPORT RequestId: {request_id}"):
            continue
        found = {name: pattern.search(line) for name, pattern in _FIELDS.items()}
        numbers = {name: float(match.group(1)) for name, match in found.items() if match}
        failed_init_ms = _failed_init_ms(lines)
        return Report(
            request_id=line.split("\t")[0].removeprefix("REPORT RequestId: ").strip(),
            duration_ms=numbers.get("duration_ms", 0.0),
            billed_ms=numbers.get("billed_ms", 0.0) + math.ceil(failed_init_ms),
            memory_mb=int(numbers.get("memory_mb", 0)),
            peak_memory_mb=int(numbers.get("peak_memory_mb", 0)),
            init_ms=numbers.get("init_ms", 0.0),
            failed_init_ms=failed_init_ms,
            restore_ms=numbers.get("restore_ms", 0.0),
        )
    return None


def _failed_init_ms(lines: list[str]) -> float:
    total = 0.0
    for line in lines:
        if line.startswith("START RequestId: "):
            break  # what follows is the function's own
        failed = _FAILED_INIT.match(line)
        if failed:
            total += float(failed[1])
    return total
