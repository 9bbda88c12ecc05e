"""Convert AWS errors to ours: one table for the error codes of S3 and Lambda and for botocore's exceptions.

Used by the object store, the presigned transfers and the transports. It is imported in Lambda, so it knows botocore's
exceptions by their names only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambdamagic.errors import (
    BucketMissingError,
    ConfigError,
    CredentialsError,
    FunctionMissingError,
    InvocationLostError,
    LambdaMagicError,
    NotReadyError,
    PayloadTooLargeError,
    ProtocolError,
    TargetError,
    ThrottledError,
)


@dataclass(frozen=True, slots=True)
class AwsContext:
    """The operation that failed, for the message.

    Attributes:
        doing: A phrase that continues "could not", such as "write 'a/b'".
        bucket: The bucket in question.
        function: The function's name or ARN in question.
        where: The endpoint or region that was asked.
    """

    doing: str
    bucket: str = ""
    function: str = ""
    where: str = ""


SIGN_IN = "Run `aws configure` or `aws sso login`, or set the setting `profile`"

# Codes come from "Error responses" of the S3 API reference, "Invoke" of the Lambda API reference and "Common errors".
_CREDENTIALS = {
    "InvalidAccessKeyId": "unknown access key ID",
    "InvalidClientTokenId": "unknown access key ID",
    "UnrecognizedClientException": "AWS does not recognize these credentials",
    "AuthFailure": "AWS does not recognize these credentials",
    "SignatureDoesNotMatch": "the secret access key does not match the access key ID",
    "InvalidSignatureException": "the secret access key does not match the access key ID",
    "IncompleteSignature": "the request was not signed as AWS expects",
    "IncompleteSignatureException": "the request was not signed as AWS expects",
    "MissingAuthenticationToken": "the request carried no credentials",
    "MissingAuthenticationTokenException": "the request carried no credentials",
    "ExpiredToken": "the session token has expired",
    "ExpiredTokenException": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "RequestExpired": "the request's signature has expired",
    "RequestTimeTooSkewed": "this machine's clock differs from AWS's by more than 15 minutes",
    "NoCredentialsError": "no AWS credentials found",
    "PartialCredentialsError": "the AWS credentials are incomplete",
    "CredentialRetrievalError": "the AWS credentials could not be retrieved",
    "TokenRetrievalError": "the SSO token could not be retrieved",
    "SSOTokenLoadError": "there is no SSO token",
    "UnauthorizedSSOTokenError": "the SSO token has expired",
    "ProfileNotFound": "the AWS profile does not exist",
    "LoginRefreshRequired": "the sign-in has expired",
}
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired", "RequestExpired")
_CREDENTIAL_HINTS = {
    "RequestTimeTooSkewed": "Correct this machine's clock",
    "ProfileNotFound": "List the profiles with `aws configure list-profiles` and set the setting `profile`",
}
_BUCKET = {
    "NoSuchBucket": ("does not exist", "Create it, or set the setting `bucket` to one that exists"),
    "InvalidBucketName": ("is not a valid bucket name", "Set the setting `bucket` to an existing bucket"),
    "AllAccessDisabled": ("has been disabled by AWS", "Set the setting `bucket` to another bucket"),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "TemporaryRedirect",  # of a new bucket, as long as not every region knows it ("Request routing")
            "AuthorizationHeaderMalformed",
            "AuthorizationQueryParametersError",
            "IllegalLocationConstraintException",
        ),
        ("is in another region", "Set the setting `region` to the bucket's region"),
    ),
}
#: How an answer names the region that a bucket is in.
_BUCKET_REGION = re.compile(r"(?:expecting '|bucket is in )([a-z]{2,4}(?:-[a-z]+)+-\d+)")
# All of these mean "not yet" ("Lambda function states", Developer Guide; "Invoke", API reference).
_FUNCTION_NOT_READY = {
    "ResourceConflictException",
    "ResourceNotReadyException",
    "CodeArtifactUserPendingException",
    "SnapStartNotReadyException",
    "ENINotReadyException",
    "EC2ThrottledException",
}
_THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling"}
_TOO_LARGE = {"RequestTooLargeException", "SerializedRequestEntityTooLargeException"}
# "Troubleshoot access denied error messages", IAM user guide.
_MISSING_RIGHT = re.compile(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?")
_REGION = ("NoRegionError", "InvalidRegionError")
_UNREACHABLE = {
    "EndpointConnectionError": "no server answers at this address",
    "ConnectTimeoutError": "the connection timed out",
    "ProxyConnectionError": "the proxy cannot be reached",
    "SSLError": "the TLS certificate was not accepted",
    "InvalidRegionError": "the region is not valid",
    "NoRegionError": "no AWS region is set",
    "InvalidEndpointConfigurationError": "the endpoint is not valid",
}


def error_from_code(code: str, *, status: int, message: str, context: AwsContext) -> LambdaMagicError | None:
    """Return our error for an error code of S3's, Lambda's or STS's, or None if the code is not in our table.

    Args:
        code: AWS's error code, or the name of one of botocore's exceptions.
        status: The HTTP status, 0 if there was no answer.
        message: What AWS said.
        context: What was being done.

    Thread-safe and pure. Missing keys (`NoSuchKey`) are the caller's: only it knows the key.
    """
    said = f" (AWS: {code}: {message})" if message else f" (AWS: {code})"
    could_not = f"could not {context.doing}"
    if code in _CREDENTIALS:
        if "Signature expired" in message or "Signature not yet current" in message:
            code = "RequestTimeTooSkewed"  # Lambda has no separate code for it
        hint = _CREDENTIAL_HINTS.get(code, SIGN_IN)
        return CredentialsError(f"{could_not}: {_CREDENTIALS[code]}{said}", hint=hint)
    if code in _BUCKET:
        what, hint = _BUCKET[code]
        region = _BUCKET_REGION.search(message)
        if region is not None:
            hint = f"Set the setting `region` to {region[1]}"
        return BucketMissingError(f"{could_not}: the bucket {context.bucket!r} {what}{said}", hint=hint)
    if code in ("AccessDenied", "AccessDeniedException") or (status == 403 and not code):
        return _access_denied(could_not, said, context)
    if code == "ResourceNotFoundException":
        return FunctionMissingError(
            f"{could_not}: no function {context.function!r}{_at(context)}{said}",
            hint="Run `lambdamagic deploy`, or set `function` and `region` to an existing function",
        )
    if code in _FUNCTION_NOT_READY and context.function:
        if "state: Failed" in message:  # for good
            return FunctionMissingError(
                f"{could_not}: the function {context.function!r} cannot be used{said}",
                hint="Run `lambdamagic doctor` for the reason, and deploy it again",
            )
        return NotReadyError(
            f"{could_not}: the function {context.function!r} is not ready yet{said}",
            hint="It was inactive, or is being updated. Run it again when `aws lambda get-function` shows the state "
            "Active and the last update Successful",
        )
    if context.function and (code in _TOO_LARGE or status == 413):
        return PayloadTooLargeError(f"{could_not}: the event exceeds Lambda's payload limit{said}")
    if context.function and (code in _THROTTLED or status == 429):
        return ThrottledError(f"{could_not}: the limit of concurrent executions or requests is reached{said}")
    if code == "InvalidRequestContentException":
        return ProtocolError(f"{could_not}: Lambda does not accept the event as JSON{said}")
    if code in _UNREACHABLE:
        kind = ConfigError if code in _REGION else TargetError
        return kind(f"{could_not}: {_UNREACHABLE[code]}{_at(context)}{said}", hint=_reach_hint(code))
    return None


def error_from_botocore(exc: BaseException, context: AwsContext) -> LambdaMagicError:
    """Return our error for an exception that boto3 raised; the caller chains it with `from exc`.

    Codes that are not in the table become a TargetError. For missing keys the caller checks `code_of(exc)` first, and
    raises FileNotFoundError.
    """
    code, status, message = code_of(exc)
    known = error_from_code(code, status=status, message=message, context=context)
    return known or TargetError(f"could not {context.doing}: {message or code}")


def error_of_invoke(code: str, *, status: int, message: str, context: AwsContext) -> LambdaMagicError:
    """Return our error for a refused `Invoke`.

    Whatever Lambda names precisely (no network interface left, a key that cannot be used, a file system that cannot
    be mounted: "Invoke", Lambda API reference) it found before the code ran: a TargetError. An internal error, or an
    answer by something in between, leaves open whether the code ran: an InvocationLostError.
    """
    known = error_from_code(code, status=status, message=message, context=context)
    if known is not None:
        return known
    text = f"could not {context.doing}: HTTP {status} {code}: {message}"
    if status >= 500 and (code == "ServiceException" or not code.endswith("Exception")):
        return InvocationLostError(f"{text}; whether the code ran is unknown")
    return TargetError(text)


def code_of(exc: BaseException) -> tuple[str, int, str]:
    """Return (code, HTTP status, message) of an exception of botocore's, found without importing botocore.

    For exceptions that are no answers of AWS's the code is the name of the nearest class that our table knows, and
    the status 0.
    """
    response = getattr(exc, "response", None)
    if isinstance(response, dict) and "Error" in response:
        error = response["Error"]
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return str(error.get("Code", "")), int(status), str(error.get("Message", ""))
    names = [cls.__name__ for cls in type(exc).__mro__]
    known = next((name for name in names if name in _CREDENTIALS or name in _UNREACHABLE), names[0])
    return known, 0, str(exc)


def is_expired(error: BaseException) -> bool:
    """Return whether an error says that a session token has expired: a new session may have a newer one."""
    return isinstance(error, CredentialsError) and any(f"AWS: {code}" in str(error) for code in _EXPIRED)


def missing_right(message: str) -> tuple[str, str] | None:
    """Return action and resource that AWS says are not allowed, or None where it does not say ("Access Denied")."""
    found = _MISSING_RIGHT.search(message)
    return None if found is None else (found[1], (found[2] or "*").strip('"'))


def _access_denied(could_not: str, said: str, context: AwsContext) -> LambdaMagicError:
    missing = missing_right(said)
    if missing is not None:
        text = f"{could_not}: these credentials lack the permission {missing[0]} on {missing[1]}{said}"
        hint = f"Attach the policy that `lambdamagic policy user` prints: it has {missing[0]}"
    elif context.bucket:
        text = f"{could_not}: these credentials may not use the bucket {context.bucket!r}{said}"
        hint = "Allow s3:GetObject, s3:PutObject and s3:DeleteObject on its objects and s3:ListBucket on it"
    else:
        action = f"lambda:InvokeFunction on {context.function}" if context.function else "the action named above"
        text, hint = f"{could_not}: these credentials lack a permission{said}", f"Allow {action}"
    return BucketMissingError(text, hint=hint) if context.bucket else CredentialsError(text, hint=hint)


def _at(context: AwsContext) -> str:
    return f" at {context.where}" if context.where else ""


def _reach_hint(code: str) -> str:
    if code in _REGION:
        return "Set one, such as eu-central-1, with --region, the setting `region` or AWS_DEFAULT_REGION"
    if code == "SSLError":
        return "If a proxy re-signs TLS here, name its CA file in AWS_CA_BUNDLE"
    return "Check the network, the proxy settings and the settings `endpoint_url` and `region`"
