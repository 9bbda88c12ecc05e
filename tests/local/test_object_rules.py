"""The embedded S3 refuses what S3 refuses, and moto takes or fails at."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Account


@pytest.fixture(scope="module")
def unchecked(account: Account) -> Any:
    """A client that sends what boto3 itself would refuse."""
    client = account.client("s3", parameter_validation=False, s3={"addressing_style": "path"})
    yield client
    client.close()


@pytest.mark.parametrize(
    ("operation", "values", "code"),
    [
        ("put_object", {"Key": "k" * 1025}, "KeyTooLongError"),
        ("put_object", {"Key": "é" * 513}, "KeyTooLongError"),
        ("put_object", {"Key": "k", "Metadata": {"a": "x" * 2048}}, "MetadataTooLarge"),
        ("put_object", {"Key": "k", "IfNoneMatch": '"etag"'}, "NotImplemented"),
        ("put_object", {"Key": "k", "ServerSideEncryption": "rot13"}, "InvalidArgument"),
        ("list_objects_v2", {"MaxKeys": -1}, "InvalidArgument"),
        ("list_objects_v2", {"MaxKeys": "x"}, "InvalidArgument"),
        ("list_objects_v2", {"ContinuationToken": "planted"}, "InvalidArgument"),
        ("abort_multipart_upload", {"Key": "k", "UploadId": "none"}, "NoSuchUpload"),
        ("delete_objects", {"Delete": {"Objects": [{"Key": str(n)} for n in range(1001)]}}, "MalformedXML"),
        ("upload_part", {"Key": "k", "UploadId": "none", "PartNumber": 1}, "NoSuchUpload"),
        ("upload_part", {"Key": "k", "UploadId": "none", "PartNumber": 0}, "InvalidArgument"),
        ("upload_part", {"Key": "k", "UploadId": "none", "PartNumber": 10_001}, "InvalidArgument"),
        ("upload_part", {"Key": "k", "UploadId": "none", "PartNumber": "x"}, "InvalidArgument"),
    ],
)
def test_what_s3_refuses_is_refused(
    account: Account, unchecked: Any, operation: str, values: dict[str, Any], code: str
) -> None:
    """With S3's code, and nothing is stored."""
    bucket = account.bucket()
    with pytest.raises(ClientError) as caught:
        getattr(unchecked, operation)(Bucket=bucket, **values)
    assert caught.value.response["Error"]["Code"] == code
    assert unchecked.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("name", ["Upper", "a_b", "-abc", "abc-", "a..b", "192.168.0.1", "xn--abc"])
def test_a_bucket_has_a_valid_name(unchecked: Any, name: str) -> None:
    """Names that no bucket may have are refused."""
    with pytest.raises(ClientError, match="InvalidBucketName"):
        unchecked.create_bucket(Bucket=name)


def test_what_s3_takes_is_taken(account: Account) -> None:
    """The longest key, the most metadata, the most keys to delete, and the last part."""
    s3, bucket = account.client("s3"), account.bucket()
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"x", Metadata={"a": "x" * 2047}, IfNoneMatch="*")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k" * 1024}, *({"Key": str(n)} for n in range(999))]})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=10_000, Body=b"x")
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    s3.create_bucket(Bucket="a-bucket.with-9.parts")


def test_an_upload_belongs_to_its_key_and_has_its_parts_in_order(account: Account, unchecked: Any) -> None:
    """Another key's upload is none; parts that come twice or backwards are refused, and the upload stays."""
    bucket = account.bucket()
    upload = unchecked.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    tags = [
        unchecked.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"x")["ETag"]
        for number in (1, 2)
    ]
    with pytest.raises(ClientError, match="NoSuchUpload"):
        unchecked.abort_multipart_upload(Bucket=bucket, Key="other", UploadId=upload)
    for numbers in ((2, 1), (1, 1)):
        parts = {"Parts": [{"PartNumber": number, "ETag": tags[number - 1]} for number in numbers]}
        with pytest.raises(ClientError, match="InvalidPartOrder"):
            unchecked.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    unchecked.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)


def test_a_listing_continues_with_its_own_token(account: Account) -> None:
    """As before."""
    s3, bucket = account.client("s3"), account.bucket()
    for key in "ab":
        s3.put_object(Bucket=bucket, Key=key)
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)
    token = first["NextContinuationToken"]
    assert s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)["Contents"][0]["Key"] == "b"
