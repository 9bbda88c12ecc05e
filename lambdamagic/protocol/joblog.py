"""The line by which an invocation names its job in the log, so that logs of any age can be found by job and task."""

from __future__ import annotations

import re
from typing import Any

from lambdamagic.protocol import reading

#: Around what a cell shows while it runs: one line, JSON between these.
DISPLAYS_BEGIN, DISPLAYS_END = "LAMBDAMAGIC displays=", " LAMBDAMAGIC end"

JOB_LINE = re.compile(r"^LAMBDAMAGIC job=(?P<job>\S+) attempt=\S+ tasks=(?P<first>[0-9]{1,15})-(?P<last>[0-9]{1,15})$")


def job_line(job_id: str, attempt_id: str, first: int, last: int) -> str:
    """Return the line.

    Args:
        job_id: The job.
        attempt_id: The attempt that the invocation is.
        first: The number of its first task.
        last: The number of its last one.
    """
    return f"LAMBDAMAGIC job={job_id} attempt={attempt_id} tasks={first}-{last}"


def read_displays(line: str) -> list[dict[str, Any]] | None:
    """Return what a cell displays, by MIME type; None for a line that was cut, or that the cell's own code printed.

    Args:
        line: A line of the log.
    """
    text = line.rstrip()
    if not (text.startswith(DISPLAYS_BEGIN) and text.endswith(DISPLAYS_END)):
        return None
    try:
        document = reading.read_json(text.removeprefix(DISPLAYS_BEGIN).removesuffix(DISPLAYS_END))
        return [reading.table(each) for each in reading.listed(document)]
    except ValueError:
        return None


def without_displays(text: str) -> str:
    """Return a log without the lines that hold displays; the first may have lost its beginning."""
    if DISPLAYS_END not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not line.rstrip().endswith(DISPLAYS_END))
