"""Lambda's Invoke: against the embedded Lambda, and against a server that plays AWS's worse answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.errors import (
    CredentialsError,
    FunctionMissingError,
    InvocationLostError,
    LambdaMagicError,
    NotReadyError,
    PayloadTooLargeError,
    ProtocolError,
    TargetError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.local.testing.faults import Faults
from lambdamagic.transports import InvokeCall
from lambdamagic.transports.lambda_api import LambdaTransport
from tests.storage.scripted import DROP, ScriptedServer, Step

from .conftest import Account, access_to

To = Callable[[str], LambdaTransport]


def payload(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_reply_comes_back(transport: LambdaTransport) -> None:
    """A function's value, its request id and version come back; without being asked for, no log does."""
    reply = transport.invoke(InvokeCall("f", payload({"a": "ü"})))
    assert reply.status == 200
    assert reply.function_error is None
    assert json.loads(reply.payload) == {"got": {"a": "ü"}, "id": reply.request_id}
    assert reply.executed_version == "$LATEST"
    assert reply.log_tail == ""


def test_the_log_tail_is_text(transport: LambdaTransport) -> None:
    """The log's end comes back decoded when it is asked for."""
    reply = transport.invoke(InvokeCall("f", b"1", want_log_tail=True))
    assert "hällo 1" in reply.log_tail
    assert f"REPORT RequestId: {reply.request_id}" in reply.log_tail


@pytest.mark.parametrize(
    ("function", "qualifier", "version"),
    [("f", None, "$LATEST"), ("f", "prod", "1"), ("f", "1", "1"), ("f:prod", None, "1"), ("f", "$LATEST", "$LATEST")],
)
def test_versions_and_aliases(transport: LambdaTransport, function: str, qualifier: str | None, version: str) -> None:
    """A version or alias is reached by the qualifier or in the name, signed correctly each time."""
    assert transport.invoke(InvokeCall(function, b"1", qualifier=qualifier)).executed_version == version


def test_functions_by_arn(transport: LambdaTransport, account: Account) -> None:
    """A whole ARN, whose colons are quoted twice in the signature, names the function."""
    assert transport.invoke(InvokeCall(account.arn, b"1")).status == 200
    assert transport.invoke(InvokeCall(f"{account.arn}:prod", b"1")).executed_version == "1"


def test_an_event_is_only_queued(transport: LambdaTransport) -> None:
    """An asynchronous invocation returns when it is queued, with its id."""
    reply = transport.invoke(InvokeCall("f", b"1", kind="Event"))
    assert (reply.status, reply.payload, reply.function_error) == (202, b"", None)
    assert reply.request_id


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        ("raise", "ValueError", "as asked"),
        ("exit", "Runtime.ExitError", "exit status 3"),
        ("hang", "Sandbox.Timedout", "timed out after 5.00 seconds"),
        ("large", "Function.ResponseSizeTooLarge", "exceeded"),
    ],
)
def test_a_functions_failure_is_a_reply(transport: LambdaTransport, event: str, error_type: str, message: str) -> None:
    """What the function did is for the engine to judge: it is a reply with the error in it, never an exception."""
    reply = transport.invoke(InvokeCall("f", payload(event), want_log_tail=True))
    assert reply.function_error == "Unhandled"
    failure = json.loads(reply.payload)
    assert failure["errorType"] == error_type
    assert message in failure["errorMessage"]
    assert reply.log_tail


def test_a_missing_function(transport: LambdaTransport) -> None:
    """A function that does not exist is named, with what to do."""
    for invocation in (InvokeCall("nobody", b"1"), InvokeCall("f", b"1", qualifier="none")):
        with pytest.raises(FunctionMissingError, match="no function") as caught:
            transport.invoke(invocation)
        assert "lambdamagic deploy" in str(caught.value)


@pytest.mark.parametrize(("kind", "size"), [("RequestResponse", 6 * 1024 * 1024 + 1), ("Event", 1024 * 1024 + 1)])
def test_too_large_a_payload(transport: LambdaTransport, kind: str, size: int) -> None:
    """An event over Lambda's limit is refused, and it is known that nothing ran."""
    with pytest.raises(PayloadTooLargeError) as caught:
        transport.invoke(InvokeCall("f", b'"' + b"x" * (size - 2) + b'"', kind=kind))
    assert not caught.value.may_have_run


def test_no_json(transport: LambdaTransport) -> None:
    """An event that is not JSON is the client's own mistake."""
    with pytest.raises(ProtocolError, match="JSON"):
        transport.invoke(InvokeCall("f", b"{"))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"access_key_id": "AKIAUNKNOWNUNKNOWNAA"}, "does not recognize"),
        ({"secret_access_key": "wrong"}, "does not match"),
    ],
)
def test_wrong_credentials(account: Account, changes: dict[str, str], what: str) -> None:
    """A wrong key and a wrong secret are distinguished."""
    refused = LambdaTransport(access_to(account.connection, **changes))
    with pytest.raises(CredentialsError, match=what):
        refused.invoke(InvokeCall("f", b"1"))
    refused.close()


def test_throttled(transport: LambdaTransport, faults: Faults) -> None:
    """429 is raised at once and not waited out here, with AWS's reason; nothing ran."""
    faults.throttle(function="f")
    with pytest.raises(ThrottledError, match="ConcurrentInvocationLimitExceeded") as caught:
        transport.invoke(InvokeCall("f", b"1"))
    assert not caught.value.may_have_run
    assert caught.value.retry_after_s == 1.0  # Lambda's header Retry-After
    assert transport.invoke(InvokeCall("f", b"1")).status == 200


def test_an_internal_error_leaves_it_open(transport: LambdaTransport, faults: Faults) -> None:
    """Lambda's own 500 does not say whether the code ran, and neither do we."""
    faults.fail(status=500, function="f")
    with pytest.raises(InvocationLostError, match="unknown") as caught:
        transport.invoke(InvokeCall("f", b"1"))
    assert caught.value.may_have_run


@pytest.mark.parametrize("after_running", [False, True])
def test_a_dropped_connection_leaves_it_open(transport: LambdaTransport, faults: Faults, after_running: bool) -> None:
    """When no answer comes the invocation is lost, and is not sent again by anything below the engine."""
    transport.invoke(InvokeCall("f", b"1"))
    faults.stats(reset=True)
    faults.drop(after_running=after_running, function="f")
    with pytest.raises(InvocationLostError):
        transport.invoke(InvokeCall("f", b"1"))
    assert faults.armed() == []
    assert transport.invoke(InvokeCall("f", b"1")).status == 200


def refusal(status: int, code: str, message: str = "as scripted") -> Step:
    body = json.dumps({"Message": message, "Type": "User"}).encode()
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/", "x-amzn-RequestId": "id-1"}
    return Step(status, body, headers)


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (refusal(403, "AccessDeniedException"), CredentialsError, "lambda:InvokeFunction on f"),
        (refusal(403, "ExpiredTokenException"), CredentialsError, "expired"),
        (refusal(403, "UnrecognizedClientException"), CredentialsError, "does not recognize"),
        (refusal(403, "InvalidSignatureException", "Signature expired: 2020 is earlier"), CredentialsError, "clock"),
        (
            refusal(409, "ResourceConflictException", "The function is currently in the following state: Pending"),
            NotReadyError,
            "not ready yet",
        ),
        (
            refusal(409, "ResourceConflictException", "The function is currently in the following state: Failed"),
            FunctionMissingError,
            "cannot be used",
        ),
        (refusal(502, "ResourceNotReadyException"), NotReadyError, "not ready yet"),
        (refusal(502, "CodeArtifactUserPendingException"), NotReadyError, "not ready yet"),
        (refusal(409, "SnapStartNotReadyException"), NotReadyError, "not ready yet"),
        (refusal(502, "ENINotReadyException"), NotReadyError, "not ready yet"),
        (refusal(502, "EC2ThrottledException"), NotReadyError, "not ready yet"),
        (refusal(413, "RequestTooLargeException"), PayloadTooLargeError, "exceeds"),
        (refusal(502, "KMSDisabledException"), TargetError, "KMSDisabledException"),
        (refusal(502, "ENILimitReachedException"), TargetError, "ENILimitReachedException"),
        (refusal(500, "ServiceException"), InvocationLostError, "unknown"),
        (refusal(400, "InvalidParameterValueException"), TargetError, "as scripted"),
        (Step(503, b"<html>busy"), InvocationLostError, "<html>busy"),
        (Step(413, b""), PayloadTooLargeError, "exceeds"),
        (Step(429, b"[]"), ThrottledError, "limit"),
        (Step(400, b'{"__type": "com.amazon#ExpiredTokenException", "message": "m"}'), CredentialsError, "expired"),
    ],
)
def test_every_refusal_is_one_of_ours(transport_to: To, step: Step, kind: type[LambdaMagicError], says: str) -> None:
    """AWS's documented errors become our tree's, once, with what was said; nothing is tried again."""
    with ScriptedServer(step) as server:
        with pytest.raises(kind) as caught:
            transport_to(server.url).invoke(InvokeCall("f", b"1"))
        assert type(caught.value) is kind
        assert says in str(caught.value)
        assert len(server.requests) == 1
    if hasattr(caught.value, "request_id") and step.headers:
        assert caught.value.request_id == "id-1"


def test_what_is_sent(transport_to: To) -> None:
    """The request is the documented one: path, kind, log type, and a signature over them."""
    log = base64.b64encode("ä tail".encode()[1:]).decode()
    with ScriptedServer(Step(headers={"X-Amz-Log-Result": log, "X-Amz-Function-Error": "Handled"})) as server:
        reply = transport_to(server.url).invoke(InvokeCall("f:x", b"{}", qualifier="a$b", want_log_tail=True))
        request = server.requests[0]
    assert (request.method, request.body) == ("POST", b"{}")
    assert request.target == "/2015-03-31/functions/f%3Ax/invocations?Qualifier=a%24b"
    assert request.headers["x-amz-invocation-type"] == "RequestResponse"
    assert request.headers["x-amz-log-type"] == "Tail"
    assert "SignedHeaders=host;x-amz-date;x-amz-invocation-type;x-amz-log-type" in request.headers["authorization"]
    assert reply.log_tail == "\ufffd tail"  # AWS cuts the tail by bytes
    assert reply.function_error == "Handled"


def test_a_session_token_is_signed_too() -> None:
    """Temporary credentials send their token, as part of what is signed."""
    with ScriptedServer() as server:
        access = AwsAccess(
            region="us-east-1",
            endpoint_url=server.url,
            access_key_id="a",
            secret_access_key="b",
            session_token="token",
        )
        made = LambdaTransport(access)
        made.invoke(InvokeCall("f", b"1"))
        made.close()
        assert server.requests[0].headers["x-amz-security-token"] == "token"
        assert "x-amz-security-token" in server.requests[0].headers["authorization"]


def test_an_endpoint_without_a_server_is_unreachable(transport_to: To) -> None:
    """A connection that cannot be made is a separate error: nothing ran, so the engine may try again."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match="nothing was sent"):
            transport_to(f"http://127.0.0.1:{holder.getsockname()[1]}").invoke(InvokeCall("f", b"1"))


def test_a_lost_answer(transport_to: To) -> None:
    """A connection that breaks after the request, or in the middle of the answer, is a lost invocation."""
    with ScriptedServer(DROP, Step(body=b"0123456789", drop_after=5), Step(body=b"1")) as server:
        transport = transport_to(server.url)
        for _ in range(2):
            with pytest.raises(InvocationLostError, match="unknown"):
                transport.invoke(InvokeCall("f", b"1"))
        assert transport.invoke(InvokeCall("f", b"1")).payload == b"1"
        assert len(server.requests) == 3


def test_many_threads_share_it(transport_to: To) -> None:
    """Sixteen threads at once each get an answer, over at most as many connections."""
    with ScriptedServer(*[Step(body=b"1")] * 160) as server:
        transport = transport_to(server.url)
        answers: list[bytes] = []

        def work() -> None:
            answers.extend(transport.invoke(InvokeCall("f", b"1")).payload for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [b"1"] * 160
        assert server.connections <= 16


def test_closing_frees_who_waits(account: Account) -> None:
    """Closing ends a wait for a hanging function at once, as a lost invocation; afterwards nothing is sent."""
    transport = LambdaTransport(access_to(account.connection))
    failures: list[Exception] = []

    def wait() -> None:
        try:
            transport.invoke(InvokeCall("f", b'"hang"'))
        except LambdaMagicError as exc:
            failures.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    # `hang` sleeps for 60 s and is killed after 5: whichever comes first, the request or the close, the wait ends.
    transport.close()
    transport.close()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(failures[0], InvocationLostError | TargetError)
    with pytest.raises(TargetError, match="closed"):
        transport.invoke(InvokeCall("f", b"1"))


def test_the_endpoint_is_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, AWS_ENDPOINT_URL_LAMBDA and the standard credentials variables are honored."""
    with ScriptedServer(Step(body=b"1")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
        transport = LambdaTransport(AwsAccess())
        assert transport.invoke(InvokeCall("f", b"1")).payload == b"1"
        transport.close()
        assert "AKIAFROMENVIRONMENT/" in server.requests[0].headers["authorization"]
        assert "/eu-west-3/lambda/" in server.requests[0].headers["authorization"]
