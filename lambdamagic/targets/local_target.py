"""Jobs go to an embedded Lambda on this machine, over the very path that they take to AWS."""

from __future__ import annotations

import os
import secrets

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import Settings
from lambdamagic.deploy.functions import FunctionMaker, ensure_bucket, variant_name
from lambdamagic.deploy.triggers import enable_trigger
from lambdamagic.errors import InvocationLostError, LocalServerError, TargetError
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.local.control.staged_blobs import IN_USE_S
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.server.server_options import default_concurrency
from lambdamagic.targets.account_target import Account
from lambdamagic.targets.target import FunctionWish

BUCKET = "lambdamagic-local"
FUNCTION_BASE = "lambdamagic"


class LocalTarget(Account):
    """An embedded Lambda that lives as long as this process, and a bucket in it.

    Args:
        settings: `local_port`, `max_concurrency`.
        server: A running server to use; by default one is started. Whoever started it stops it.

    Raises:
        LocalServerError: The server could not start.
    """

    name = "local"
    trust_s = IN_USE_S / 2

    def __init__(self, settings: Settings, server: LocalServer | None = None) -> None:
        self._owns_server = server is None
        self.server = server if server is not None else LocalServer.start(port=settings.local_port)
        connection = self.server.connection
        access = AwsAccess(
            region=connection.region,
            endpoint_url=connection.endpoint_url,
            access_key_id=connection.access_key_id,
            secret_access_key=connection.secret_access_key,
        )
        try:
            bucket = ensure_bucket(access, BUCKET)
        except BaseException:
            self._stop_server()
            raise
        self._bucket = bucket
        super().__init__(access, bucket=bucket, max_connections=settings.max_concurrency)
        self._functions = FunctionMaker(access)
        self._is_closed = False
        self._quota, self._two_a_core = default_concurrency(), 2 * (os.cpu_count() or 1)

    is_billed = False

    def concurrency(self, wanted: int, *, is_explicit: bool) -> int:
        """Return two a core, since more processes only wait for each other; what the user chose, up to the quota."""
        return min(wanted, self._quota if is_explicit else self._two_a_core)

    def function_for(self, wish: FunctionWish) -> FunctionRef:
        """Return a function of exactly this size, made at first use: it costs nothing here."""
        name = variant_name(FUNCTION_BASE, wish.memory_mb, wish.timeout_s, wish.python)
        self._functions.ensure(name, memory_mb=wish.memory_mb, timeout_s=wish.timeout_s, python=wish.python)
        return FunctionRef(name, wish.memory_mb, wish.timeout_s)

    def ask_holdings(self, function: FunctionRef) -> None:
        """Return None: it runs this very environment."""

    def take_asked_usd(self) -> float:
        """Return 0: nothing is asked."""
        return 0.0

    def refresh(self) -> None:
        """Do nothing: the functions are this session's own."""

    def trigger_secret(self, function: str) -> bytes:
        """Return the function's secret, made with its notification at first use."""
        with self._lock:
            if function not in self._secrets:
                secret = secrets.token_bytes(32)
                enable_trigger(self.access, bucket=self._bucket, function=function, secret=secret)
                self._secrets[function] = secret
            return self._secrets[function]

    def is_alive(self) -> bool:
        """Return whether the server still runs."""
        return not self._is_closed and self.server.is_alive()

    def check(self, error: Exception) -> Exception:
        """Return an error that says that the server died, if that is why a job failed."""
        if self._is_closed:
            return error
        # Its sockets close a moment before the process is seen to have ended.
        is_suspect = isinstance(error, InvocationLostError | TargetError)
        if not self.server.has_ended(within_s=1.0 if is_suspect else 0.0):
            return error
        return LocalServerError(
            f"the embedded Lambda ended while the job ran: {self.server.describe_death()}",
            hint="Run the cell again: a new server is started",
        )

    def close(self) -> None:
        """Close connections, and stop the server if it was started here."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        super().close()
        self._stop_server()

    def _stop_server(self) -> None:
        if self._owns_server:
            self.server.stop()
