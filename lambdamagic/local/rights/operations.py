"""Which operation of which service a request is, and with which parameters: read by moto's router and parsers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from lambdamagic.local.server.http_server import HttpRequest


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an API.

    Attributes:
        service: Such as `s3`, as requests are signed for it.
        operation: As the service's API reference has it.
        parameters: By the names of the API reference; of S3 only those in path and query.
    """

    service: str
    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)


def call_of(service: str, request: HttpRequest) -> Call | None:
    """Return what a request calls, or None if it is not a operation that the service has. Blocking: loads moto."""
    from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
    from moto.core.request import determine_request_protocol
    from moto.core.routing import get_service_router
    from moto.core.utils import get_service_model
    from werkzeug.exceptions import HTTPException

    from lambdamagic.local.control.moto_app import moto_request

    received = moto_request(request)
    try:
        operation, path = get_service_router(service).match(received)
        if service == "s3":
            return Call(service, operation.name, {**dict(parse_qsl(request.query, keep_blank_values=True)), **path})
        protocol = determine_request_protocol(get_service_model(service), received.content_type)
        parsed = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": received.method,
                "values": received.values,
                "headers": received.headers,
                "body": request.body,
                "url_path": received.path,
                "url_params": path,
            }
        )
    except (HTTPException, RequestParserError, NotImplementedError, ValueError):
        return None
    return Call(service, operation.name, dict(parsed))
