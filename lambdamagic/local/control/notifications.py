"""Events of other services that invoke functions: S3 bucket notifications, and what else moto connects.

moto matches events to configurations (names, prefix, suffix) and then invokes the function, for which it would
start a Docker container. Its two ways of doing so are the seams: both are replaced by one call into our queue.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from lambdamagic.local.control.moto_patches import put
from lambdamagic.local.server.http_server import HttpRequest

Invoke = Callable[[str, bytes], None]
_current = threading.local()


@contextmanager
def during(request: HttpRequest) -> Iterator[None]:
    """Mark this thread as answering a request, so that events that moto sends too many of are known."""
    _current.makes_object_otherwise = "x-amz-copy-source" in request.headers or (
        request.method == "POST" and "uploadId=" in request.query
    )
    try:
        yield
    finally:
        _current.makes_object_otherwise = False


def install_for_others(invoke: Invoke) -> None:
    """Make moto hand what SQS, SNS, EventBridge or the old InvokeAsync would invoke to `invoke(arn, payload)`."""

    def deliver(function: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        del request_headers, response_headers  # all of these are asynchronous
        invoke(function.function_arn, body if isinstance(body, bytes) else str(body).encode())
        return b"{}"

    put("moto.awslambda.models:LambdaFunction.invoke", deliver)


def install_for_s3(invoke: Invoke) -> None:
    """Make moto hand its S3 events to `invoke(function_arn, payload)`; called in moto's threads."""

    def deliver(account_id: str, event_body: dict[str, Any], fn_arn: str, region_name: str) -> None:
        del account_id, region_name  # both are in the ARN
        event_name = event_body["Records"][0]["eventName"]
        if event_name == "ObjectCreated:Put" and getattr(_current, "makes_object_otherwise", False):
            return  # moto completes an upload or copies by a separate put; the event of that kind follows
        invoke(fn_arn, json.dumps(complete_event(event_body)).encode())

    put("moto.s3.notifications:_invoke_awslambda", deliver)


def complete_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return moto's event with what "Event message structure" (S3 user guide) has and moto leaves out."""
    for record in event["Records"]:
        record.setdefault("userIdentity", {"principalId": "AWS:EMBEDDED"})
        record.setdefault("requestParameters", {"sourceIPAddress": "127.0.0.1"})
        record.setdefault(
            "responseElements",
            {"x-amz-request-id": secrets.token_hex(8).upper(), "x-amz-id-2": secrets.token_urlsafe(48)},
        )
        record["s3"]["bucket"].setdefault("ownerIdentity", {"principalId": "EMBEDDED"})
        # Grows with time, which is all that may be said of a sequencer.
        record["s3"]["object"].setdefault("sequencer", f"{int(datetime.now(UTC).timestamp() * 1e6):016X}")
    return event
