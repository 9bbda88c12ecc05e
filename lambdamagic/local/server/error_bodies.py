"""AWS's errors, in the form in which each protocol carries them.

S3 uses XML, Lambda and CloudWatch Logs use JSON with `x-amzn-errortype`, IAM and STS use "query" XML.
boto3 reads the code from these places, so a wrong shape would show as an unknown error.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lambdamagic.local.server.http_server import HttpResponse

QUERY_SERVICES = frozenset({"iam", "sts", "cloudformation"})


@dataclass(eq=False)
class AwsError(Exception):
    """An error that is answered to the caller.

    Attributes:
        status: HTTP status.
        code: AWS's error code, as botocore's exceptions name it.
        text: The message.
        members: Further members of the JSON body, e.g. Lambda's `Reason`.
        headers: Further headers, e.g. `Retry-After`.
    """

    status: int
    code: str
    text: str
    members: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def broken_constraint(value: str, member: str, constraint: str) -> AwsError:
    """Return Lambda's refusal of a value that its API model does not allow."""
    text = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return AwsError(400, "ValidationException", text)


def render(error: AwsError, service: str) -> HttpResponse:
    """Return the answer that carries the error in the service's own protocol."""
    request_id = secrets.token_hex(16)
    if service == "s3":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{error.code}</Code><Message>{escape(error.text)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        headers = {"content-type": "application/xml", "x-amz-request-id": request_id}
    elif service in QUERY_SERVICES:
        kind = "Sender" if error.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{error.code}</Code>"
            f"<Message>{escape(error.text)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        headers = {"content-type": "text/xml", "x-amzn-requestid": request_id}
    else:
        kind = "User" if error.status < 500 else "Service"
        # Lambda's members are lower-case `message` and `Type`; JSON 1.1 services read `__type`.
        body = json.dumps({"__type": error.code, "Type": kind, "message": error.text, **error.members})
        headers = {
            "content-type": "application/json",
            "x-amzn-errortype": error.code,
            "x-amzn-requestid": request_id,
        }
    return HttpResponse(error.status, [*headers.items(), *error.headers.items()], body.encode())
