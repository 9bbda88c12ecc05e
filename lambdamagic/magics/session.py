"""The state of one notebook session: its namespace's identity, an engine, targets, and a history."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from lambdamagic.capture.hidden import HiddenNames
from lambdamagic.codec.home import Home
from lambdamagic.config import ResolvedSettings, load_settings
from lambdamagic.events import Listeners
from lambdamagic.jobs.job import Job, JobSpec
from lambdamagic.magics.background import Background
from lambdamagic.magics.front import ask
from lambdamagic.magics.parse.arguments import SPELLED
from lambdamagic.magics.record import JobRecord
from lambdamagic.runs.opened import Opened, Place, target_key
from lambdamagic.targets import open_target
from lambdamagic.widgets.notebook import Shelf

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.magics.parse.source import CellText
    from lambdamagic.targets.target import Target

_HISTORY = 200
#: So many maps keep their items and results, the latest: they can be large.
_MAPS = 5


class Session:
    """Everything that lives from cell to cell. Used by the kernel's main thread only.

    Args:
        shell: The shell.
        given: Returns the settings of ipython_config.py and those of %config.

    Attributes:
        background: Its background jobs.
        opened: Its engine and targets.
        declined: What the user has said no to, so that it is asked once.
        noted: The edits of modules that the user knows of: a name, and when.
        setup: The set-up cell, which runs first in each environment, and its file name; None without one.
        cell: The id of the cell that runs, or ran last; empty if the front end sends none.
    """

    def __init__(self, shell: InteractiveShell, given: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> None:
        self.shell = shell
        self.home = Home(shell.user_ns)
        self.hidden = HiddenNames(shell)
        self.shelf = Shelf()
        self.cell = ""
        self.setup: tuple[CellText, str] | None = None
        self.history: deque[JobRecord] = deque(maxlen=_HISTORY)
        self.declined: set[tuple[str, ...]] = set()
        self.noted: set[tuple[str, int]] = set()
        self.opened = Opened()
        self._given = given
        self.background = Background(shell, lambda: self.settings().settings.quiet)

    def settings(self, overrides: Mapping[str, Any] | None = None) -> ResolvedSettings:
        """Return the settings in force, with where each came from."""
        from_file, from_magic = self._given()
        return load_settings(ipython_config=from_file, config_magic=from_magic, overrides=overrides, spelled=SPELLED)

    def place(self, resolved: ResolvedSettings) -> Place:
        """Return where a run goes under the settings."""
        return Place(resolved, lambda: self.target(resolved), self.start, self.opened.forget)

    def target(self, resolved: ResolvedSettings) -> Target:
        """Return the target for the settings, opened at first use; one that has died is opened again. Thread-safe.

        Raises:
            LambdaMagicError: It is not usable.
        """
        settings = resolved.settings
        ask_user = partial(ask, self.shell)
        return self.opened.target(target_key(settings), lambda: open_target(settings, ask=ask_user))

    def opens_slowly(self, resolved: ResolvedSettings) -> bool:
        """Whether the target is an embedded Lambda that does not run yet."""
        settings = resolved.settings
        return settings.resolved_target() == "local" and not self.opened.is_open(target_key(settings))

    def forget_targets(self) -> None:
        """Close the targets on AWS; the next job opens them again."""
        for target in [each for each in self.opened.targets.values() if each.name == "aws"]:
            self.opened.forget(target)

    def start(self, spec: JobSpec, listeners: Listeners) -> Job:
        """Begin a job."""
        return self.opened.start(spec, listeners)

    def remember(self, record: JobRecord) -> None:
        """Add to the history; only the latest maps keep their results."""
        self.history.append(record)
        if record.map is not None:
            for older in [each for each in self.history if each.map is not None][:-_MAPS]:
                older.map = None

    def find(self, job_id: str) -> JobRecord | None:
        """Return a job of the history by its id, a unique beginning or end of it, or `last`."""
        if job_id == "last":
            return self.history[-1] if self.history else None
        found = [
            record
            for record in tuple(self.history)  # also asked by the page's thread
            if record.progress.job_id.startswith(job_id) or record.progress.job_id.endswith(job_id)
        ]
        return found[0] if len(found) == 1 else None

    def close(self) -> None:
        """Stop everything that was started. Idempotent."""
        self.shelf.close()
        self.opened.close()
        with contextlib.suppress(AttributeError):
            del self._given
