"""Jobs go to a deployed function on AWS."""

from __future__ import annotations

from lambdamagic.config import Settings
from lambdamagic.deploy.functions import function_size
from lambdamagic.errors import ConfigError, FunctionMissingError, VersionMismatchError
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.storage.s3 import AwsAccess
from lambdamagic.targets.account import Account
from lambdamagic.targets.base import FunctionWish


class AwsTarget(Account):
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
        super().__init__(
            access or AwsAccess(region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url),
            bucket=settings.bucket,
            max_connections=settings.max_concurrency,
        )
        self._name = settings.function
        self._function: FunctionRef | None = None

    is_billed = True

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
                memory_mb, timeout_s, runtime = function_size(self.access, self._name)
                if runtime and runtime != f"python{wish.python}":
                    raise VersionMismatchError(
                        f"the function {self._name} runs {runtime}, the notebook Python {wish.python}",
                        hint=f"set one that runs python{wish.python} (LAMBDAMAGIC_FUNCTION), or use --target local",
                    )
                self._function = FunctionRef(self._name, memory_mb, timeout_s)
            function = self._function
        if wish.least_memory_mb > function.memory_mb or wish.least_timeout_s > function.timeout_s:
            raise ConfigError(
                f"the function {function.name} has {function.memory_mb} MB and {function.timeout_s} s; "
                f"this job asks for {wish.memory_mb} MB and {wish.timeout_s} s",
                hint="give the function more, or ask for less with --memory and --timeout",
            )
        return function

    def check(self, error: Exception) -> Exception:
        """Return the error as it is."""
        return error
