"""How long INIT takes, also one before that failed: Lambda bills both and reports the first to no caller.

Where INIT fails or takes too long Lambda begins again in the same sandbox, whose `/tmp` stays ("Failures during the
Init phase"). So INIT leaves a mark there until it ends. What this module imports is loaded before anything slow.
"""

from __future__ import annotations

import os
import time

_FILE = os.path.join(os.environ.get("TMPDIR") or "/tmp", "lambdamagic-init")  # noqa: PTH118  # pathlib is slow to load


def begin() -> float:
    """Mark that INIT has begun; return for how long one ran before that did not end, in ms."""
    began = time.time() - since_start_ms() / 1000
    try:
        with open(_FILE, "x"):  # noqa: PTH123
            os.utime(_FILE, (began, began))
    except FileExistsError:
        return max(0.0, began - os.stat(_FILE).st_mtime) * 1000  # noqa: PTH116
    except OSError:
        pass  # no room: it is an estimate's detail
    return 0.0


def end() -> None:
    """Mark that INIT has ended well."""
    try:
        os.unlink(_FILE)  # noqa: PTH108
    except OSError:
        pass


def since_start_ms() -> float:
    """Return how long ago this process was started, to some 10 ms; 0 where the system does not say so."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
            started = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, (time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1000)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
