"""What S3 refuses and moto takes or fails at, in S3's words ("Error responses" and operations, S3 API reference)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest

_MAX_KEY_BYTES = 1024  # "Naming Amazon S3 objects"
_MAX_METADATA_BYTES = 2048  # "User-defined object metadata"
_MAX_DELETED = 1000  # "DeleteObjects"
_MAX_PARTS = 10_000  # "Amazon S3 multipart upload limits"
#: "General purpose bucket naming rules"; lengths too are moto's.
_BUCKET = re.compile(r"(?!xn--|sthree-|amzn-s3-demo-)(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART_NUMBER = re.compile(rb"<PartNumber>\s*([0-9]{1,9})\s*</PartNumber>")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse", "aws:fsx")


def check(request: HttpRequest, account_id: str) -> None:
    """Refuse a request that S3 refuses. Blocking: call it in a thread.

    Raises:
        AwsError: It breaks a rule.
    """
    bucket, _, key = request.path.removeprefix("/").partition("/")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if not key:
        _check_bucket(request, bucket, query, account_id)
        return
    if len(unquote(key, "latin-1").encode("latin-1")) > _MAX_KEY_BYTES:
        raise AwsError(400, "KeyTooLongError", "Your key is too long")
    if request.method == "DELETE" and "uploadId" in query:
        _check_upload(bucket, unquote(key), query, account_id)
    if request.method not in ("PUT", "POST"):
        return
    metadata = [(k.removeprefix("x-amz-meta-"), v) for k, v in request.headers.items() if k.startswith("x-amz-meta-")]
    if sum(len(name) + len(value) for name, value in metadata) > _MAX_METADATA_BYTES:
        raise AwsError(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    if request.headers.get("if-none-match", "*").strip('"') != "*":
        raise AwsError(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    if request.headers.get("x-amz-server-side-encryption", "AES256") not in _ENCRYPTIONS:
        raise AwsError(400, "InvalidArgument", "The encryption method specified is not supported")
    if "partNumber" in query:
        _check_part(bucket, query, account_id)
    elif request.method == "POST" and "uploadId" in query:
        numbers = [int(number) for number in _PART_NUMBER.findall(request.body)]
        if numbers != sorted(set(numbers)):
            text = "The list of parts was not in ascending order. Parts must be ordered by part number."
            raise AwsError(400, "InvalidPartOrder", text)


def _backend(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _check_bucket(request: HttpRequest, bucket: str, query: dict[str, str], account_id: str) -> None:
    if request.method == "PUT" and not request.query and not _BUCKET.fullmatch(bucket):
        raise AwsError(400, "InvalidBucketName", "The specified bucket is not valid.")
    if request.method == "POST" and "delete" in query and request.body.count(b"<Key>") > _MAX_DELETED:
        text = "The XML you provided was not well-formed or did not validate against our published schema"
        raise AwsError(400, "MalformedXML", text)
    wanted = query.get("max-keys", "0")
    if not re.fullmatch("[0-9]{1,10}", wanted) or int(wanted) > 2_147_483_647:
        raise AwsError(400, "InvalidArgument", "Provided max-keys not an integer or within integer range")
    token = query.get("continuation-token")
    if token and token not in _backend(account_id)._pagination_tokens:
        raise AwsError(400, "InvalidArgument", "The continuation token provided is incorrect")


def _check_part(bucket: str, query: dict[str, str], account_id: str) -> None:
    number = query["partNumber"]
    if not re.fullmatch("[0-9]{1,5}", number) or not 1 <= int(number) <= _MAX_PARTS:
        text = f"Part number must be an integer between 1 and {_MAX_PARTS}, inclusive"
        raise AwsError(400, "InvalidArgument", text)
    _check_upload(bucket, None, query, account_id)


def _check_upload(bucket: str, key: str | None, query: dict[str, str], account_id: str) -> None:
    """Refuse an upload that does not exist, or is another key's."""
    found = _backend(account_id).buckets.get(bucket)
    if found is None:
        return  # moto answers that
    upload = found.multiparts.get(query.get("uploadId"))
    if upload is None or (key is not None and upload.key_name != key):
        text = (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed."
        )
        raise AwsError(404, "NoSuchUpload", text)
