"""S3 bucket notifications to functions.

moto matches events to configurations (names, prefix, suffix) and then calls one module-level function to invoke
a Lambda. That function is the seam: it is replaced, because moto's own would start a Docker container.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Invoke = Callable[[str, bytes], None]


def install(invoke: Invoke) -> None:
    """Make moto hand its S3 events to `invoke(function_arn, payload)`; called in moto's threads."""
    from moto.s3 import notifications

    def deliver(account_id: str, event_body: dict[str, Any], fn_arn: str, region_name: str) -> None:
        del account_id, region_name  # both are in the ARN
        invoke(fn_arn, json.dumps(complete_event(event_body)).encode())

    notifications._invoke_awslambda = deliver


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
