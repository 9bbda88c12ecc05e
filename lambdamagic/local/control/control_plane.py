"""Parts of Lambda's control plane that moto lacks: limits of values, and the states of functions."""

from __future__ import annotations

import json
import re
from typing import Any

from lambdamagic.limits import AWS_LAMBDA, environment_size, is_reserved
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

FUNCTIONS_PATH = "/2015-03-31/functions"
ACCOUNT_PATH = "/2016-08-19/account-settings"
_CODE = re.compile(r"^/2015-03-31/functions/[^/]+/(code|configuration)/?$")
_RANGES = (("MemorySize", "memorySize", AWS_LAMBDA.memory_mb), ("Timeout", "timeout", AWS_LAMBDA.timeout_s))


def changes_functions(service: str, request: HttpRequest) -> bool:
    """Return whether a request may change what functions are."""
    return service == "cloudformation" or (service == "lambda" and request.method != "GET")


def validate(request: HttpRequest) -> None:
    """Refuse values out of AWS's limits, in AWS's words.

    Raises:
        AwsError: Memory, timeout or environment variables are out of range.
    """
    is_create = request.method == "POST" and request.path.rstrip("/") == FUNCTIONS_PATH
    match = _CODE.match(request.path)
    is_update = request.method == "PUT" and match is not None and match[1] == "configuration"
    if not (is_create or is_update) or not request.body:
        return
    try:
        values = json.loads(request.body)
    except (ValueError, RecursionError):
        return  # moto answers what is not JSON
    if not isinstance(values, dict):
        raise AwsError(400, "SerializationException", "Start of structure or map found where not expected.")
    for member, name, limit in _RANGES:
        value = values.get(member)
        if isinstance(value, int) and not limit.least <= value <= limit.most:
            bound = f"less than or equal to {limit.most}"
            if value < limit.least:
                bound = f"greater than or equal to {limit.least}"
            text = (
                f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
                f"Member must have value {bound}"
            )
            raise AwsError(400, "ValidationException", text)
    environment = values.get("Environment")
    if isinstance(environment, dict) and isinstance(environment.get("Variables"), dict):
        _check_variables(environment["Variables"])


def _check_variables(variables: dict[str, Any]) -> None:
    cannot = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = [name for name in variables if is_reserved(name)]
    if reserved:
        text = (
            f"{cannot} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise AwsError(400, "InvalidParameterValueException", text)
    if environment_size(variables) > AWS_LAMBDA.environment_bytes.most:
        measured = json.dumps(variables, separators=(",", ":"))
        text = f"{cannot} exceeded the 4KB limit. String measured: {measured}"
        raise AwsError(400, "InvalidParameterValueException", text)


def with_states(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return moto's answer with the state that AWS reports right after a change.

    AWS answers a create with Pending and an update with InProgress, and is done some moments later. Here the
    change is complete when the answer arrives, so the next look at the function finds it Active.
    """
    if response.status not in (200, 201):
        return response
    if request.method == "POST" and request.path.rstrip("/") == FUNCTIONS_PATH:
        extra: dict[str, Any] = {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }
    elif request.method == "PUT" and _CODE.match(request.path):
        extra = {
            "LastUpdateStatus": "InProgress",
            "LastUpdateStatusReason": "The function is being created.",
            "LastUpdateStatusReasonCode": "Creating",
        }
    else:
        return response
    values = json.loads(response.body)
    if "FunctionArn" not in values:
        return response
    headers = [
        (name, value) for name, value in response.headers if name.lower() not in ("content-length", "x-amz-crc32")
    ]
    return HttpResponse(response.status, headers, json.dumps({**values, **extra}).encode())


def account_settings(concurrency: int, *, reserved: int) -> HttpResponse:
    """Return what GetAccountSettings answers: the instance's quota stands for the account's."""
    limits = {
        "TotalCodeSize": 75 * 1024**3,  # "Lambda quotas", like the other two
        "CodeSizeUnzipped": AWS_LAMBDA.package_bytes.most,
        "CodeSizeZipped": AWS_LAMBDA.direct_package_bytes.most,
        "ConcurrentExecutions": concurrency,
        "UnreservedConcurrentExecutions": max(0, concurrency - reserved),
    }
    document = {"AccountLimit": limits, "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0}}
    return HttpResponse(200, (("content-type", "application/json"),), json.dumps(document).encode())
