"""Reject boto3 responses that were cut off.

`http.client`, on which boto3 stands, takes the end of a broken connection for the end of a response's head, and urllib3
does not see that a body lacks all of its bytes. botocore then reads an empty body: as a listing without objects, say.
Our own connections refuse such responses too (`aws.connections`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ATTEMPTS = 5


def require_whole_responses(client: Any) -> None:
    """Let a boto3 client ask again where a response was cut off, and raise botocore's own error in the end."""
    # Each has an id: botocore takes the second of one id for the first, registered again, and drops it.
    client.meta.events.register("needs-retry", _ask_again, unique_id="lambdamagic-whole-responses")
    client.meta.events.register("before-parse", _make_parsable, unique_id="lambdamagic-parsable-responses")


def _ask_again(response: Any, operation: Any, attempts: int, **about: Any) -> int | None:
    """Return a wait of no seconds, which lets botocore send the request again, or None if the response is whole."""
    del about
    if response is None:
        return None
    answer, _ = response
    has_body = not (operation.has_streaming_output or operation.http.get("method") == "HEAD")
    if _is_whole(answer.status_code, answer.headers, answer.content if has_body else None):
        return None
    if attempts < _ATTEMPTS:
        return 0
    raise _cut()


def _make_parsable(operation_model: Any, response_dict: dict[str, Any], **about: Any) -> None:
    """Put an empty result where half a document is: its parser would end the request before it is retried."""
    del about
    if operation_model.service_model.resolved_protocol not in ("query", "ec2"):
        return  # their parsers take what is no document for an empty one
    if not _is_whole(response_dict["status_code"], response_dict["headers"], response_dict["body"]):
        shape = operation_model.output_shape
        wrapper = shape.serialization.get("resultWrapper", "none") if shape is not None else "none"
        response_dict["body"] = f"<cut><{wrapper}/></cut>".encode()


def _is_whole(status: int, headers: Mapping[str, str], body: bytes | None) -> bool:
    if status < 200 or status in (204, 304):
        return True
    lower = {name.lower(): value for name, value in headers.items()}
    length = lower.get("content-length", "")
    if not length.isdigit():  # this line of the head may be the one that was cut
        return lower.get("transfer-encoding", "").lower() == "chunked"
    return body is None or "content-encoding" in lower or length == str(len(body))


def _cut() -> Exception:
    from botocore.exceptions import HTTPClientError

    return HTTPClientError(error="the connection broke before the response was whole")
