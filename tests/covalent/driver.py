"""Runs in Covalent's environment: programs come by standard input, one JSON string a line, and answers go out likewise.

One process for all tests, since importing Covalent takes seconds.
"""

from __future__ import annotations

import faulthandler
import itertools
import json
import linecache
import os
import sys
import time
import traceback
from typing import Any

import covalent as ct

_WAIT_S = 40
_ENDED = ("COMPLETED", "FAILED", "CANCELLED")


def wait(dispatch_id: str) -> Any:
    """Wait for a dispatch, looking five times a second (Covalent: once), and return its result."""
    until = time.monotonic() + _WAIT_S
    while (status := str(ct.get_result(dispatch_id, wait=False, status_only=True)["status"])) not in _ENDED:
        if time.monotonic() > until:
            raise TimeoutError(f"{status}: {nodes(ct.get_result(dispatch_id, wait=False))}")
        time.sleep(0.2)
    return ct.get_result(dispatch_id, wait=False)


def nodes(result: Any) -> dict[str, dict[str, Any]]:
    """Return a result's electrons by name, as JSON carries them."""
    return {
        each["node_name"]: {
            "status": str(each["status"]),
            "stdout": each["stdout"] or "",
            "stderr": each["stderr"] or "",
            "error": each["error"] or "",
            "seconds": (each["end_time"] - each["start_time"]).total_seconds() if each["end_time"] else None,
        }
        for each in result.get_all_node_results()
        if not each["node_name"].startswith(":parameter:")
    }


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for number, line in zip(itertools.count(), sys.stdin, strict=False):
        source = json.loads(line)
        name = f"<program {number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        namespace = {"__name__": "__main__", "ct": ct, "wait": wait, "nodes": nodes}
        faulthandler.dump_traceback_later(_WAIT_S + 20, exit=True)  # Covalent's client may wait without end
        try:
            exec(compile(source, name, "exec"), namespace)
            answer = {"answer": namespace.get("answer")}
        except BaseException:  # whatever it raises is shown by the test
            answer = {"error": traceback.format_exc()}
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
