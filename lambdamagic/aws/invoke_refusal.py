"""A refused `Invoke`: Lambda's error response as data, and its conversion to our errors.

The client reads it where it invokes by itself; the invoker in Lambda reads it and hands it back as it is.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from lambdamagic.aws.aws_errors import AwsContext, error_of_invoke
from lambdamagic.errors import LambdaMagicError, ThrottledError


@dataclass(frozen=True, slots=True)
class InvokeRefusal:
    """Lambda's error response.

    Attributes:
        status: The HTTP status.
        code: AWS's error code.
        message: AWS's words.
        retry_after_s: How long Lambda asked to wait; 0 if it did not say.
        request_id: AWS's id of the request.
    """

    status: int
    code: str
    message: str
    retry_after_s: float = 0.0
    request_id: str = ""

    @classmethod
    def read(cls, response: http.client.HTTPResponse, body: bytes) -> InvokeRefusal:
        """Read an answer whose status says that it is a refusal."""
        headers = response.headers
        message, body_code = _said(body)
        return cls(
            response.status,
            headers.get("x-amzn-ErrorType", "").partition(":")[0] or body_code,
            message,
            _seconds(headers.get("Retry-After", "")),
            headers.get("x-amzn-RequestId", ""),
        )

    def error(self, function: str, *, where: str = "") -> LambdaMagicError:
        """Return our error for it; see `aws_errors.error_of_invoke`.

        Args:
            function: What was to be invoked.
            where: The endpoint that was asked, where it is one of the user's own.
        """
        context = AwsContext(f"invoke {function!r}", function=function, where=where)
        error = error_of_invoke(self.code, status=self.status, message=self.message, context=context)
        error.request_id = self.request_id
        if isinstance(error, ThrottledError):
            error.retry_after_s = self.retry_after_s
        return error


def _said(body: bytes) -> tuple[str, str]:
    """Return the message and the code of an error's body; they are spelled in several ways."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body[:500].decode("utf-8", "replace"), ""
    if not isinstance(answer, dict):
        return "", ""
    message = answer.get("message") or answer.get("Message") or ""
    reason = answer.get("Reason")
    code = str(answer.get("__type") or answer.get("code") or "").rpartition("#")[2]
    return f"{message} ({reason})" if reason else str(message), code


def _seconds(text: str) -> float:
    """Return what a Retry-After header says; Lambda writes seconds ("Invoke", Lambda API reference), up to a minute."""
    return min(float(text), 60.0) if text.isascii() and text.isdigit() else 0.0
