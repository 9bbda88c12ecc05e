"""Jobs go to a deployed function on AWS."""

from __future__ import annotations

import threading

from lambdamagic.config import Settings
from lambdamagic.deploy.functions import forbid_event_retries, function_size
from lambdamagic.errors import ConfigError, FunctionMissingError, VersionMismatchError
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.staging import Stager
from lambdamagic.storage.s3 import AwsAccess, S3ObjectStore
from lambdamagic.targets.base import FunctionWish
from lambdamagic.transports.aws import LambdaTransport
from lambdamagic.transports.base import Transport


class AwsTarget:
    """A deployed function and its bucket.

    Args:
        settings: The settings; `function` must be set, `bucket` should be.
        access: The account; by default the one that boto3 finds by the settings.
    """

    name = "aws"

    def __init__(self, settings: Settings, access: AwsAccess | None = None) -> None:
        if settings.function is None:
            raise FunctionMissingError(
                "no Lambda function is configured for target 'aws'",
                hint="set LAMBDAMAGIC_FUNCTION (docs/aws.md says how to make one); --target local needs none",
            )
        self._settings = settings
        self._access = access or AwsAccess(
            region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url
        )
        self._lock = threading.Lock()
        self._prepared: set[str] = set()
        self._function: FunctionRef | None = None
        self._store = S3ObjectStore(settings.bucket, self._access) if settings.bucket else None
        self._stager = Stager(self._store)
        self._transport = LambdaTransport(self._access, max_connections=settings.max_concurrency)

    @property
    def transport(self) -> Transport:
        """Delivers invocations."""
        return self._transport

    @property
    def stager(self) -> Stager:
        """Keeps bytes in the bucket."""
        return self._stager

    is_billed = True

    @property
    def region(self) -> str:
        """The AWS region."""
        return self._access.region

    def concurrency(self, wanted: int, *, is_explicit: bool) -> int:
        """Return what the settings say: the account's own limit shows itself as throttling."""
        return wanted

    def is_alive(self) -> bool:
        """Return True: AWS does not die."""
        return True

    def function_for(self, wish: FunctionWish) -> FunctionRef:
        """Return the deployed function, if it is large enough.

        Raises:
            FunctionMissingError: It does not exist.
            VersionMismatchError: It runs another Python.
            ConfigError: It is smaller than what was asked for explicitly.
        """
        with self._lock:
            if self._function is None:
                assert self._settings.function is not None
                memory_mb, timeout_s, runtime = function_size(self._access, self._settings.function)
                if runtime and runtime != f"python{wish.python}":
                    raise VersionMismatchError(
                        f"the function {self._settings.function} runs {runtime}, the notebook Python {wish.python}",
                        hint=f"set one that runs python{wish.python} (LAMBDAMAGIC_FUNCTION), or use --target local",
                    )
                self._function = FunctionRef(self._settings.function, memory_mb, timeout_s)
            function = self._function
        if wish.memory_mb > function.memory_mb or wish.timeout_s > function.timeout_s:
            raise ConfigError(
                f"the function {function.name} has {function.memory_mb} MB and {function.timeout_s} s; "
                f"this job asks for {wish.memory_mb} MB and {wish.timeout_s} s",
                hint="deploy a larger one, or ask for less with --memory and --timeout",
            )
        return function

    def prepare_events(self, function: str) -> None:
        """Turn Lambda's own retries of events off, once for each function."""
        with self._lock:
            if function not in self._prepared:
                forbid_event_retries(self._access, function)
                self._prepared.add(function)

    def check(self, error: Exception) -> Exception:
        """Return the error as it is."""
        return error

    def close(self) -> None:
        """Close connections."""
        self._transport.close()
        if self._store is not None:
            self._store.close()
