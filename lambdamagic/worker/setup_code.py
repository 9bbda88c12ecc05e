"""The code of a `%%lambda_setup` cell: run first in each execution environment, and in force for each later run there.

Much of what such code sets is put back after each run, since another job may follow: log handlers, variables, the
import path, warning filters. That is kept from the first time and set again, so that the code itself runs once.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

_Restore = Callable[[], None]


class SetupCode:
    """What set-up code has done in this execution environment."""

    def __init__(self) -> None:
        self._done = ""
        self._session = ""
        self._restore: _Restore | None = None

    def enter(self, session: str) -> None:
        """Note whose job comes: another session's files have been deleted, so its set-up runs again."""
        if session != self._session:
            self._session, self._done, self._restore = session, "", None

    def apply(self, digest: str, run: _Restore) -> None:
        """Run set-up code unless this environment has run it; otherwise set again what it had set.

        Args:
            digest: The code's.
            run: Runs it, and raises what it raises.
        """
        if digest == self._done and self._restore is not None:
            self._restore()
            return
        self._done = ""
        environ, path = dict(os.environ), list(sys.path)
        run()
        self._restore = _restorer(environ, path)
        self._done = digest


def _restorer(environ: dict[str, str], path: list[str]) -> _Restore:
    """Return what sets again the parts of the process that end with each run.

    Args:
        environ: The variables before the code ran.
        path: The import path before the code ran.
    """
    root = logging.getLogger()
    handlers, level, limit = list(root.handlers), root.level, sys.getrecursionlimit()
    filters: list[Any] = list(warnings.filters)
    changed = {name: value for name, value in os.environ.items() if environ.get(name) != value}
    removed = [name for name in environ if name not in os.environ]
    # A handler of logging writes to the streams of the run that made it.
    streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    bound = [
        (handler, name)
        for handler in handlers
        for name, stream in streams.items()
        if getattr(handler, "stream", None) is stream
    ]
    added = [each for each in sys.path if each not in path]

    def restore() -> None:
        for handler, name in bound:
            handler.stream = getattr(sys, name)  # type: ignore[attr-defined]  # it has one, seen above
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.setrecursionlimit(limit)
        warnings.filters[:] = filters  # type: ignore[index]  # a list, though typeshed says a sequence
        os.environ.update(changed)
        for name in removed:
            os.environ.pop(name, None)
        sys.path[:0] = [each for each in added if each not in sys.path]

    return restore
