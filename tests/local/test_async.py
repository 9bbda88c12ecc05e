"""Asynchronous invocations: accepted, retried, aged out, recorded."""

from __future__ import annotations

import json

from tests.local.conftest import REPORT

FAILS_UNTIL = (
    REPORT
    + """
import os
def handler(event, context):
    count = 0
    if os.path.exists(event["file"]):
        count = int(open(event["file"]).read())
    open(event["file"], "w").write(str(count + 1))
    report(event["port"], {"attempt": count + 1, "id": context.aws_request_id})
    if count < event["failures"]:
        raise RuntimeError("not yet")
    return "fine"
"""
)


def _send(account, name, tmp_path, mailbox, failures):
    event = {"file": str(tmp_path / "count"), "port": mailbox.port, "failures": failures}
    return account.invoke(name, event, InvocationType="Event")


def test_an_event_is_accepted_and_run_later(account, tmp_path, mailbox):
    """202 with an empty body, and the function runs under the same request id."""
    name = account.deploy(FAILS_UNTIL)
    response = _send(account, name, tmp_path, mailbox, 0)
    assert (response["StatusCode"], response["Payload"]) == (202, None)
    assert mailbox.receive() == {"attempt": 1, "id": response["ResponseMetadata"]["RequestId"]}
    assert mailbox.is_silent(0.3)


def test_an_error_is_retried_twice_by_default(account, tmp_path, mailbox):
    """Three attempts in all under one request id, then no more."""
    name = account.deploy(FAILS_UNTIL)
    _send(account, name, tmp_path, mailbox, 9)
    reports = [mailbox.receive() for _ in range(3)]
    assert [r["attempt"] for r in reports] == [1, 2, 3]
    assert len({r["id"] for r in reports}) == 1
    assert mailbox.is_silent(0.5)


def test_a_retry_that_works_is_the_last(account, tmp_path, mailbox):
    """Success ends the retries."""
    name = account.deploy(FAILS_UNTIL)
    _send(account, name, tmp_path, mailbox, 1)
    assert [mailbox.receive()["attempt"] for _ in range(2)] == [1, 2]
    assert mailbox.is_silent(0.4)


def test_retries_are_as_many_as_configured(account, tmp_path, mailbox):
    """MaximumRetryAttempts of the function's event invoke configuration is honored."""
    name = account.deploy(FAILS_UNTIL)
    account.functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    _send(account, name, tmp_path, mailbox, 9)
    assert mailbox.receive()["attempt"] == 1
    assert mailbox.is_silent(0.4)


def test_a_throttled_event_waits_in_the_queue(account, tmp_path, mailbox):
    """An event that finds no concurrency is not lost: it runs when there is some."""
    name = account.deploy(FAILS_UNTIL)
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    _send(account, name, tmp_path, mailbox, 0)
    assert mailbox.is_silent(0.2)
    account.functions.delete_function_concurrency(FunctionName=name)
    assert mailbox.receive()["attempt"] == 1


def _queue(account, name):
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def _receive(account, url):
    """Wait for one message for a minute; SQS's own long poll is the wait."""
    for _ in range(6):
        messages = account.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages", [])
        if messages:
            return json.loads(messages[0]["Body"])
    raise AssertionError("no message came")


def test_a_failure_is_recorded_in_its_destination(account, tmp_path, mailbox):
    """After the last retry the record with request and response goes to the SQS destination."""
    name = account.deploy(FAILS_UNTIL)
    url, arn = _queue(account, "failures")
    account.functions.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    response = _send(account, name, tmp_path, mailbox, 9)
    record = _receive(account, url)
    assert record["requestContext"]["requestId"] == response["ResponseMetadata"]["RequestId"]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"]["failures"] == 9
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "not yet"


def test_an_event_grows_too_old(account, tmp_path, mailbox):
    """MaximumEventAgeInSeconds ends the waiting of an event that cannot run."""
    name = account.deploy(FAILS_UNTIL)
    url, arn = _queue(account, "aged")
    account.functions.put_function_event_invoke_config(
        FunctionName=name, MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    _send(account, name, tmp_path, mailbox, 0)
    assert _receive(account, url)["requestContext"]["condition"] == "EventAgeExceeded"
    account.functions.delete_function(FunctionName=name)
