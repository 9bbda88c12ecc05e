"""What a reply means, from the shapes in which AWS answers."""

from __future__ import annotations

import json

import pytest

from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    OutOfMemoryError,
    ProtocolError,
    ResultError,
    TargetError,
    VersionMismatchError,
)
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.verdict import read_reply
from lambdamagic.limits import AWS_MANAGED_INSTANCES
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response, Usage
from lambdamagic.transports.transport import InvocationReply

REPORT = (
    "REPORT RequestId: r-1\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: {peak} MB\t\n"
)


FUNCTION = FunctionRef("f", 128, 3)
ON_INSTANCES = FunctionRef("f", 128, 3, limits=AWS_MANAGED_INSTANCES)


def _read(document, *, log="", error="Unhandled", function=FUNCTION):
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    reply = InvocationReply(200, payload, error, log, "r-1", "$LATEST")
    return read_reply(reply, client=versions.here(), function=function)


TIMEOUT = {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: r-1 Error: Task timed out after 3.00 seconds"}
OLD_TIMEOUT = {"errorMessage": "2025-01-01T00:00:00.000Z r-1 Task timed out after 3.00 seconds"}
KILLED = {
    "errorType": "Runtime.ExitError",
    "errorMessage": "RequestId: r-1 Error: Runtime exited with error: signal: killed",
}
EXITED = {
    "errorType": "Runtime.ExitError",
    "errorMessage": "RequestId: r-1 Error: Runtime exited with error: exit status 7",
}
OOM = {"errorType": "Runtime.OutOfMemory", "errorMessage": "RequestId: r-1 Error: Runtime exited: out of memory"}
TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
}
NO_MODULE = {
    "errorType": "Runtime.ImportModuleError",
    "errorMessage": "Unable to import module 'lambdamagic.worker.handler': No module named 'lambdamagic'",
}
UNKNOWN = {"errorType": "SomethingNew", "errorMessage": "what?"}


@pytest.mark.parametrize(
    ("document", "peak", "kind"),
    [
        (TIMEOUT, 50, FunctionTimedOutError),
        (OLD_TIMEOUT, 50, FunctionTimedOutError),
        (KILLED, 128, OutOfMemoryError),
        (KILLED, 50, EnvironmentDiedError),
        (OOM, 128, OutOfMemoryError),
        (EXITED, 50, EnvironmentDiedError),
        (TOO_LARGE, 50, ResultError),
        (NO_MODULE, 50, TargetError),
        (UNKNOWN, 50, EnvironmentDiedError),
        ("not even an object", 50, EnvironmentDiedError),
    ],
)
def test_how_the_function_ended(document, peak, kind):
    """Distinguished by error type, message and the report."""
    with pytest.raises(kind) as caught:
        _read(document, log=REPORT.format(peak=peak))
    assert type(caught.value) is kind


def test_memory_evidence():
    """Peak and limit are in the error."""
    with pytest.raises(OutOfMemoryError, match="it used 127 MB of its 128 MB") as caught:
        _read(KILLED, log=REPORT.format(peak=127))
    assert (caught.value.peak_memory_mb, caught.value.memory_mb, caught.value.request_id) == (127, 128, "r-1")


@pytest.mark.parametrize(
    ("document", "function", "hint"),
    [
        (TIMEOUT, FUNCTION, "(up to 1800 s)"),
        (TIMEOUT, ON_INSTANCES, "(up to 5400 s)"),
        (OOM, FUNCTION, "up to 10240)"),
        (OOM, ON_INSTANCES, "up to 32768)"),
    ],
)
def test_hints_name_the_limits_of_the_functions_compute(document, function, hint):
    """What may be asked for is read from what came with the function."""
    with pytest.raises((FunctionTimedOutError, OutOfMemoryError)) as caught:
        _read(document, function=function)
    assert hint in caught.value.hint


def test_no_timeout_above_the_maximum_is_suggested():
    """Who has the most already is only advised to do less."""
    with pytest.raises(FunctionTimedOutError) as caught:
        _read(TIMEOUT, function=FunctionRef("f", 128, 1800))
    assert caught.value.hint == "Do less in one task"


@pytest.mark.parametrize(
    ("document", "status", "says"),
    [
        (TIMEOUT, "timeout", "its INIT takes longer than the function's timeout of 3 s"),
        (EXITED, "error\tError Type: Runtime.ExitError", r"its process ended in INIT \(.*exit status 7\)"),
        (NO_MODULE, "error\tError Type: Runtime.ImportModuleError", "No module named 'lambdamagic'"),
    ],
)
def test_a_function_that_cannot_start_ran_no_code(document, status, says):
    """INIT_REPORT before START says so; what the code prints after it does not."""
    line = f"INIT_REPORT Init Duration: 3000.00 ms\tPhase: invoke\tStatus: {status}\t\n"
    start = "START RequestId: r-1 Version: $LATEST\n"
    with pytest.raises(TargetError, match=says):
        _read(document, log=line + start)
    if document is not NO_MODULE:
        with pytest.raises((FunctionTimedOutError, EnvironmentDiedError)):
            _read(document, log=start + line)


def test_stacks_of_the_watchdog_in_the_log():
    """They are taken out of it."""
    log = "lambdamagic stacks at the deadline:\nThread MainThread:\n  line\nlambdamagic end of stacks\nREPORT ..."
    with pytest.raises(FunctionTimedOutError) as caught:
        _read(TIMEOUT, log=log)
    assert caught.value.stacks == "Thread MainThread:\n  line"


def test_stacks_of_faulthandler_in_the_log():
    """Turned round, without our own frames."""
    log = (
        "Timeout (0:00:02.900000)!\n"
        "Thread 0x00007f01 (most recent call first):\n"
        '  File "/opt/python/lambdamagic/worker/watchdog.py", line 90 in _watch\n'
        "\n"
        "Thread 0x00007f02 (most recent call first):\n"
        '  File "<cell-of-verdicts>", line 3 in slow\n'
        '  File "<cell-of-verdicts>", line 5 in <module>\n'
        '  File "/opt/python/lambdamagic/worker/execution.py", line 40 in run_code\n'
        '  File "/var/lang/awslambdaric/bootstrap.py", line 400 in run\n'
    )
    with pytest.raises(FunctionTimedOutError) as caught:
        _read(TIMEOUT, log=log)
    assert caught.value.stacks == (
        "Thread 0x00007f02:\n"
        '  File "<cell-of-verdicts>", line 5, in <module>\n'
        '  File "<cell-of-verdicts>", line 3, in slow\n'
    )


def test_a_refusal_is_raised_as_the_error_that_it_names():
    """With its hint apart from the message; an unknown name is a ProtocolError."""
    refused = Response(versions.here(), "refused", detail="no\n  -> do this", error_kind="VersionMismatchError")
    with pytest.raises(VersionMismatchError) as caught:
        _read(refused.to_json(), error=None)
    assert (caught.value.message, caught.value.hint) == ("no", "do this")
    for kind in ("__name__", "Any", "Nonsense", "ThrottledError"):
        with pytest.raises(ProtocolError):
            _read(Response(versions.here(), "refused", detail="x", error_kind=kind).to_json(), error=None)


def test_an_answer_of_another_python_is_not_used():
    """Its versions are checked before anything is unpickled."""
    answer = Response({"protocol": 1, "python": "2.7", "serializers": {}}, "done")
    with pytest.raises(VersionMismatchError, match=r"the function runs 2\.7"):
        _read(answer.to_json(), error=None)


def test_an_answer():
    """Is returned."""
    assert _read(Response(versions.here(), "done").to_json(), error=None).status == "done"
    with pytest.raises(ProtocolError, match="not JSON"):
        _read(b"<html>", error=None)


def test_how_a_process_ended_is_shown_as_lambda_says_it():
    """Behind its first mark, or all of it where there is none; with the memory, if that is known."""
    for said, shown in (
        ("RequestId: r-1 Error: exit status 7", "exit status 7"),
        ("Error: a: Error: b", "a: Error: b"),
        ("exit status 7", "exit status 7"),
    ):
        with pytest.raises(EnvironmentDiedError) as caught:
            _read({"errorType": "Runtime.ExitError", "errorMessage": said})
        assert caught.value.message == f"the function's process ended while the code ran ({shown})."
    with pytest.raises(EnvironmentDiedError, match=r" It had used 50 MB of 128 MB\.\n") as caught:
        _read(EXITED, log=REPORT.format(peak=50))
    assert (caught.value.request_id, caught.value.log_tail) == ("r-1", REPORT.format(peak=50))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Runtime.ImportModuleError", TargetError),
        ("Runtime.HandlerNotFound", TargetError),
        ("Runtime.Odd", EnvironmentDiedError),
        ("ImportError", EnvironmentDiedError),
        ("HandlerError", EnvironmentDiedError),
    ],
)
def test_only_lambdas_own_errors_say_that_the_handler_cannot_start(kind, expected):
    """The user's classes may be called like them."""
    with pytest.raises(expected) as caught:
        _read({"errorType": kind, "errorMessage": "x"})
    assert type(caught.value) is expected


def test_a_refusal_says_for_how_long_it_ran():
    """That is billed."""
    refused = Response(
        versions.here(), "refused", detail="x", error_kind="ProtocolError", usage=Usage(duration_ms=1500.0)
    )
    with pytest.raises(ProtocolError) as caught:
        _read(refused.to_json(), error=None)
    assert (caught.value.billed_s, caught.value.hint) == (1.5, None)
