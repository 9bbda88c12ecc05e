"""The target interface: a transport, a bucket, and a function of the requested size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol.holdings import Holdings
from lambdamagic.transports.transport import Transport

if TYPE_CHECKING:
    from lambdamagic.deploy.function_logs import FunctionLogs
    from lambdamagic.storage.object_store import ObjectStore


@dataclass(frozen=True)
class FunctionWish:
    """The function size that a job requests.

    Attributes:
        memory_mb: Its memory, where one is made for the job.
        timeout_s: Its timeout, likewise.
        python: Its Python, as `3.12`.
        least_memory_mb: What it must have; 0 where the user has not said.
        least_timeout_s: What it must have; 0 where the user has not said.
    """

    memory_mb: int
    timeout_s: int
    python: str
    least_memory_mb: int = 0
    least_timeout_s: int = 0


class Target(Protocol):
    """A place where jobs go. Thread-safe."""

    @property
    def name(self) -> str:
        """`local` or `aws`."""
        ...

    @property
    def transport(self) -> Transport:
        """Delivers invocations."""
        ...

    @property
    def stager(self) -> Stager:
        """Keeps bytes."""
        ...

    def store_of(self, bucket: str) -> ObjectStore:
        """Return another bucket of the user's, with the user's rights; nothing is asked yet. The caller closes it."""
        ...

    @property
    def region(self) -> str:
        """The AWS region, for its prices."""
        ...

    @property
    def is_billed(self) -> bool:
        """Whether AWS bills the jobs that run here."""
        ...

    def concurrency(self, wanted: int, *, is_explicit: bool) -> int:
        """Return how many invocations of a job should run at once here.

        Args:
            wanted: The setting `max_concurrency`.
            is_explicit: Whether the user chose it.
        """
        ...

    def whereabouts(self) -> dict[str, Any]:
        """Return the settings by which another process finds this target again; no secret."""
        ...

    def is_alive(self) -> bool:
        """Return whether the target can still take jobs."""
        ...

    def function_for(self, wish: FunctionWish) -> FunctionRef:
        """Return the function of the wanted size.

        Raises:
            FunctionMissingError, ConfigError: There is none, and this target cannot make one.
        """
        ...

    def ask_holdings(self, function: FunctionRef) -> Holdings | None:
        """Return what a function that publishes nothing says that it holds; one small invocation at most.

        None where it does not know the question, cannot be asked now, or has by its nature what the notebook has.

        Raises:
            VersionMismatchError: It runs another Python, or its lambdamagic uses another protocol.
        """
        ...

    def failed_starts(self, function: str, since_s: float) -> str:
        """Return what environments of a function say that cannot start; empty where none is known.

        Args:
            function: The function.
            since_s: How far back, in seconds.
        """
        ...

    def take_asked_usd(self) -> float:
        """Return what questions to functions have cost at list price since the last call."""
        ...

    def refresh(self) -> None:
        """Look at the functions again at the next request."""
        ...

    def prepare_events(self, function: str) -> None:
        """Make sure that Lambda runs an event of the function at most once.

        Raises:
            TargetError: It cannot be made sure.
        """
        ...

    def trigger_secret(self, function: str) -> bytes:
        """Return the secret that seals requests which start the function by their upload.

        Raises:
            ConfigError: The function takes none.
            TargetError: It cannot be found out.
        """
        ...

    def logs(self, function: str, clock: Clock = SYSTEM_CLOCK) -> FunctionLogs:
        """Return a function's log; the clock says how often it is looked at when it is followed.

        Raises:
            TargetError: The function cannot be looked at.
        """
        ...

    def check(self, error: Exception) -> Exception:
        """Return a better error if it is the target itself that has failed (the server died), else the same."""
        ...

    def close(self) -> None:
        """Give everything back. Idempotent."""
        ...
