"""Calls of AWS's control plane: clients that retry, and conversion of errors to ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.aws_errors import AwsContext, code_of, error_from_botocore, missing_right
from lambdamagic.errors import AwsBusyError, CredentialsError

# "Common errors" of the services' API references, and S3's.
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_ATTEMPTS = 5
_ASK_FOR_RIGHTS = (
    "Ask for the policy that `lambdamagic policy deployer` prints (to run cells: `lambdamagic policy user`)"
)


@contextmanager
def client(access: AwsAccess, service: str) -> Iterator[Any]:
    """Yield a client that retries throttled requests for up to half a minute, and close it at the end."""
    with closing(access.client(service, retries={"mode": "standard", "total_max_attempts": _ATTEMPTS})) as made:
        yield made


@contextmanager
def explained(
    doing: str, *, function: str = "", bucket: str = "", when_denied: str = _ASK_FOR_RIGHTS
) -> Iterator[None]:
    """Convert boto3's exceptions to ours.

    Args:
        doing: A phrase that continues "could not".
        function: The function in question.
        bucket: The bucket in question.
        when_denied: What to do where a right is missing.

    Raises:
        AwsBusyError: AWS still throttled the request after the last attempt.
        CredentialsError: There are none, or they may not do it.
        TargetError: Anything else.
    """
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, S3UploadFailedError) as caught:
        # The transfer manager hides the cause behind a separate exception.
        error = caught.__context__ or caught if isinstance(caught, S3UploadFailedError) else caught
        code, _, said = code_of(error)
        if code in _THROTTLED:
            raise AwsBusyError(
                f"could not {doing}: AWS throttled the request {_ATTEMPTS} times ({code})",
                hint="Run the command again later: it continues where it stopped",
            ) from caught
        if code in _DENIED:
            missing = missing_right(said)
            lacking = "a permission" if missing is None else f"the permission {missing[0]} on {missing[1]}"
            raise CredentialsError(
                f"could not {doing}: these credentials lack {lacking} (AWS: {code}: {said})",
                hint=when_denied,
            ) from caught
        raise error_from_botocore(error, AwsContext(doing, function=function, bucket=bucket)) from caught


def is_code(error: Exception, *codes: str) -> bool:
    """Return whether AWS answered with one of these error codes."""
    return code_of(error)[0] in codes


def identity(access: AwsAccess) -> tuple[str, str]:
    """Return the partition and the account that the credentials belong to.

    Raises:
        CredentialsError: There are none, or AWS does not know them.
    """
    with explained("identify the AWS credentials"), client(access, "sts") as sts:
        found = sts.get_caller_identity()
    return str(found["Arn"]).split(":")[1], str(found["Account"])
