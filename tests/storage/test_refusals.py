"""What a refusal says of the bucket, and how much of it is read."""

from __future__ import annotations

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.errors import TargetError
from lambdamagic.storage.presigned import Transfer
from lambdamagic.storage.refusals import bucket_of

from .scripted import ScriptedServer, Step


@pytest.mark.parametrize(
    ("url", "bucket"),
    [
        ("https://b.s3.eu-central-1.amazonaws.com/k/l?X-Amz-Date=1", "b"),
        ("https://a.b.s3-fips.us-east-1.amazonaws.com/k", "a.b"),
        ("https://b.s3.cn-north-1.amazonaws.com.cn/k", "b"),
        ("http://127.0.0.1:9000/b/k", "b"),
        ("https://b.s3.example.com/path-style/k", "path-style"),
        ("nothing", "nothing"),
    ],
)
def test_the_bucket_of_a_url(url: str, bucket: str) -> None:
    """On AWS it is the host's first labels, elsewhere the path's first part."""
    assert bucket_of(url) == bucket


@pytest.mark.parametrize(
    ("headers", "tag"), [({"x-amz-bucket-region": "eu-west-1"}, ""), ({}, "<Region>eu-west-1</Region>")]
)
def test_the_region_of_a_bucket_is_named(headers: dict[str, str], tag: str) -> None:
    """In a header or in the error itself, behind whatever else the server says."""
    padding = "<Padding>" + "x" * 4_000 + "</Padding>"
    body = f"<Error>{padding}<Code>PermanentRedirect</Code><Message>elsewhere</Message>{tag}</Error>".encode()
    transfer = Transfer(clock=ManualClock())
    with ScriptedServer(Step(301, body, headers)) as server:
        with pytest.raises(TargetError, match=r"the bucket is in eu-west-1"):
            transfer.fetch(f"{server.url}/bucket/k", 1)
        assert len(server.requests) == 1
    transfer.close()
