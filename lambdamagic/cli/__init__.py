"""The `lambdamagic` command.

Decisions
---------

The command line has no logic
    It parses, calls `deploy` or `api`, and prints. A command's module is imported when the command is called, so
    `--help` loads neither boto3 nor rich. Code that commands run on functions is sent as text, since neither `cli` nor
    `api` is in a function.
"""

from __future__ import annotations

from lambdamagic.cli.main import main

__all__ = ["main"]
