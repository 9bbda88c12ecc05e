"""Where S3's requests go: the bucket's own host in its own region, whatever the partition."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import botocore
import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.partitions import PARTITIONS, Endpoints, partition_of
from lambdamagic.errors import BucketMissingError, TargetError
from lambdamagic.local.testing.faults import Faults
from lambdamagic.storage.presigned import Transfer
from lambdamagic.storage.refusals import bucket_of
from lambdamagic.storage.s3 import S3ObjectStore

#: "Amazon S3 endpoints and quotas", AWS General Reference: FIPS and dual stack as they are there.
HOSTS = {
    "us-east-1": "amazonaws.com",
    "us-west-2": "amazonaws.com",
    "eu-central-1": "amazonaws.com",
    "me-south-1": "amazonaws.com",
    "il-central-1": "amazonaws.com",
    "mx-central-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "us-gov-west-1": "amazonaws.com",
    "eusc-de-east-1": "amazonaws.eu",
}
_DATA = Path(botocore.__file__).parent / "data"


@pytest.mark.parametrize("region", HOSTS)
def test_urls_name_the_buckets_own_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host and signing scope are the region's, never the global endpoint's, with FIPS and dual stack as asked for."""
    monkeypatch.setenv("AWS_REGION", region)
    access = AwsAccess(region=region, access_key_id="AKIA", secret_access_key="secret")
    for fips, dual_stack, bucket in itertools.product((False, True), (False, True), ("a-bucket", "dotted.bucket")):
        if fips and region.startswith("cn-"):
            continue  # China has no FIPS endpoints
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", str(fips).lower())
        monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", str(dual_stack).lower())
        store = S3ObjectStore(bucket, access)
        url = store.presign_get("a/key", 60)
        store.close()
        host = f"s3{'-fips' * fips}{'.dualstack' * dual_stack}.{region}.{HOSTS[region]}"
        expected = f"https://{host}/{bucket}" if "." in bucket else f"https://{bucket}.{host}"
        assert url.startswith(f"{expected}/a/key?")
        (credential,) = parse_qs(urlsplit(url).query)["X-Amz-Credential"]
        assert credential.split("/")[2:] == [region, "s3", "aws4_request"]
        assert Endpoints.of_environment(os.environ).bucket_url(bucket) == expected  # as the function's side makes it
        assert bucket_of(url) == bucket


def test_partitions_are_botocores() -> None:
    """Each of botocore's regions is in the partition, with the suffixes, that botocore gives it."""
    found = json.loads((_DATA / "partitions.json").read_text())["partitions"]
    assert {partition.name for partition in PARTITIONS} == {partition["id"] for partition in found}
    for theirs in found:
        for region in theirs["regions"]:
            if re.match(theirs["regionRegex"], region):
                ours = partition_of(region)
                assert (ours.name, ours.dns_suffix, ours.dual_stack_suffix) == (
                    theirs["id"],
                    theirs["outputs"]["dnsSuffix"],
                    theirs["outputs"]["dualStackDnsSuffix"],
                )


@pytest.mark.parametrize("region", [region for region in HOSTS if not region.startswith("cn-")])
def test_the_invoker_asks_the_host_that_botocore_would(region: str) -> None:
    """Lambda's host, made without botocore, is the one that botocore's own rules give."""
    access = AwsAccess(region=region, access_key_id="AKIA", secret_access_key="secret")
    for fips, dual_stack in itertools.product((False, True), repeat=2):
        client = access.client("lambda", use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack)
        assert Endpoints(region, fips=fips, dual_stack=dual_stack).service_url("lambda") == client.meta.endpoint_url
        client.close()


@pytest.mark.parametrize(
    ("status", "code", "text", "region"),
    [
        (307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint.", "bucket's"),
        (301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint.", "bucket's"),
        (
            400,
            "AuthorizationQueryParametersError",
            "Error parsing the X-Amz-Credential parameter; the region 'us-east-1' is wrong; expecting 'me-south-1'",
            "me-south-1",
        ),
        (
            400,
            "IllegalLocationConstraintException",
            "The me-south-1 location constraint is incompatible for the region specific endpoint.",
            "bucket's",
        ),
    ],
)
def test_a_redirect_says_where_the_bucket_is(
    s3_store: Callable[..., S3ObjectStore], faults: Faults, status: int, code: str, text: str, region: str
) -> None:
    """A signed URL cannot follow a redirect: each way in which S3 says "not here" names the region to set."""
    store = s3_store()
    for name in ("PutObject", "GetObject"):
        faults.refuse_s3(count=None, operation=name, status=status, code=code, text=text)
    transfer = Transfer()
    url = store.presign_get("k", 60)
    for operation in (
        lambda: store.put("k", [b"x"]),
        lambda: store.get("k"),
        lambda: transfer.fetch(url, 1),
    ):
        with pytest.raises((BucketMissingError, TargetError), match="is in another region") as caught:
            operation()
        assert isinstance(caught.value, BucketMissingError)
        assert "`region`" in str(caught.value) and region in str(caught.value)
    transfer.close()


def test_a_redirect_that_ends_is_borne(s3_store: Callable[..., S3ObjectStore], faults: Faults) -> None:
    """It lasts until DNS knows a new bucket: bodies, lists and deletions are tried again."""
    store = s3_store()
    for name in ("PutObject", "GetObject", "ListObjectsV2", "DeleteObjects"):
        faults.refuse_s3(count=2, operation=name, status=307, code="TemporaryRedirect")
    store.put("borne/k", [b"x"])
    assert store.get("borne/k") == b"x"
    assert [info.key for info in store.list("borne/")] == ["borne/k"]
    store.delete(["borne/k"])
    assert not store.exists("borne/k")
