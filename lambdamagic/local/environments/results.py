"""Results of an invocation, in Lambda's words."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.local.control.log_streams import timeout_note
from lambdamagic.local.environments.processes import ProcessExit

MAX_REQUEST_BYTES = AWS_LAMBDA.sync_payload_bytes.most
# Lambda's own message names so many: "maximum allowed payload size (6291556 bytes)".
MAX_RESPONSE_BYTES = MAX_REQUEST_BYTES + 100
MAX_EVENT_BYTES = AWS_LAMBDA.async_payload_bytes.most


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of an invocation.

    Attributes:
        payload: The response, or the error as JSON.
        is_error: Whether it is a function error (`X-Amz-Function-Error: Unhandled`).
        status: What the REPORT line says of it.
        error_type: What the REPORT line calls it.
        note: What Lambda logs about it.
    """

    payload: bytes
    is_error: bool = False
    status: str = ""
    error_type: str = ""
    note: str = ""


def _error(error_type: str, message: str, *, status: str, report_type: str = "", note: str = "") -> Result:
    payload = json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
    return Result(payload, is_error=True, status=status, error_type=report_type, note=note)


def task_timed_out(request_id: str, timeout_s: float) -> Result:
    """The function's timeout passed and its environment was killed."""
    message = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    note = timeout_note(request_id, timeout_s, time.time())
    return _error("Sandbox.Timedout", message, status="timeout", note=note)


def exit_error(request_id: str, ended: ProcessExit, kill_reason: str) -> Result:
    """The runtime's process ended before there was a result."""
    how = ended.describe()
    text = f"Runtime exited with error: {how}" if how else "Runtime exited without providing a reason"
    message = f"RequestId: {request_id} Error: {text}"
    report_type = "Runtime.OutOfMemory" if kill_reason == "memory" else "Runtime.ExitError"
    note = f"{message}\nRuntime.ExitError\n"
    return _error("Runtime.ExitError", message, status="error", report_type=report_type, note=note)


def response_too_large() -> Result:
    """The function returned more than Lambda carries."""
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    report_type = "Function.ResponseSizeTooLarge"
    return _error(report_type, message, status="error", report_type=report_type)
