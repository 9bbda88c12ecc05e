"""A separate program: runs an image's entry point in place of an execution environment's process.

The embedded Lambda starts it with the environment variables of Lambda; it hands them to the engine, except those that
are about this machine, and becomes the engine's process.
"""

from __future__ import annotations

import json
import os
import sys

# The image has its own.
_OWN = frozenset({"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"})


def main(arguments: list[str]) -> None:
    """Become the engine's process.

    Args:
        arguments: A JSON document with `before` (the engine's command up to the variables), `after` (what follows) and
            `variables` (of the engine's own process); then the handler, if one is named.
    """
    plan = json.loads(arguments[0])
    variables: list[str] = []
    for name, value in os.environ.items():
        if name not in _OWN:
            variables += ["--env", f"{name}={value}"]
    command = [*plan["before"], *variables, *plan["after"], *(arguments[1:] or plan["handler"])]
    os.execve(command[0], command, plan["variables"])


if __name__ == "__main__":
    main(sys.argv[1:])
