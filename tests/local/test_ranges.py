"""Requests for a part of an object: what is no range of bytes is ignored, as S3 does it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def bucket(account):
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    return bucket


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("bytes=0-3", b"0123"),
        ("bytes=5-", b"56789"),
        ("bytes=-3", b"789"),
        ("bytes=8-100", b"89"),
        ("0-3", b"0123456789"),
        ("bytes 0-3", b"0123456789"),
        ("items=0-3", b"0123456789"),
        ("bytes=a-b", b"0123456789"),
        ("bytes=3-1", b"0123456789"),
        ("bytes=0-1,3-4", b"0123456789"),
        ("bytes=", b"0123456789"),
    ],
)
def test_a_range(account, bucket, asked, given):
    """The part with 206, or the whole with 200; HEAD says the same."""
    s3 = account.client("s3")
    found = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert found["Body"].read() == given
    assert found["ResponseMetadata"]["HTTPStatusCode"] == (206 if len(given) < 10 else 200)
    assert s3.head_object(Bucket=bucket, Key="k", Range=asked)["ContentLength"] == len(given)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=20-30", "bytes=-0"])
def test_a_range_beyond_the_end(account, bucket, asked):
    """416, as there is nothing to give."""
    s3 = account.client("s3")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert caught.value.response["Error"]["Code"] == "InvalidRange"
