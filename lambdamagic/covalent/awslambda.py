"""`executor="awslambda"`, in place of Covalent's own plugin; the short name is this module's."""

from __future__ import annotations

from typing import Any

from lambdamagic.covalent.electron_executor import ElectronExecutor

EXECUTOR_PLUGIN_NAME = "AWSLambdaExecutor"

#: Nothing: what is not given comes from lambdamagic's own settings.
_EXECUTOR_PLUGIN_DEFAULTS: dict[str, Any] = {}


class AWSLambdaExecutor(ElectronExecutor):
    """Takes what Covalent's executor for AWS Lambda takes, and every setting of docs/configuration.md.

    Args:
        function_name: The deployed function, the setting `function`.
        s3_bucket_name: The setting `bucket`.
        execution_role: Has no effect: the deployed function has its role.
        credentials_file: Is read instead of `~/.aws/credentials`.
        profile: The profile of it.
        region: The AWS region.
        cache_dir: Has no effect: no files are cached.
        poll_freq: Has no effect: results are not polled for.
        timeout: Seconds that one electron may take, the setting `timeout_s`.
        **options: Settings.
    """

    def __init__(
        self,
        function_name: str | None = None,
        s3_bucket_name: str | None = None,
        execution_role: str | None = None,
        credentials_file: str | None = None,
        profile: str | None = None,
        region: str | None = None,
        cache_dir: str | None = None,
        poll_freq: int | None = None,
        timeout: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            function_name=function_name,
            s3_bucket_name=s3_bucket_name,
            execution_role=execution_role,
            credentials_file=credentials_file,
            profile=profile,
            region=region,
            cache_dir=cache_dir,
            poll_freq=poll_freq,
            timeout=timeout,
            **options,
        )
