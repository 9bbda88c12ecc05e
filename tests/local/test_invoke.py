"""Synchronous Invoke: what is answered, refused and reported."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO, REPORT, Account


@pytest.fixture(scope="module")
def echo(account: Account) -> str:
    return account.deploy(ECHO)


def test_an_event_goes_to_the_handler_and_its_value_comes_back(account, echo):
    """The response carries the handler's value, the version that ran and a request id."""
    response = account.invoke(echo, {"numbers": [1, 2.5, None], "text": "é"})
    assert response["Payload"] == {"numbers": [1, 2.5, None], "text": "é"}
    assert response["StatusCode"] == 200
    assert response["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in response
    assert len(response["ResponseMetadata"]["RequestId"]) == 36


def test_no_payload_is_an_empty_object(account, echo):
    """Lambda gives the handler {} when the caller sends nothing."""
    assert json.loads(account.functions.invoke(FunctionName=echo)["Payload"].read()) == {}


def test_a_function_is_named_by_arn_or_partial_arn(account, echo):
    """Name, partial ARN and ARN mean the same function."""
    arn = account.functions.get_function(FunctionName=echo)["Configuration"]["FunctionArn"]
    for name in (arn, f"{account.connection.account_id}:function:{echo}", f"{arn}:$LATEST", f"{echo}:$LATEST"):
        assert account.invoke(name, 1)["Payload"] == 1


def test_the_context_describes_the_invocation(account):
    """The context holds name, memory, request id, ARN, log stream and the time that is left."""
    name = account.deploy(
        """
        import os
        def handler(event, context):
            return {
                "id": context.aws_request_id, "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
                "name": context.function_name, "version": context.function_version,
                "left": context.get_remaining_time_in_millis(),
                "group": context.log_group_name, "stream": context.log_stream_name,
                "client": context.client_context.custom if context.client_context else None,
            }
        """,
        Timeout=600,
    )
    client_context = base64.b64encode(json.dumps({"custom": {"who": "é"}}).encode()).decode()
    response = account.invoke(name, None, ClientContext=client_context)
    shown = response["Payload"]
    assert shown["id"] == response["ResponseMetadata"]["RequestId"]
    assert shown["arn"].endswith(f":function:{name}")
    assert (shown["memory"], shown["name"], shown["version"]) == ("256", name, "$LATEST")
    assert 300_000 < shown["left"] <= 600_000
    assert shown["group"] == f"/aws/lambda/{name}"
    assert "/[$LATEST]" in shown["stream"]
    assert shown["client"] == {"who": "é"}


def test_an_exception_is_an_unhandled_function_error(account):
    """The error's type, message and trace are the payload, and the header says Unhandled."""
    name = account.deploy("def handler(event, context):\n    raise ValueError('no good')\n")
    response = account.invoke(name)
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"]["errorType"] == "ValueError"
    assert response["Payload"]["errorMessage"] == "no good"
    assert response["Payload"]["requestId"] == response["ResponseMetadata"]["RequestId"]
    assert "raise ValueError" in "".join(response["Payload"]["stackTrace"])


def test_a_dry_run_runs_nothing(account):
    """DryRun answers 204 without starting an environment."""
    name = account.deploy("raise SystemExit('must not be imported')")
    assert account.invoke(name, InvocationType="DryRun")["StatusCode"] == 204


def test_a_missing_function_is_named_in_the_error(account):
    """A function that does not exist is AWS's 404 with its ARN."""
    with pytest.raises(ClientError) as caught:
        account.invoke("nowhere")
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error["Error"]["Code"] == "ResourceNotFoundException"
    assert error["Error"]["Message"] == (
        f"Function not found: arn:aws:lambda:us-east-1:{account.connection.account_id}:function:nowhere"
    )


def test_a_missing_qualifier_is_named_in_the_error(account, echo):
    """An alias that does not exist is a 404 that names it."""
    with pytest.raises(account.functions.exceptions.ResourceNotFoundException, match=f"function:{echo}:blue"):
        account.invoke(echo, Qualifier="blue")


def test_a_name_that_cannot_be_one_is_a_validation_error(account):
    """A malformed name is refused as AWS refuses it."""
    with pytest.raises(ClientError, match=r"ValidationException.*functionName"):
        account.invoke("not a name")


def test_a_payload_that_is_no_json_is_refused(account, echo):
    """InvalidRequestContentException, and nothing runs."""
    with pytest.raises(account.functions.exceptions.InvalidRequestContentException, match="Could not parse"):
        account.functions.invoke(FunctionName=echo, Payload=b"{oops")


def test_a_payload_that_is_nested_too_deeply_is_refused(account, echo):
    """An unreadable event is reported as such, and not as a failure of the instance."""
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(account.functions.exceptions.InvalidRequestContentException, match="Could not parse"):
        account.functions.invoke(FunctionName=echo, Payload=deep)


def test_a_synchronous_request_over_6_mb_is_refused(account, echo):
    """413 with AWS's own text."""
    with pytest.raises(ClientError) as caught:
        account.functions.invoke(FunctionName=echo, Payload=b'"' + b"x" * 6_291_456 + b'"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert caught.value.response["Error"]["Message"] == (
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    )


def test_an_event_over_1_mb_is_refused(account, echo):
    """413 with AWS's own text, which differs from the synchronous one."""
    payload = b'"' + b"x" * 1_048_576 + b'"'
    with pytest.raises(ClientError) as caught:
        account.functions.invoke(FunctionName=echo, Payload=payload, InvocationType="Event")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Message"] == (
        "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    )


def test_payloads_up_to_6_mb_pass_both_ways(account, echo):
    """Just under the limit goes to the function and comes back."""
    text = "x" * (6_291_456 - 2)
    assert account.invoke(echo, text)["Payload"] == text


def test_a_response_over_6_mb_is_a_function_error(account, echo):
    """Function.ResponseSizeTooLarge with AWS's text, and the next invocation works."""
    name = account.deploy("def handler(event, context):\n    return 'x' * event\n", MemorySize=512)
    response = account.invoke(name, 6_291_556)
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"] == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert account.invoke(name, 3)["Payload"] == "xxx"


def test_an_unknown_invocation_type_is_a_validation_error(account, echo):
    """boto3 does not check it, so the server must."""
    with pytest.raises(ClientError, match=r"ValidationException.*invocationType"):
        account.invoke(echo, InvocationType="Later")


def test_the_log_tail_holds_what_the_invocation_printed(account):
    """LogType=Tail returns START, the output, END and REPORT of this very invocation."""
    name = account.deploy("def handler(event, context):\n    print('said', event)\n")
    account.invoke(name, "first")
    response = account.invoke(name, "second", LogType="Tail")
    tail = base64.b64decode(response["LogResult"]).decode()
    request_id = response["ResponseMetadata"]["RequestId"]
    lines = tail.splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1] == "said second"
    assert lines[2] == f"END RequestId: {request_id}"
    assert lines[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "\tMemory Size: 256 MB\tMax Memory Used: " in lines[3]
    assert "Init Duration" not in tail


def test_the_log_tail_is_the_last_4_kb(account):
    """A long log is cut at its beginning."""
    name = account.deploy("def handler(event, context):\n    print('x' * 20000)\n")
    tail = base64.b64decode(account.invoke(name, LogType="Tail")["LogResult"])
    assert len(tail) == 4096
    assert b"REPORT RequestId" in tail


def _is_refused(account, echo, **options):
    with pytest.raises(ClientError) as caught:
        account.functions.invoke(FunctionName=echo, **options)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "payload", [b"NaN", b"[Infinity]", b'{"a": -Infinity}', "{}".encode("utf-16"), b'"\xff"', b" "]
)
def test_what_only_python_takes_for_json_is_refused(account, echo, payload):
    """Numbers that are none, and encodings other than UTF-8, never reach the function."""
    code, message = _is_refused(account, echo, Payload=payload)
    assert code == "InvalidRequestContentException"
    assert message.startswith("Could not parse request body into json: Could not parse payload into json: ")


@pytest.mark.parametrize("payload", [b"\xef\xbb\xbf{}", b'{"a": 1e999}', b'"\\ud800"', b"1" * 5000])
def test_odd_json_is_json(account, echo, payload):
    """A mark of UTF-8, large numbers and halves of surrogates are the function's matter."""
    assert account.functions.invoke(FunctionName=echo, Payload=payload)["StatusCode"] == 200


@pytest.mark.parametrize("context", ["null", "[]", '"text"', "1", '{"a": NaN}'])
@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_a_client_context_that_is_no_object_is_refused(account, echo, context, kind):
    """A list there once made the runtime fail, and the function's caller was given that error."""
    encoded = base64.b64encode(context.encode()).decode()
    code, message = _is_refused(account, echo, ClientContext=encoded, InvocationType=kind)
    assert code == "InvalidRequestContentException"
    assert message.startswith("Client context must be a valid Base64-encoded JSON object")


def test_an_event_has_no_client_context(account, mailbox):
    """Lambda passes it to synchronous invocations only."""
    code = f"{REPORT}def handler(event, context):\n    report(event, context.client_context is None)\n"
    name = account.deploy(code)
    encoded = base64.b64encode(b'{"custom": {"who": "me"}}').decode()
    account.invoke(name, mailbox.port, InvocationType="Event", ClientContext=encoded)
    assert mailbox.receive() is True


def test_an_unknown_log_type_is_a_validation_error(account, echo):
    """None and Tail are all there is."""
    code, message = _is_refused(account, echo, LogType="tail")
    assert code == "ValidationException"
    assert message.endswith(
        "'tail' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]"
    )


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        ("{name}\n", "ValidationException", "at 'functionName'"),
        ("{name}:$LATEST\n", "ValidationException", "at 'functionName'"),
        ("arn:aws:lambda:us-east-1:999999999999:function:{name}", "AccessDeniedException", "lambda:InvokeFunction"),
        ("999999999999:function:{name}", "AccessDeniedException", "lambda:InvokeFunction"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:{name}",
            "ResourceNotFoundException",
            "Functions from 'eu-west-1'",
        ),
    ],
)
def test_a_function_elsewhere_is_not_the_one_here(account, echo, function, code, words):
    """Neither another account's function of the same name means this one, nor a name with a line break."""
    found = _is_refused(account, function.format(name=echo))
    assert found[0] == code
    assert words in found[1]


@pytest.mark.parametrize("qualifier", ["a b", "a" * 129, "$LATEST\n"])
def test_a_qualifier_that_cannot_be_one_is_a_validation_error(account, echo, qualifier):
    """Its length and its characters are looked at first."""
    code, message = _is_refused(account, echo, Qualifier=qualifier)
    assert code == "ValidationException"
    assert "at 'qualifier' failed to satisfy constraint" in message


def test_a_body_is_not_kept_beyond_what_lambda_takes(account, echo):
    """Of an Invoke of 60 MB the server keeps 6, and refuses it in Lambda's words."""
    peak = _peak_mb(account)
    found = _is_refused(account, echo, Payload=b'"' + bytes(60_000_000) + b'"')
    assert found == (
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    )
    assert _peak_mb(account) - peak < 40


def _peak_mb(account):
    status = Path(f"/proc/{account.connection.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) >> 10
