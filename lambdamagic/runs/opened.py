"""The engine and open targets of one notebook or program."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lambdamagic.config import ResolvedSettings, Settings
from lambdamagic.errors import CredentialsError, FunctionMissingError, TargetError
from lambdamagic.events import Listeners
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Job, JobSpec
from lambdamagic.targets.target import Target


def target_key(settings: Settings, access: Any = None) -> tuple[Any, ...]:
    """Return what distinguishes one target from another: settings, and credentials that a program named itself."""
    kind = settings.resolved_target()
    if kind == "local":
        return kind, settings.local_port
    where = (settings.function, settings.bucket, settings.region, settings.profile, settings.endpoint_url)
    return kind, access, *where, settings.variants


class Opened:
    """An engine and targets, each made at first use and kept, so that environments stay warm. Thread-safe.

    Attributes:
        targets: Those that are open.
    """

    def __init__(self) -> None:
        self.targets: dict[tuple[Any, ...], Target] = {}
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._is_closed = False

    def start(self, spec: JobSpec, listeners: Listeners) -> Job:
        """Begin a job."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine()
            engine = self._engine
        return engine.start(spec, listeners)

    def target(self, key: tuple[Any, ...], open_it: Callable[[], Target]) -> Target:
        """Return a target, opened at first use; one that has died is opened again.

        Raises:
            LambdaMagicError: It is not usable.
        """
        with self._lock:
            target = self.targets.get(key)
            if target is not None and not target.is_alive():
                target.close()
                target = None
            if target is None:
                if self._is_closed:
                    raise TargetError("lambdamagic was unloaded while this job waited for its target")
                target = self.targets[key] = open_it()
            return target

    def is_open(self, key: tuple[Any, ...]) -> bool:
        """Return whether a target is open and lives."""
        target = self.targets.get(key)
        return target is not None and target.is_alive()

    def forget(self, target: Target) -> None:
        """Close a target; the next run opens it again."""
        with self._lock:
            self.targets = {key: known for key, known in self.targets.items() if known is not target}
        target.close()

    def close(self) -> None:
        """Stop everything. Idempotent."""
        with self._lock:
            self._is_closed = True
            targets, self.targets = list(self.targets.values()), {}
            engine, self._engine = self._engine, None
        for target in targets:
            target.close()
        if engine is not None:
            engine.close()


class Place:
    """Where one run goes: settings, and the target that they lead to, looked for when it is first asked for.

    Args:
        resolved: The settings in force.
        open_target: Returns the open target.
        start: Begins a job.
        forget: Has a target opened again for the next run.
    """

    def __init__(
        self,
        resolved: ResolvedSettings,
        open_target: Callable[[], Target],
        start: Callable[[JobSpec, Listeners], Job],
        forget: Callable[[Target], None] = lambda target: None,
    ) -> None:
        self.resolved, self.start = resolved, start
        self.open_target, self._forget = open_target, forget
        self._target: Target | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.resolved.settings

    @property
    def target(self) -> Target:
        """The target. Blocks for some seconds where an embedded Lambda has to be started first.

        Raises:
            LambdaMagicError: It is not usable.
        """
        if self._target is None:
            self._target = self.open_target()
        return self._target

    @property
    def has_store(self) -> bool:
        """Whether there is a bucket; the embedded Lambda has one."""
        return self._target is None or self._target.stager.store is not None

    def check(self, error: Exception) -> Exception:
        """Return a better error if the target itself has failed, else the same."""
        if self._target is None:
            return error
        if isinstance(error, CredentialsError):
            self._forget(self._target)  # the next run looks for credentials again: the user may have signed in
        if isinstance(error, FunctionMissingError):
            self._target.refresh()  # it was there when it was looked at
        return self._target.check(error)
