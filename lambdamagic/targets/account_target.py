"""What both targets are: an account, a transport to its functions, and a bucket in it."""

from __future__ import annotations

import threading
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.function_logs import FunctionLogs
from lambdamagic.deploy.functions import forbid_event_retries
from lambdamagic.deploy.triggers import trigger_secret
from lambdamagic.errors import LambdaMagicError
from lambdamagic.jobs.staging import Stager
from lambdamagic.storage.s3 import S3ObjectStore
from lambdamagic.transports.lambda_api import LambdaTransport
from lambdamagic.transports.transport import Transport


class Account:
    """An account with a bucket, on AWS or played by the embedded Lambda. Thread-safe.

    Args:
        access: The way in.
        bucket: The bucket's name; None where there is none, so that everything must be sent inline.
        max_connections: Connections kept while idle.
    """

    name = ""
    #: How long a staged object is taken to be in the bucket; see `Stager`.
    trust_s = 3600.0

    def __init__(self, access: AwsAccess, *, bucket: str | None, max_connections: int) -> None:
        self.access = access
        self._store = S3ObjectStore(bucket, access) if bucket else None
        self._stager = Stager(self._store, trust_s=self.trust_s)
        self._transport = LambdaTransport(access, max_connections=max_connections)
        self._lock = threading.Lock()
        self._prepared: set[str] = set()
        self._secrets: dict[str, bytes] = {}

    @property
    def transport(self) -> Transport:
        """Delivers invocations."""
        return self._transport

    @property
    def stager(self) -> Stager:
        """Keeps bytes in the bucket."""
        return self._stager

    def store_of(self, bucket: str) -> S3ObjectStore:
        """Return another bucket of the user's, with the user's rights; nothing is asked yet. The caller closes it."""
        return S3ObjectStore(bucket, self.access)

    @property
    def region(self) -> str:
        """The region."""
        return self.access.region

    def whereabouts(self) -> dict[str, Any]:
        """Return target, region, endpoint, profile, credentials file and bucket, where they are set."""
        access = self.access
        found = {
            "target": self.name,
            "region": access.region,
            "endpoint_url": access.endpoint_url,
            "profile": access.profile,
            "credentials_file": access.credentials_file,
            "bucket": None if self._store is None else self._store.bucket,
        }
        return {name: str(value) for name, value in found.items() if value}

    def prepare_events(self, function: str) -> None:
        """Turn Lambda's own retries of events off, once for each function."""
        with self._lock:
            if function not in self._prepared:
                forbid_event_retries(self.access, function)
                self._prepared.add(function)

    def trigger_secret(self, function: str) -> bytes:
        """Return what the function has among its environment variables, looked at once."""
        with self._lock:
            if function not in self._secrets:
                self._secrets[function] = trigger_secret(self.access, function)
            return self._secrets[function]

    def logs(self, function: str, clock: Clock = SYSTEM_CLOCK) -> FunctionLogs:
        """Return a function's log."""
        return FunctionLogs.of(self.access, function, clock=clock)

    def failed_starts(self, function: str, since_s: float) -> str:
        """Return what environments of a function say that cannot start; empty where none, or where it may not be read.

        Args:
            function: The function.
            since_s: How far back.
        """
        try:
            return self.logs(function).failed_starts(since_s=since_s)
        except LambdaMagicError:
            return ""

    def close(self) -> None:
        """Close connections. Idempotent."""
        self._transport.close()
        if self._store is not None:
            self._store.close()
