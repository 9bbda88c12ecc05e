"""The line by which an invocation names its job in the log, so that logs of any age can be found by job and task."""

from __future__ import annotations

import re

#: Around what a cell shows while it runs: one line, JSON between these.
DISPLAYS_BEGIN, DISPLAYS_END = "LAMBDAMAGIC displays=", " LAMBDAMAGIC end"

JOB_LINE = re.compile(r"^LAMBDAMAGIC job=(?P<job>\S+) attempt=\S+ tasks=(?P<first>\d+)-(?P<last>\d+)$")


def job_line(job_id: str, attempt_id: str, first: int, last: int) -> str:
    """Return the line.

    Args:
        job_id: The job.
        attempt_id: The attempt that the invocation is.
        first: The number of its first task.
        last: The number of its last one.
    """
    return f"LAMBDAMAGIC job={job_id} attempt={attempt_id} tasks={first}-{last}"


def without_displays(text: str) -> str:
    """Return a log without the lines that hold displays; the first may have lost its beginning."""
    if DISPLAYS_END not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not line.rstrip().endswith(DISPLAYS_END))
