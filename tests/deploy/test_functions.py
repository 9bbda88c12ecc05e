"""Functions and buckets made on an account that may not answer."""

from __future__ import annotations

import socket

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.functions import FunctionMaker, ensure_bucket
from lambdamagic.errors import TargetError


@pytest.fixture
def nobody(monkeypatch):
    """An account at an endpoint without a listener; boto3 does not wait long."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    return AwsAccess(region="us-east-1", endpoint_url=url, access_key_id="a", secret_access_key="b")


def test_a_bucket_at_an_endpoint_that_is_gone(nobody):
    """One error of ours instead of boto3's forty frames."""
    with pytest.raises(TargetError, match="could not create the bucket some-bucket"):
        ensure_bucket(nobody, "some-bucket")


def test_a_function_at_an_endpoint_that_is_gone(nobody):
    """The same."""
    with pytest.raises(TargetError, match="could not create the function f-1"):
        FunctionMaker(nobody).ensure("f-1", memory_mb=128, timeout_s=3, python="3.11")
