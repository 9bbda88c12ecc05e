"""S3 events that invoke functions."""

from __future__ import annotations

import pytest

from tests.local.conftest import REPORT

REPORTS = REPORT + "import os\ndef handler(event, context):\n    report(int(os.environ['PORT']), event)\n"


@pytest.fixture
def notified(account, mailbox):
    """A bucket whose new objects under in/ with .json invoke a function that reports its event."""
    bucket = account.bucket()
    name = account.deploy(REPORTS, Environment={"Variables": {"PORT": str(mailbox.port)}})
    arn = account.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".json"}]
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
            ]
        },
    )
    return bucket


def test_a_new_object_invokes_with_s3s_own_event(account, notified, mailbox):
    """The record names bucket, key (URL-encoded), size, ETag and event as S3 does."""
    account.client("s3").put_object(Bucket=notified, Key="in/a b+é.json", Body=b"12345")
    (record,) = mailbox.receive()["Records"]
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["awsRegion"] == "us-east-1"
    assert record["s3"]["bucket"] == {
        "name": notified,
        "arn": f"arn:aws:s3:::{notified}",
        "ownerIdentity": {"principalId": "EMBEDDED"},
    }
    described = record["s3"]["object"]
    assert described["key"] == "in%2Fa+b%2B%C3%A9.json" or described["key"] == "in/a+b%2B%C3%A9.json"
    assert described["size"] == 5
    assert described["eTag"] == "827ccb0eea8a706c4c34a16891f84e7b"
    assert described["sequencer"]


def test_other_keys_do_not(account, notified, mailbox):
    """Prefix and suffix both must fit."""
    s3 = account.client("s3")
    for key in ("in/a.txt", "out/a.json"):
        s3.put_object(Bucket=notified, Key=key, Body=b"x")
    s3.put_object(Bucket=notified, Key="in/fits.json", Body=b"x")
    assert "fits" in mailbox.receive()["Records"][0]["s3"]["object"]["key"]
    assert mailbox.is_silent(0.3)


def test_a_multipart_upload_invokes_once_when_it_completes(account, notified, mailbox):
    """CompleteMultipartUpload is the event, its parts are none."""
    s3 = account.client("s3")
    upload = s3.create_multipart_upload(Bucket=notified, Key="in/large.json")["UploadId"]
    part = s3.upload_part(Bucket=notified, Key="in/large.json", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=notified, Key="in/large.json", UploadId=upload, MultipartUpload=parts)
    assert mailbox.receive()["Records"][0]["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert mailbox.is_silent(0.3)
