"""What one notebook has of lambdamagic: its namespace's identity, an engine, targets, and a history."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lambdamagic.capture.hidden import HiddenNames
from lambdamagic.codec.home import Home
from lambdamagic.config import ResolvedSettings, load_settings
from lambdamagic.errors import TargetError
from lambdamagic.events import Listeners
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Job, JobSpec
from lambdamagic.targets import open_target
from lambdamagic.widgets.notebook import Shelf
from lambdamagic.widgets.progress import Progress, ProgressListener

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.magics.background import Background
    from lambdamagic.targets.target import Target
    from lambdamagic.widgets.showing import Front

_HISTORY = 200
#: So many maps keep their items and results, the latest: they can be large.
_MAPS = 5


class RanMap(Protocol):
    """A map as it is kept: what its tasks gave, and the way to run some of them again."""

    @property
    def results(self) -> list[Any]:
        """What its tasks gave, as far as it came."""

    @property
    def can_run_again(self) -> bool:
        """Whether its items are still there."""

    def again(self, *, failed: bool) -> list[Any]:
        """Run what has no result, and what failed if it is asked for; return all results."""

    def retry(self) -> None:
        """Have both run again in the background, once no cell runs. For any thread."""

    def to_csv(self) -> str:
        """Return the table of its tasks, as the widget's. For any thread."""


@dataclass
class JobRecord:
    """What is remembered of a job: small, so that thousands of jobs do not fill the kernel.

    Attributes:
        progress: Its final state.
        target: Where it ran.
        function: The function's name.
        cell: The id of the cell that it belongs to.
        logs: Ends of its invocations' logs.
        listener: What follows it while it is under way.
        cancel: Stops it, while it is under way.
        map: The map that it ran for, while that is kept and no later job runs for it.
    """

    progress: Progress
    target: str
    function: str
    cell: str = ""
    logs: list[str] = field(default_factory=list)
    map: RanMap | None = None
    listener: ProgressListener | None = None
    cancel: Callable[[], None] | None = None

    def end(self, progress: Progress) -> None:
        """Keep its final state, and let go what only a job under way has."""
        self.progress, self.listener, self.cancel = progress, None, None


def _target_key(resolved: ResolvedSettings) -> tuple[Any, ...]:
    settings = resolved.settings
    kind = settings.resolved_target()
    if kind == "local":
        return kind, settings.local_port
    key = (kind, settings.function, settings.bucket, settings.region, settings.profile, settings.endpoint_url)
    return *key, settings.variants


class Session:
    """Everything that lives from cell to cell. Used by the kernel's main thread only.

    Args:
        shell: The shell.
        given: Returns the settings of ipython_config.py and those of %config.

    Attributes:
        background: Its background jobs; put there by who knows both.
        declined: What the user has said no to, so that it is asked once.
        cell: The id of the cell that runs, or ran last; empty where the front end tells none.
    """

    background: Background

    def __init__(self, shell: InteractiveShell, given: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> None:
        self.shell = shell
        self.home = Home(shell.user_ns)
        self.hidden = HiddenNames(shell)
        self.shelf = Shelf()
        self.cell = ""
        self.history: deque[JobRecord] = deque(maxlen=_HISTORY)
        self.declined: set[tuple[str, ...]] = set()
        self._given = given
        self._engine: Engine | None = None
        self._targets: dict[tuple[Any, ...], Target] = {}
        self._opening = threading.RLock()
        self._is_closed = False

    @property
    def front(self) -> Front:
        """Who looks at this session's outputs."""
        kernel = getattr(self.shell, "kernel", None)
        if kernel is None:
            return "terminal"
        request = kernel.get_parent("shell")
        # nbclient and papermill say that nobody can be asked for input; front ends with a person in front can.
        return "notebook" if request.get("content", {}).get("allow_stdin", True) else "headless"

    def settings(self, overrides: Mapping[str, Any] | None = None) -> ResolvedSettings:
        """Return the settings in force, with where each came from."""
        from_file, from_magic = self._given()
        return load_settings(ipython_config=from_file, config_magic=from_magic, overrides=overrides)

    def target(self, resolved: ResolvedSettings) -> Target:
        """Return the target for the settings, opened at first use; one that has died is opened anew. Thread-safe.

        Raises:
            LambdaMagicError: It is not usable.
        """
        settings, key = resolved.settings, _target_key(resolved)
        with self._opening:
            target = self._targets.get(key)
            if target is not None and not target.is_alive():
                target.close()
                target = None
            if target is None:
                if self._is_closed:
                    raise TargetError("lambdamagic was unloaded while this job waited for its target")
                target = self._targets[key] = open_target(settings, ask=self.ask)
            return target

    def opens_slowly(self, resolved: ResolvedSettings) -> bool:
        """Whether the target is an embedded Lambda that does not run yet."""
        target = self._targets.get(_target_key(resolved))
        return resolved.settings.resolved_target() == "local" and (target is None or not target.is_alive())

    @property
    def can_ask(self) -> bool:
        """Whether somebody seems to be there who can answer a question."""
        return self.front == "notebook" or (self.front == "terminal" and sys.stdin.isatty())

    def ask(self, question: str, explanation: str = "") -> bool | None:
        """Ask the user; None where nobody can be asked, as when a notebook is executed from a script.

        Args:
            question: What is answered by yes or no.
            explanation: What is shown before it, if somebody is there.
        """
        from IPython.core.error import StdinNotImplementedError

        if not self.can_ask:
            return None
        if explanation:
            print(explanation, flush=True)  # noqa: T201  # belongs to the question, which stands on stdout too
        try:
            answer = input(f"{question} [y/N] ")
        except (StdinNotImplementedError, EOFError):
            return None
        return answer.strip().lower() in ("y", "yes")

    def forget(self, target: Target) -> None:
        """Close a target; the next job opens it anew."""
        self._targets = {key: known for key, known in self._targets.items() if known is not target}
        target.close()

    def forget_targets(self) -> None:
        """Close the targets on AWS; the next job opens its own anew."""
        for target in [each for each in self._targets.values() if each.name == "aws"]:
            self.forget(target)

    def start(self, spec: JobSpec, listeners: Listeners) -> Job:
        """Begin a job."""
        if self._engine is None:
            self._engine = Engine()
        return self._engine.start(spec, listeners)

    def remember(self, record: JobRecord) -> None:
        """Add to the history; only the latest maps keep their results."""
        self.history.append(record)
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
        with self._opening:
            self._is_closed = True
            for target in self._targets.values():
                target.close()
            self._targets.clear()
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        with contextlib.suppress(AttributeError):
            del self._given
