"""Refusals of an S3-like server, read from its answer and turned into our errors.

URLs carry signatures, so that messages name an object without its query.
"""

from __future__ import annotations

import http.client
import re
from urllib.parse import unquote, urlsplit

from lambdamagic.aws.aws_errors import AwsContext, error_from_code
from lambdamagic.aws.partitions import is_aws_host
from lambdamagic.errors import LambdaMagicError, TargetError
from lambdamagic.storage.object_store import TransferError

ERROR_BODY_BYTES = 64 << 10
"""How much of an error's body is read."""


class Refused(Exception):
    """The server answered with an error. Inside the storage layer only; becomes one of ours by `error_of`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"HTTP {status} {code}: {message}" if code else f"HTTP {status}: {message}")
        self.status, self.code, self.message = status, code, message


def expect(response: http.client.HTTPResponse, statuses: tuple[int, ...], url: str) -> None:
    """Return if the response has one of these statuses, else read its error.

    Raises:
        FileNotFoundError: there is no such object.
        Refused: anything else.
        http.client.IncompleteRead: the connection broke before the error's end.
    """
    if response.status in statuses:
        return
    body = response.read(ERROR_BODY_BYTES)
    if len(body) < ERROR_BODY_BYTES and response.length:
        raise http.client.IncompleteRead(body, response.length)  # what it lacks may be the code
    text = body.decode("utf-8", "replace")
    code, message = _tag("Code", text), _tag("Message", text)
    if response.status == 404 and code in ("NoSuchKey", ""):
        raise FileNotFoundError(f"no object {object_name(url)!r}")
    region = response.headers.get("x-amz-bucket-region") or _tag("Region", text)
    if region:
        message += f" (the bucket is in {region})"
    raise Refused(response.status, code, message or response.reason)


def error_of(failure: Exception, doing: str, url: str) -> LambdaMagicError:
    """Return our error for a refusal or for a failure of the network. Pure.

    Args:
        failure: A `Refused`, an OSError or an `http.client.HTTPException`.
        doing: A phrase that continues "could not".
        url: The URL that was asked.
    """
    where = urlsplit(url).netloc
    if not isinstance(failure, Refused):
        return TransferError(
            f"could not {doing}: {type(failure).__name__} at {where}: {failure}",
            hint="Check that the store can be reached from this machine",
        )
    status, code = failure.status, failure.code
    if code == "AccessDenied" and "expired" in failure.message:
        hint = "Run the job again: the presigned URL has expired"
        return TransferError(f"could not {doing}: {failure.message}", hint=hint, status=status, code=code)
    context = AwsContext(doing, bucket=bucket_of(url), where=where)
    known = error_from_code(code, status=status, message=failure.message, context=context)
    if isinstance(known, TargetError):
        return known
    return TransferError(f"could not {doing}: {failure}", status=status, code=code)


def object_name(url: str) -> str:
    """Return a URL's host and path, which is what messages show of it."""
    parts = urlsplit(url)
    return unquote(f"{parts.netloc}{parts.path}")


def bucket_of(url: str) -> str:
    """Return the bucket of a URL of ours: the host's first labels on AWS, else the path's first part."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = re.fullmatch(r"(.+)\.s3(-fips)?\..+", host) if is_aws_host(host) else None
    return found[1] if found else parts.path.lstrip("/").partition("/")[0]


def _tag(name: str, text: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found.group(1) if found else ""
