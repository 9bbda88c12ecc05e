"""The errors with which AWS refuses a request before it looks at what is asked.

S3 words and codes them differently from the other services; both are in the services' "Common Errors" pages.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote

from lambdamagic.local.server.error_bodies import QUERY_SERVICES, AwsError
from lambdamagic.local.server.http_server import HttpRequest

_SCOPE = re.compile(r"/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request")
_REST_JSON_PATH = re.compile(r"/20\d\d-\d\d-\d\d/")


def guess_service(request: HttpRequest) -> str:
    """Return the service that an unsigned request probably means, to answer in its protocol."""
    if _REST_JSON_PATH.match(request.path) or request.path.startswith("/_lambdamagic/"):
        return "lambda"
    if "x-amz-target" in request.headers:
        return "logs"
    if request.method == "POST" and request.path == "/":
        return "sts"
    return "s3"


def service_of(request: HttpRequest) -> str:
    """Return the service that a request that was refused names in its credential scope, or a guess."""
    match = _SCOPE.search(request.headers.get("authorization", "") or unquote(request.query))
    return match[1] if match else guess_service(request)


def unsigned(request: HttpRequest) -> AwsError:
    """Nothing was signed."""
    if guess_service(request) == "s3":
        return AwsError(403, "AccessDenied", "Access Denied")
    return AwsError(403, "MissingAuthenticationToken", "Missing Authentication Token")


def malformed(request: HttpRequest) -> AwsError:
    """The signature cannot be read."""
    if guess_service(request) == "s3":
        return AwsError(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
    return AwsError(403, "IncompleteSignatureException", "Authorization header requires existence of all its parts.")


def unknown_key(service: str) -> AwsError:
    """The access key is not one of ours."""
    if service == "s3":
        text = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError(403, "InvalidAccessKeyId", text)
    code = "InvalidClientTokenId" if service in QUERY_SERVICES else "UnrecognizedClientException"
    return AwsError(403, code, "The security token included in the request is invalid.")


def bad_token(service: str) -> AwsError:
    """The session token is missing or is not the key's."""
    if service == "s3":
        return AwsError(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    return unknown_key(service)


def expired_token(service: str) -> AwsError:
    """The session has ended, and with it all that it signed."""
    if service == "s3":
        return AwsError(400, "ExpiredToken", "The provided token has expired.")
    code = "ExpiredToken" if service in QUERY_SERVICES else "ExpiredTokenException"
    return AwsError(403, code, "The security token included in the request is expired")


def mismatch(service: str) -> AwsError:
    """The signature is not what this request and this key give."""
    begin = "The request signature we calculated does not match the signature you provided."
    if service == "s3":
        return AwsError(403, "SignatureDoesNotMatch", f"{begin} Check your key and signing method.")
    code = "SignatureDoesNotMatch" if service in QUERY_SERVICES else "InvalidSignatureException"
    text = (
        f"{begin} Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    return AwsError(403, code, text)


def skewed(service: str, timestamp: str, now: float) -> AwsError:
    """The time of signing is too far from now."""
    if service == "s3":
        text = "The difference between the request time and the current time is too large."
        return AwsError(403, "RequestTimeTooSkewed", text)
    current = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    code = "SignatureDoesNotMatch" if service in QUERY_SERVICES else "InvalidSignatureException"
    return AwsError(403, code, f"Signature expired: {timestamp} is not within 15 minutes of {current}.")


def expired(service: str) -> AwsError:
    """A presigned address is past its time."""
    if service == "s3":
        return AwsError(403, "AccessDenied", "Request has expired")
    return AwsError(403, "InvalidSignatureException", "Signature expired.")


def unsigned_headers(service: str) -> AwsError:
    """A header that AWS acts upon was not signed."""
    if service == "s3":
        return AwsError(403, "AccessDenied", "There were headers present in the request which were not signed")
    return mismatch(service)


def missing_digest() -> AwsError:
    """S3 wants the body's digest to be stated."""
    text = "Missing required header for this request: x-amz-content-sha256"
    return AwsError(400, "InvalidRequest", text)


def wrong_digest() -> AwsError:
    """The body is not the one that was signed."""
    text = "The provided 'x-amz-content-sha256' header does not match what was computed."
    return AwsError(400, "XAmzContentSHA256Mismatch", text)


def incomplete_body() -> AwsError:
    """An aws-chunked body does not hold what it announces."""
    text = "The request body terminated unexpectedly"
    return AwsError(400, "IncompleteBody", text)


def missing_length() -> AwsError:
    """An aws-chunked body must say how long it is without its chunks."""
    return AwsError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")


def malformed_trailer() -> AwsError:
    """The trailer is not the announced one, or there is none."""
    text = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return AwsError(400, "MalformedTrailerError", text)


def several_checksums() -> AwsError:
    """S3 takes one checksum of a body."""
    text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    return AwsError(400, "InvalidRequest", text)


def unreadable_checksum(algorithm: str) -> AwsError:
    """What is stated as a checksum is none of this kind."""
    if algorithm == "md5":
        return AwsError(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
    return AwsError(400, "InvalidRequest", f"Value for x-amz-checksum-{algorithm} header is invalid.")


def unknown_streaming() -> AwsError:
    """The stated `x-amz-content-sha256` names no way of sending a body."""
    text = (
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
    )
    return AwsError(400, "InvalidArgument", text)


def bad_checksum(algorithm: str) -> AwsError:
    """The trailing checksum does not fit the body."""
    text = f"The {algorithm.upper()} you specified did not match the calculated checksum."
    if algorithm == "md5":
        text = "The Content-MD5 you specified did not match what we received."
    return AwsError(400, "BadDigest", text)


def wrong_region(service: str, region: str) -> AwsError:
    """The request was signed for a region that this instance does not serve."""
    code = "SignatureDoesNotMatch" if service in QUERY_SERVICES else "InvalidSignatureException"
    return AwsError(403, code, f"Credential should be scoped to a valid region. This endpoint serves {region!r}.")
