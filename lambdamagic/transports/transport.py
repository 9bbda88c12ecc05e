"""The transport interface: one call of one function, delivered once.

A transport delivers and reports. It never tries again, never looks into the payload and does not judge what the
function did: retries, chunks and the meaning of a function's error are the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from lambdamagic.errors import LambdaMagicError
from lambdamagic.limits import AWS_LAMBDA

InvocationKind = Literal["RequestResponse", "Event"]
"""Lambda's `InvocationType`: wait for the reply, or hand the event over and go."""


@dataclass(frozen=True, slots=True)
class InvokeCall:
    """One `Invoke` of a function.

    Attributes:
        function: The function's name, partial ARN or ARN.
        payload: The event, as JSON in UTF-8.
        kind: `RequestResponse` waits for the reply, `Event` only until Lambda has queued the event.
        qualifier: A version or an alias, or None for what the name says ($LATEST if nothing).
        want_log_tail: Whether to ask for the last 4 KiB of the log; `RequestResponse` only.
        timeout_s: The function's own timeout in seconds: how long a silent reply is waited for (and a margin).
    """

    function: str
    payload: bytes = field(repr=False)
    kind: InvocationKind = "RequestResponse"
    qualifier: str | None = None
    want_log_tail: bool = False
    timeout_s: float = AWS_LAMBDA.timeout_s.most


@dataclass(frozen=True, slots=True)
class InvocationReply:
    """The reply to an invocation.

    Attributes:
        status: 200 for `RequestResponse`, 202 for `Event`.
        payload: What the function returned, as JSON in UTF-8; of a failed function an object with `errorType`,
            `errorMessage` and mostly `stackTrace`; empty for `Event`.
        function_error: `Unhandled` or `Handled` if the function failed, timed out or its process died, else None.
        log_tail: The last 4 KiB of the invocation's log if it was asked for, else "".
        request_id: AWS's id of the invocation.
        executed_version: The version that ran, such as `$LATEST`; "" for `Event`.
    """

    status: int
    payload: bytes = field(repr=False)
    function_error: str | None = None
    log_tail: str = field(default="", repr=False)
    request_id: str = ""
    executed_version: str = ""


class Transport(Protocol):
    """Delivers invocations. Thread-safe: any number of threads may be inside `invoke` at once."""

    def invoke(self, invocation: InvokeCall) -> InvocationReply:
        """Deliver one invocation and wait for what its kind waits for. Never tries again.

        Billed by AWS as one request and, unless it raises an error of the first group, for the function's duration.

        Raises:
            ThrottledError: the concurrency or rate limit is reached. Nothing ran.
            PayloadTooLargeError: the event is larger than Lambda takes. Nothing ran.
            FunctionMissingError: there is no such function, or it is not ready. Nothing ran.
            CredentialsError: there are no credentials, or they were refused. Nothing ran.
            TargetError: the endpoint cannot be reached or refuses for another reason. Nothing ran.
            ProtocolError: the payload is not JSON. Nothing ran.
            InvocationLostError: the request was sent and no reply came. Whether the code ran is unknown.
        """
        ...

    def refused(self, function: str, *, status: int, code: str, message: str, retry_after_s: float) -> LambdaMagicError:
        """Return the error that `invoke` would have raised for a refusal which an invoker met in our place."""
        ...

    def close(self) -> None:
        """Give back connections. Idempotent; invocations under way may fail as lost."""
        ...
