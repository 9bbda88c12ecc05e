"""Which job may bind which name of the notebook, and when."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from lambdamagic.events import JobState

_numbers = itertools.count()
_MISSING = object()


class Claim:
    """The names that one job may bind, and what prevents it.

    Attributes:
        names: The names.
        number: Orders claims by the start of their jobs.
        held: What the names had when the job started.
        superseded: Names that cells have assigned since.
        overtaken: Names that jobs behind it have bound already: their values are newer.
        fallback: Values of earlier jobs for names that this one may leave alone after all.
        bound: What it has put into the notebook.
        left_out: Values that it bound and that a newer assignment kept out of the notebook.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.number = next(_numbers)
        self.held: dict[str, Any] = {}
        self.superseded: set[str] = set()
        self.overtaken: set[str] = set()
        self.fallback: dict[str, Any] = {}
        self.bound: dict[str, Any] = {}
        self.left_out: dict[str, Any] = {}


class Pending(Protocol):
    """A job whose results are to be put into the notebook."""

    claim: Claim
    failure: BaseException | None

    @property
    def job_id(self) -> str:
        """Its id."""

    @property
    def label(self) -> str:
        """A short name of the job, for display."""

    def cell_ends(self) -> None:
        """Do what is due at the end of the cell that has started it."""

    @property
    def state(self) -> JobState:
        """How far it is."""

    @property
    def before(self) -> Sequence[Pending]:
        """Jobs that it is queued behind."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen on Lambda."""

    @property
    def is_large(self) -> bool:
        """Whether its results are downloaded only when they are read."""

    @property
    def needs_before(self) -> bool:
        """Whether its results can be read only after those of the jobs before it."""

    def settle(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Read its results; `claim` returns those of the bound names that may be set."""

    def forget(self) -> None:
        """Release what only queued successors needed."""

    def show_end(self) -> None:
        """Show again how it ended, as a part of the cell that runs now; once."""

    def wait_for_end(self, timeout_s: float | None) -> bool:
        """Wait without putting anything into the notebook; return whether it has ended."""

    def cancel(self) -> None:
        """Stop it; returns at once."""


class Claims:
    """The names whose values are on their way, each with the last job that binds it. For the main thread.

    Args:
        namespace: The notebook's.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._pending: dict[str, Pending] = {}

    @property
    def pending(self) -> Mapping[str, Pending]:
        """The names whose values are on their way, or failed to come, with the last job that binds each."""
        return self._pending

    def add(self, job: Pending) -> None:
        """Take the names of a job that was started."""
        job.claim.held = {name: self._namespace.get(name, _MISSING) for name in job.claim.names}
        self._pending.update(dict.fromkeys(job.claim.names, job))

    def owners(self, names: Iterable[str]) -> list[Pending]:
        """Return the jobs that bind some names, each once, in the order of their start."""
        found = {id(job): job for name in names if (job := self._pending.get(name)) is not None}
        return sorted(found.values(), key=lambda job: job.claim.number)

    def supersede(self, names: Iterable[str]) -> None:
        """Note that names were assigned again: their jobs' values are older."""
        for name in names:
            job = self._pending.pop(name, None)
            if job is not None:
                job.claim.superseded.add(name)

    def drop_rebound(self) -> None:
        """Supersede what does not have any more what it had when its job started."""
        self.supersede(
            name
            for name, job in list(self._pending.items())
            if self._namespace.get(name, _MISSING) is not job.claim.held.get(name, _MISSING)
        )

    def grant(self, job: Pending, bound: dict[str, Any]) -> dict[str, Any]:
        """Return what may be set of what a job bound, and keep the values that something newer has replaced."""
        self.drop_rebound()
        claim, namespace = job.claim, self._namespace
        bound = {name: value for name, value in bound.items() if name not in claim.overtaken}
        later = {name: other for name in bound if (other := self._pending.get(name)) is not None and other is not job}
        for name, other in later.items():
            other.claim.fallback[name] = bound[name]  # if that one does not bind it after all
        newer = [
            name
            for name in bound
            if name not in later
            and (
                name in claim.superseded
                or namespace.get(name, _MISSING) is not claim.held.get(name, namespace.get(name))
            )
        ]
        claim.left_out = {name: bound[name] for name in newer}
        granted = {name: value for name, value in bound.items() if name not in later and name not in newer}
        unbound = {name: value for name, value in claim.fallback.items() if name not in bound and name not in newer}
        claim.bound = {**unbound, **granted}
        return claim.bound

    def settled(self, job: Pending) -> None:
        """Release the names of a job that has been settled; those that it failed to bind stay pending."""
        for before in job.before:
            before.claim.overtaken.update(job.claim.bound)
        for name in job.claim.names:
            if self._pending.get(name) is job and (job.failure is None or name in job.claim.bound):
                del self._pending[name]

    def failed(self, job: Pending, names: Iterable[str]) -> list[str]:
        """Return the names that a failed job was to bind; those that have an older value wait for it no longer."""
        missing = [name for name in names if self._pending.get(name) is job]
        for name in missing:
            # Reported once; an older value, if there is one, is what the cell that failed would have left here too.
            if name in self._namespace:
                del self._pending[name]
        return missing

    def clear(self) -> None:
        """Forget all."""
        self._pending.clear()
