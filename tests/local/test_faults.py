"""Scripted faults and the counters."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.exceptions import ConnectionError as BotoConnectionError

from lambdamagic.aws.connections import Connections
from lambdamagic.errors import LocalServerError
from lambdamagic.local.testing.faults import FaultRule, Faults
from tests.local.conftest import ECHO, REPORT


@pytest.fixture
def faults(account):
    found = Faults(account.connection)
    yield found
    found.clear()


@pytest.fixture(scope="module")
def echo(account):
    return account.deploy(ECHO)


def test_the_next_invocations_are_throttled(account, echo, faults):
    """Exactly as many as were asked for."""
    faults.throttle(count=2)
    for _ in range(2):
        with pytest.raises(account.functions.exceptions.TooManyRequestsException):
            account.invoke(echo)
    assert account.invoke(echo, 1)["Payload"] == 1


def test_a_fraction_is_hit_and_the_seed_repeats_it(account, echo, faults):
    """The same seed hits the same invocations."""

    def pattern():
        faults.clear()
        faults.fail(status=502, count=None, fraction=0.5, seed=3)
        hits = []
        for _ in range(12):
            try:
                account.invoke(echo)
                hits.append(False)
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 502
                hits.append(True)
        return hits

    first = pattern()
    assert first == pattern()
    assert 0 < sum(first) < 12


@pytest.mark.parametrize("after_running", [False, True])
def test_a_dropped_connection_before_or_after_the_function_ran(account, faults, mailbox, after_running):
    """The caller sees a broken connection; whether it ran is what the two differ in."""
    name = account.deploy(REPORT + "def handler(e, c):\n    report(e, 'ran')\n")
    faults.drop(after_running=after_running)
    with pytest.raises((ConnectionClosedError, BotoConnectionError)):
        account.invoke(name, mailbox.port)
    if after_running:
        assert mailbox.receive() == "ran"
    else:
        assert mailbox.is_silent(0.3)


@pytest.mark.parametrize("part", ["head", "body", "all"])
def test_an_answer_is_lost_on_its_way(account, faults, mailbox, part):
    """It ran, or S3 did it, and the answer breaks off, or never comes."""
    name = account.deploy(REPORT + "def handler(e, c):\n    report(e, 'ran')\n    return 'x' * 1000\n")
    faults.lose(part)
    impatient = account.client("lambda", read_timeout=1)
    with pytest.raises(Exception, match=r"closed|timeout|Could not connect|IncompleteRead|broken"):
        impatient.invoke(FunctionName=name, Payload=json.dumps(mailbox.port))["Payload"].read()
    impatient.close()
    assert mailbox.receive() == "ran"
    bucket = account.bucket()
    faults.lose(part, s3=True)
    if part != "body":  # the answer to a PUT has none
        url = account.client("s3").generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
        connections = Connections(read_timeout_s=1)
        with pytest.raises(OSError), connections.exchange("PUT", url, body=[memoryview(b"x")]):
            pass
        connections.close()
        assert account.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_an_environment_is_killed_in_the_middle(account, faults):
    """The task has begun, and ends as one whose process was killed."""
    name = account.deploy("import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'survived'\n")
    account.invoke(name, 0)
    faults.kill(delay_s=0.05)
    response = account.invoke(name, 10)
    assert response["Payload"]["errorType"] == "Runtime.ExitError"
    assert response["Payload"]["errorMessage"].endswith("signal: killed")
    assert account.invoke(name, 0)["Payload"] == "survived"


@pytest.mark.parametrize("invocation_type", ["Event", "RequestResponse"])
def test_an_event_is_delivered_twice(account, faults, mailbox, invocation_type):
    """Both deliveries carry the same request id."""
    name = account.deploy(REPORT + "def handler(e, c):\n    report(e, c.aws_request_id)\n")
    faults.duplicate()
    account.invoke(name, mailbox.port, InvocationType=invocation_type)
    assert mailbox.receive() == mailbox.receive()


def test_s3_refuses(account, faults):
    """503 SlowDown for the operation that was named, and no other."""
    bucket = account.bucket()
    s3 = account.client("s3")
    faults.refuse_s3(count=1, operation="GetObject")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert caught.value.response["Error"]["Code"] == "SlowDown"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_s3_is_slow(account, faults):
    """Answers wait as long as was asked for."""
    faults.slow_s3(delay_s=0.3, count=1)
    began = time.perf_counter()
    account.client("s3").list_buckets()
    assert time.perf_counter() - began >= 0.3


def test_a_rule_that_is_none_is_refused(faults):
    """An unknown fault is named, with those that there are."""
    with pytest.raises(LocalServerError, match="unknown fault 'earthquake'"):
        faults.add(FaultRule("earthquake"))


def test_requests_are_counted_by_service_and_operation(own_account):
    """Counts are exact, and can be begun again."""
    account = own_account()
    counts = Faults(account.connection)
    bucket = account.bucket()
    name = account.deploy(ECHO)
    counts.stats(reset=True)
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.get_object(Bucket=bucket, Key="k")
    s3.get_object(Bucket=bucket, Key="k")
    s3.list_objects_v2(Bucket=bucket)
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    for _ in range(3):
        account.invoke(name)
    stats = counts.stats()
    assert stats["requests"]["s3"] == {
        "PutObject": 1,
        "GetObject": 2,
        "ListObjectsV2": 1,
        "HeadObject": 1,
        "DeleteObjects": 1,
    }
    assert stats["requests"]["lambda"]["Invoke"] == 3
    assert (stats["cold_starts"], stats["warm_starts"], stats["live_environments"]) == (1, 2, 1)
    assert stats["results"] == {"ok": 3}
