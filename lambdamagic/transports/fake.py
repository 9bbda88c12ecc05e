"""The transport's fake: scripted replies and failures, counted attempts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from lambdamagic.aws.invoke_refusal import InvokeRefusal
from lambdamagic.errors import LambdaMagicError
from lambdamagic.transports.transport import InvocationReply, InvokeCall

Step = InvocationReply | Exception | Callable[[InvokeCall], InvocationReply]
"""What one invocation meets: a reply, an error to raise, or a function to ask."""


class FakeTransport:
    """Plays a script, then an echo; a `Transport`. Thread-safe.

    Args:
        script: What the invocations meet, in the order in which they arrive.
        then: What every later invocation meets; by default its own payload comes back.

    Attributes:
        invocations: Everything that was delivered, in order of arrival, refused ones included.
        most_at_once: How many threads were inside `invoke` together at most.
        closed: Whether `close` was called.
    """

    def __init__(self, script: Iterable[Step] = (), *, then: Step | None = None) -> None:
        self.invocations: list[InvokeCall] = []
        self.most_at_once = 0
        self.closed = False
        self._script = deque(script)
        self._then: Step = then if then is not None else _echo
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def attempts(self) -> int:
        """How many invocations were delivered."""
        return len(self.invocations)

    def invoke(self, invocation: InvokeCall) -> InvocationReply:
        """Note the invocation and play the script's next step."""
        with self._lock:
            self.invocations.append(invocation)
            step = self._script.popleft() if self._script else self._then
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        try:
            if isinstance(step, Exception):
                raise step
            return step if isinstance(step, InvocationReply) else step(invocation)
        finally:
            with self._lock:
                self._inside -= 1

    def refused(self, function: str, *, status: int, code: str, message: str, retry_after_s: float) -> LambdaMagicError:
        """Read a refusal as Lambda's transport does."""
        return InvokeRefusal(status, code, message, retry_after_s).error(function)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def failed(error_type: str, message: str) -> InvocationReply:
    """Return the reply of a function that failed, as Lambda words it."""
    import json

    payload = json.dumps({"errorType": error_type, "errorMessage": message}).encode()
    return InvocationReply(200, payload, "Unhandled", request_id="fake", executed_version="$LATEST")


def _echo(invocation: InvokeCall) -> InvocationReply:
    if invocation.kind == "Event":
        return InvocationReply(202, b"", request_id="fake")
    return InvocationReply(200, invocation.payload, request_id="fake", executed_version="$LATEST")
